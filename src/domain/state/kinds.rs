//! The table of conditions: everything that can be wrong for a while, and be alerted.
//!
//! One row is a kind. A new kind needs its row, a detector in `alerts/detect.rs` or beside it, and a heading of its name in the
//! runbook (`infra/guide/runbook.md`).

use serde::{Serialize, Serializer};

/// What a kind is, to the reader of an alert.
struct Row {
    name: &'static str,
    severity: Severity,
    alerted: Alerted,
    title: &'static str,
}

/// How much an alert matters; a greater one matters more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing has to be done.
    Info,
    /// Something has to be done within the working day.
    Warning,
    /// Writes may be lost, or cannot get through.
    Critical,
}

impl Severity {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// In lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Serialize for Severity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// When a condition is alerted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alerted {
    /// By the pass that finds it.
    AtOnce,
    /// Once it has lasted for `alerts.grace_seconds`, since it often ends by itself.
    AfterGrace,
    /// Once it has lasted for `alerts.contested_grace_seconds`.
    AfterContestedGrace,
    /// Once it has lasted for `alerts.replica_grace_seconds`: a replica that restarts or is copied catches up by itself.
    AfterReplicaGrace,
    /// Once it has lasted for `alerts.paused_grace_seconds`: maintenance is meant to be.
    AfterPausedGrace,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $severity:ident, $alerted:ident, $title:literal;)*) => {
        /// What is wrong. Its name stands in alerts, in reports, in the state and as a heading of the runbook.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ConditionKind {
            $($(#[$doc])* $kind,)*
            /// A kind that only a newer version knows. It is kept as it is, and left to that version.
            Unrecognized,
        }

        impl ConditionKind {
            /// All that this version knows.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$kind),*];

            fn row(self) -> Row {
                use {Alerted::*, Severity::*};
                match self {
                    $(Self::$kind => Row { name: $name, severity: $severity, alerted: $alerted, title: $title },)*
                    Self::Unrecognized => Row {
                        name: "unrecognized",
                        severity: Warning,
                        alerted: AfterGrace,
                        title: "a condition that a newer repoint knows",
                    },
                }
            }
        }
    };
}

// Kind, name, severity, when it is alerted, and its title. In a title `{}` is the member, site or endpoint that the
// condition is about, and `{part}` the member or target within that endpoint.
kinds! {
    /// No member is known to take writes: an election, a promotion, or a cluster that cannot be reached.
    NoPrimary = "no_primary", Critical, AfterGrace, "no primary";
    /// Several members claim to be the primary, and none is ahead.
    Contested = "contested", Critical, AfterContestedGrace, "CONTESTED, two members may be taking writes";
    /// Another member claims to be primary on a lower timeline than the real one.
    SplitBrain = "split_brain", Critical, AtOnce, "SPLIT BRAIN, {} also claims to be primary";
    /// The only claimant is behind what was applied before.
    Stale = "stale", Warning, AfterGrace, "only an old primary answers";
    /// Only a site that was left for another one claims to hold the primary.
    StaleSite = "stale_site", Critical, AfterGrace, "only a superseded site claims to hold the primary";
    /// Another cluster answers.
    WrongCluster = "wrong_cluster", Critical, AtOnce, "another cluster answers";
    /// A member does not answer, while others do.
    MemberUnreachable = "member_unreachable", Warning, AfterGrace, "member {} does not answer";
    /// Discovery is refused, fails, or finds nothing: nodes that are replaced from now on may not be found.
    DiscoveryFailed = "discovery_failed", Warning, AfterGrace, "no members are discovered";
    /// No member of a site answers, while a member of another site does.
    SiteUnreachable = "site_unreachable", Warning, AfterGrace, "no member of site {} answers";
    /// An endpoint cannot follow the primary.
    EndpointHeld = "endpoint_held", Warning, AfterGrace, "{} is held";
    /// A target of a warm group belongs to no member.
    TargetSurplus = "target_surplus", Warning, AfterGrace, "a target of {} belongs to no member";
    /// The load balancer sends writes to another member than the primary, or to none.
    TargetHealth = "target_health", Critical, AfterGrace, "{} does not send writes to the primary";
    /// The load balancer sends reads to the primary, or not to a replica that may be read from.
    ReaderHealth = "reader_health", Warning, AfterGrace, "{} does not send reads to the replicas";
    /// A member that could be promoted has no group behind a listener.
    NoGroup = "no_group", Warning, AfterGrace, "{} has no target group for {part}";
    /// A member has no address or instance that fits an endpoint.
    MemberUnplaced = "member_unplaced", Warning, AfterGrace, "{} leaves out {part}";
    /// A change of an endpoint failed.
    ApplyFailed = "apply_failed", Critical, AtOnce, "FAILED to change {}";
    /// The auditor refused a plan.
    PlanRefused = "plan_refused", Critical, AtOnce, "the auditor refused a plan";
    /// The state store cannot be read or written, so that nothing may be changed.
    StateUnavailable = "state_unavailable", Critical, AfterGrace, "STATE STORE UNAVAILABLE, changes blocked";
    /// The state is kept for endpoints none of which is configured.
    StateOfOtherEndpoints = "state_of_other_endpoints", Critical, AtOnce, "STATE OF OTHER ENDPOINTS, changes blocked";
    /// The same change of endpoints fails in pass after pass.
    RetargetFailing = "retarget_failing", Critical, AfterGrace, "endpoints FAIL to follow in every pass";
    /// The DCS is down, and Patroni's failsafe mode keeps the primary.
    Failsafe = "failsafe", Critical, AfterGrace, "FAILSAFE MODE, the DCS is down";
    /// The primary changes again and again.
    Flapping = "flapping", Warning, AtOnce, "FLAPPING, the primary changes again and again";
    /// No member could take over from the primary.
    NoCandidate = "no_candidate", Warning, AfterReplicaGrace, "no member could take over";
    /// A replica is far behind its leader, or a standby leader behind the primary.
    ReplicaLag = "replica_lag", Warning, AfterReplicaGrace, "replica {} lags";
    /// Patroni is in maintenance mode.
    Paused = "paused", Info, AfterPausedGrace, "Patroni is paused";
}

impl ConditionKind {
    pub(super) fn parse(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).unwrap_or(Self::Unrecognized)
    }

    /// The name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.row().name
    }

    /// How much it matters.
    #[must_use]
    pub fn severity(self) -> Severity {
        self.row().severity
    }

    /// When it is alerted.
    #[must_use]
    pub fn alerted(self) -> Alerted {
        self.row().alerted
    }

    /// The kind in a few words; `{}` and `{part}` stand for what it is about.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.row().title
    }
}

impl Serialize for ConditionKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
