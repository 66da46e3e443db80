//! Faults that a network or an overloaded front end adds to requests.
//!
//! Which request is hit follows from the rules and from how many came before, never from chance or a clock.

use std::time::Duration;

use super::exchange::Reply;

/// What happens to a request that a rule hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The answer comes that much later.
    Latency(Duration),
    /// In place of the answer. The request does not reach the model.
    Answer(Reply),
    /// The request reaches the model, and its answer is replaced: the connection broke in between.
    LoseAnswer(Reply),
}

/// Which of the matching requests are hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Every one.
    All,
    /// The n-th, 2n-th, and so on.
    Every(u64),
    /// The next n, then the rule is spent.
    Next(u64),
    /// About this many of a thousand, spread by a hash of the seed and the count.
    PerMille {
        /// 0 to 1000.
        rate: u64,
        /// Another seed hits other requests.
        seed: u64,
    },
}

/// One rule. An empty `service`, `action` or `member` matches any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// e.g. `route53`, or `patroni`.
    pub service: String,
    /// e.g. `DescribeTargetHealth`, or `GET /primary`.
    pub action: String,
    /// Which of several ports, e.g. `pg1`.
    pub member: String,
    /// Which of the matching requests.
    pub reach: Reach,
    /// What happens to them.
    pub effect: Effect,
}

/// The rules that a handler asks about each request.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: Vec<(Rule, u64)>,
}

impl Faults {
    /// Adds a rule after the others.
    pub fn add(&mut self, rule: Rule) {
        self.rules.push((rule, 0));
    }

    /// Forgets all rules.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// What happens to this request: at most one of each effect, of the first rule that has it.
    /// Every matching rule counts the request, whether it hits or not.
    pub fn meet(&mut self, service: &str, action: &str, member: &str) -> Vec<Effect> {
        let mut effects: Vec<Effect> = Vec::new();
        for (rule, seen) in &mut self.rules {
            if !rule.matches(service, action, member) {
                continue;
            }
            *seen += 1;
            let known =
                |effect: &Effect| std::mem::discriminant(effect) == std::mem::discriminant(&rule.effect);
            if rule.reach.hits(*seen) && !effects.iter().any(known) {
                effects.push(rule.effect.clone());
            }
        }
        self.rules.retain(|(rule, seen)| !matches!(rule.reach, Reach::Next(count) if *seen >= count));
        effects
    }
}

impl Rule {
    fn matches(&self, service: &str, action: &str, member: &str) -> bool {
        let fits = |wanted: &str, given: &str| wanted.is_empty() || wanted == given;
        fits(&self.service, service) && fits(&self.action, action) && fits(&self.member, member)
    }
}

impl Reach {
    /// Whether the `count`-th matching request (from 1) is hit.
    fn hits(self, count: u64) -> bool {
        match self {
            Self::All => true,
            Self::Every(n) => n > 0 && count.is_multiple_of(n),
            Self::Next(n) => count <= n,
            Self::PerMille { rate, seed } => scattered(seed ^ count) % 1000 < rate,
        }
    }
}

/// Splitmix64's finaliser: neighbouring counts land far apart.
fn scattered(mut value: u64) -> u64 {
    value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(reach: Reach, effect: Effect) -> Rule {
        Rule { service: "sns".into(), action: String::new(), member: String::new(), reach, effect }
    }

    fn hits(faults: &mut Faults, requests: usize) -> Vec<bool> {
        (0..requests).map(|_| !faults.meet("sns", "Publish", "").is_empty()).collect()
    }

    #[test]
    fn every_nth_is_hit() {
        let mut faults = Faults::default();
        faults.add(rule(Reach::Every(3), Effect::Answer(Reply::Hang)));
        assert_eq!(hits(&mut faults, 7), [false, false, true, false, false, true, false]);
    }

    #[test]
    fn the_next_ones_are_hit_then_no_more_and_others_do_not_count() {
        let mut faults = Faults::default();
        faults.add(rule(Reach::Next(2), Effect::Answer(Reply::Reset)));
        assert!(faults.meet("route53", "GetChange", "").is_empty());
        assert_eq!(hits(&mut faults, 4), [true, true, false, false]);
    }

    #[test]
    fn a_rate_is_kept_and_another_seed_hits_others() {
        let of = |seed| {
            let mut faults = Faults::default();
            faults.add(rule(Reach::PerMille { rate: 250, seed }, Effect::Answer(Reply::Reset)));
            hits(&mut faults, 2000)
        };
        let hit = of(1).iter().filter(|hit| **hit).count();
        assert!((400..600).contains(&hit), "{hit} of 2000");
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn latency_adds_to_another_effect() {
        let mut faults = Faults::default();
        let late = Effect::Latency(Duration::from_millis(5));
        faults.add(rule(Reach::All, late.clone()));
        faults.add(rule(Reach::All, Effect::Latency(Duration::from_secs(5))));
        faults.add(rule(Reach::All, Effect::LoseAnswer(Reply::Hang)));
        assert_eq!(faults.meet("sns", "Publish", "pg1"), [late, Effect::LoseAnswer(Reply::Hang)]);
    }
}
