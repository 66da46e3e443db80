//! How many requests AWS takes, and in which order they are granted.
//!
//! In no span of time are more requests granted than AWS would answer in it. A pass that follows a new primary goes before
//! an audit (a pass that only checks), and a write before a read. Audits leave half of a burst to failovers, so a failover
//! never waits behind a thousand audits; audits get what failovers do not need. Where no failover can come any more, as in a run
//! that knows of each cluster how it stands, audits may have all of it.

use std::collections::BTreeMap;

use crate::plan::{ListenerStep, Plan, StepGroup};
use crate::spec::{Spec, Strategy};

/// Requests that AWS counts together, in one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RateKey {
    /// `Describe*` of Elastic Load Balancing, in a Region.
    ElbRead(String),
    /// What changes something in Elastic Load Balancing, in a Region.
    ElbWrite(String),
    /// All of Route 53.
    Route53,
    /// `DescribeInstances` of EC2 for discovery, in a Region.
    Ec2(String),
    /// What doctor alone reads of the other services (EC2, Lambda, SNS, EventBridge Scheduler, DynamoDB), in a Region.
    Settings(String),
}

/// The size of a token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests at once after a pause.
    pub burst: u32,
    /// Requests per second in the long run.
    pub per_second: u32,
}

impl RateKey {
    /// What AWS allows an account.
    ///
    /// Sources: ELB, "Request throttling" (`Describe*` 40, 10 a second); its table for `RegisterTargets` and
    /// `DeregisterTargets` was not at hand, so this is what AWS's own controller keeps to for both together
    /// (aws-load-balancer-controller, `pkg/aws/throttle/defaults.go`: 20, 4 a second). Route 53, "Throttling API requests"
    /// (50, 10 a second, reads and changes together).
    ///
    /// EC2 takes 100 and 20 a second of requests with filters and pages ("Request throttling for the Amazon EC2 API"), and
    /// only discovery needs the limit: any other `DescribeInstances` comes with a `DescribeTargetHealth`. SNS and DynamoDB
    /// need none, since they take hundreds a second.
    ///
    /// What doctor reads of them has the rate of the slowest: Lambda's control plane takes 15 a second ("Lambda quotas"), the
    /// lists of SNS 30 (`ListSubscriptionsByTopic`).
    #[must_use]
    pub fn rate(&self) -> Rate {
        match self {
            Self::ElbRead(_) => Rate { burst: 40, per_second: 10 },
            Self::ElbWrite(_) => Rate { burst: 20, per_second: 4 },
            Self::Route53 => Rate { burst: 50, per_second: 10 },
            Self::Ec2(_) => Rate { burst: 100, per_second: 20 },
            Self::Settings(_) => Rate { burst: 15, per_second: 15 },
        }
    }
}

/// How many requests of each key.
pub type Needs = BTreeMap<RateKey, u32>;

/// Why a pass is made over a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Its primary is not the one that its endpoints follow.
    Failover,
    /// The endpoints are checked, without a known difference.
    #[default]
    Audit,
}

/// The order in which requests are granted: the lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// Why.
    pub urgency: Urgency,
    /// Whether it is for a read.
    pub is_read: bool,
}

/// The requests that a pass makes whatever it finds. Record sets are left out: clusters in one zone share their reads.
#[must_use]
pub fn reads(spec: &Spec) -> Needs {
    let checked = spec.groups.iter().filter(|group| matches!(group.strategy, Strategy::Warm { .. }));
    let groups = spec.groups.iter().chain(checked).map(|group| group.arn.region());
    let listeners = spec.listeners();
    let listeners = listeners.iter().map(|listener| listener.region());
    sum(groups.chain(listeners).map(|region| RateKey::ElbRead(region.to_owned())))
}

/// The requests that a failover makes at most.
#[must_use]
pub fn most_writes(spec: &Spec) -> Needs {
    let groups = spec.groups.iter().chain(&spec.groups).map(|group| group.arn.region());
    let listeners = spec.listeners();
    let listeners = listeners.iter().map(|listener| listener.region());
    sum(groups.chain(listeners).map(|region| RateKey::ElbWrite(region.to_owned())))
}

/// The requests that change target groups and listeners by this plan, at most. Changes of record sets travel with those
/// of other clusters.
#[must_use]
pub fn writes(plan: &Plan) -> Needs {
    let regions = plan.step_groups.iter().flat_map(|step_group| match step_group {
        StepGroup::Group { arn, steps } => {
            let calls = steps.chunk_by(|a, b| std::mem::discriminant(a) == std::mem::discriminant(b)).count();
            vec![arn.region(); calls]
        }
        StepGroup::Listeners { steps } => steps.iter().map(ListenerStep::region).collect(),
        StepGroup::Zone { .. } | StepGroup::Backend { .. } => Vec::new(),
    });
    sum(regions.map(|region| RateKey::ElbWrite(region.to_owned())))
}

fn sum(keys: impl Iterator<Item = RateKey>) -> Needs {
    let mut needs = Needs::new();
    for key in keys {
        *needs.entry(key).or_default() += 1;
    }
    needs
}

/// The milliseconds in which so many requests are let go in the long run, at this percentage of AWS's limits.
#[must_use]
pub fn time_for(needs: &Needs, percent: u32) -> u64 {
    let time = |(key, count): (&RateKey, &u32)| {
        u64::from(*count) * 100_000 / (u64::from(key.rate().per_second) * u64::from(percent)).max(1)
    };
    needs.iter().map(time).max().unwrap_or_default()
}

/// One token, in the unit that levels are counted in: what one request per second and hundredth brings in a millisecond.
const TOKEN: u64 = 100_000;

/// The token bucket of a key, and the requests that wait for tokens.
///
/// A token is *out* from when it is granted until its request is answered, or it comes back unspent. AWS may not have
/// counted it before, so the bucket fills no further than its size less what is out: then it never holds more than
/// AWS's own, however long requests are under way.
#[derive(Clone, Debug)]
pub struct Bucket {
    size: u64,
    /// What audits leave.
    reserve: u64,
    per_ms: u64,
    /// Below zero after requests that were sent without a token.
    level: i128,
    out: u64,
    at: u64,
    waiting: BTreeMap<(Rank, u64), u64>,
}

impl Bucket {
    /// A full one, at this percentage of AWS's limits, at a time in milliseconds.
    #[must_use]
    pub fn new(rate: Rate, percent: u32, now: u64) -> Self {
        let percent = u64::from(percent.max(1));
        // Two, since audits get no more than a half.
        let size = (u64::from(rate.burst) * percent * TOKEN / 100).max(2 * TOKEN);
        let per_ms = u64::from(rate.per_second) * percent;
        Self {
            size,
            reserve: size / 2,
            per_ms,
            level: size.into(),
            out: 0,
            at: now,
            waiting: BTreeMap::new(),
        }
    }

    /// Whether audits leave half of it from now on.
    pub fn keep_reserve(&mut self, is_kept: bool) {
        self.reserve = if is_kept { self.size / 2 } else { 0 };
    }

    /// Asks for tokens, under a number that no other request has. More than fit into the bucket are never granted at once, so
    /// it may be fewer.
    pub fn ask(&mut self, rank: Rank, tokens: u32, number: u64) {
        let most = (self.size - self.kept_from(rank)) / TOKEN;
        self.waiting.insert((rank, number), u64::from(tokens).clamp(1, most) * TOKEN);
    }

    /// Takes a request for tokens back.
    pub fn withdraw(&mut self, rank: Rank, number: u64) {
        self.waiting.remove(&(rank, number));
    }

    /// Grants what can be granted by now, in order: the number of each request, and how many tokens it gets.
    pub fn serve(&mut self, now: u64) -> Vec<(u64, u32)> {
        self.fill(now);
        let mut granted = Vec::new();
        while let Some((&(rank, number), &tokens)) = self.waiting.first_key_value() {
            if self.level < i128::from(tokens + self.kept_from(rank)) {
                break;
            }
            self.level -= i128::from(tokens);
            self.out += tokens;
            self.waiting.pop_first();
            granted.push((number, u32::try_from(tokens / TOKEN).unwrap_or(u32::MAX)));
        }
        granted
    }

    /// How many milliseconds after it was last served the next one can be, if nothing comes back before; `None` if
    /// no request waits.
    #[must_use]
    pub fn next_in(&self) -> Option<u64> {
        let (&(rank, _), &tokens) = self.waiting.first_key_value()?;
        let missing = i128::from(tokens + self.kept_from(rank)) - self.level;
        let missing = u64::try_from(missing).unwrap_or_default();
        Some(missing.div_ceil(self.per_ms).max(1))
    }

    /// A granted token was spent, and AWS has answered.
    pub fn answered(&mut self, now: u64) {
        self.fill(now);
        self.out = self.out.saturating_sub(TOKEN);
    }

    /// A granted token was not needed.
    pub fn unspent(&mut self, now: u64) {
        self.answered(now);
        self.level += i128::from(TOKEN);
    }

    /// A request is sent without waiting for a token: a retry.
    pub fn owe(&mut self, now: u64) {
        self.fill(now);
        self.level -= i128::from(TOKEN);
    }

    fn fill(&mut self, now: u64) {
        let gained = now.saturating_sub(self.at).saturating_mul(self.per_ms);
        self.at = self.at.max(now);
        let most = i128::from(self.size) - i128::from(self.out);
        self.level = (self.level + i128::from(gained)).min(most.max(self.level));
    }

    /// The tokens that a request of that rank must leave.
    fn kept_from(&self, rank: Rank) -> u64 {
        match rank.urgency {
            Urgency::Failover => 0,
            Urgency::Audit => self.reserve,
        }
    }
}
