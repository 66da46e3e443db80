//! Where clients connect: to which members, and in which order.
//!
//! Without a verdict there is nothing to connect to (invariant 3). Members of other sites are never among them: nothing but an
//! operator keeps two sites apart, so a client that tried both could write to the one that was left. Neither is a member that
//! claims to be the primary and is not, nor an address that other machines cannot use (invariant 8).

mod form;
mod report;
mod service_file;

pub use form::{dsn, env, hosts, url};
pub use report::ClientReport;
pub use service_file::{merged, section, service};

use serde::Serialize;

use crate::decide::readers::readers;
use crate::decide::standby::standbys;
use crate::decide::verdict::{Hold, Verdict};
use crate::observed::Observed;
use crate::observed::member::{members, primarys_view};
use crate::plan::{EndpointReason, WarningReason, are_local, literal};
use crate::spec::{MAX_LAG_BYTES, Spec};
use crate::state::State;
use crate::values::cluster::{Address, MemberName};
use crate::values::primary::Primary;

/// What a client wants to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The primary.
    Primary,
    /// The best standby: what a record that points to a standby would have.
    Standby,
    /// The replicas that may be read from: what a record that points to readers would have.
    Readers,
}

/// A member, and where clients reach its PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its name; unknown where no member gives it.
    pub member: Option<MemberName>,
    /// Where it listens.
    #[serde(flatten)]
    pub address: Address,
}

/// The members that a client may connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nodes {
    /// What libpq is to check of a server: the values of `target_session_attrs` since PostgreSQL 14, `read-write` since 10.
    pub target_session_attrs: &'static str,
    /// The first of those that are wanted: the primary, or the least behind.
    pub first: Node,
    /// The others that are wanted, in order.
    pub rest: Vec<Node>,
    /// Those that may take their place after the next failover, or while none of them can be reached.
    pub others: Vec<Node>,
    /// The members that are left out, and why.
    pub warnings: Vec<WarningReason>,
}

impl Nodes {
    /// Those that are wanted.
    pub fn wanted(&self) -> impl Iterator<Item = &Node> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Those that are wanted, and then the others.
    pub fn all(&self) -> impl Iterator<Item = &Node> {
        self.wanted().chain(&self.others)
    }
}

/// Why there is nothing to connect to; its `Display` is the sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Absent {
    /// No primary can be named.
    #[error("{0}")]
    Hold(Hold),
    /// There is a primary, and what is wanted has no address, or does not exist.
    #[error("{0}")]
    Unplaced(EndpointReason),
}

impl Absent {
    /// What an operator does next, where that is known.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Hold(hold) => Some(hold.kind().remedy()),
            Self::Unplaced(_) => None,
        }
    }
}

impl From<EndpointReason> for Absent {
    fn from(reason: EndpointReason) -> Self {
        Self::Unplaced(reason)
    }
}

/// Which members a client that wants this connects to.
///
/// # Errors
/// If the verdict is to hold, or none of the members that are wanted has an address that other machines can use. The readers of
/// a standby cluster need no primary.
pub fn nodes(
    wanted: Wanted,
    spec: &Spec,
    observed: &Observed,
    verdict: &Verdict,
    state: &State,
) -> Result<Nodes, Absent> {
    let leader = match (verdict, wanted) {
        (Verdict::Primary(primary), _) => primary,
        (Verdict::Hold(hold), _) => verdict
            .leader()
            .filter(|_| wanted == Wanted::Readers)
            .ok_or_else(|| Absent::Hold(hold.clone()))?,
    };
    let choice = Choice { spec, observed, state, leader };
    match wanted {
        Wanted::Primary => choice.primary(),
        Wanted::Standby => choice.standby(),
        Wanted::Readers => choice.readers(),
    }
}

/// What members are chosen from.
struct Choice<'a> {
    spec: &'a Spec,
    observed: &'a Observed,
    state: &'a State,
    leader: &'a Primary,
}

/// Members with their addresses, and those that are left out.
type Placed = (Vec<Node>, Vec<WarningReason>);

impl Choice<'_> {
    fn primary(&self) -> Result<Nodes, Absent> {
        let first = self.leader()?;
        let is_rival = |name: &MemberName| {
            let mut rivals = self.leader.rivals.iter();
            rivals.any(|rival| rival.site == self.leader.site && rival.member == name.as_str())
        };
        let others = self.listed().into_iter();
        let (others, warnings) = self
            .placed(others.filter(|(name, _)| self.leader.member.as_ref() != Some(name) && !is_rival(name)));
        Ok(Nodes { target_session_attrs: "read-write", first, rest: Vec::new(), others, warnings })
    }

    /// After a switchover the primary of now is a standby.
    fn standby(&self) -> Result<Nodes, Absent> {
        let standbys = standbys(self.observed, self.leader).into_iter();
        let (standbys, warnings) =
            self.placed(standbys.map(|standby| (standby.member, Some(standby.address))));
        let mut standbys = standbys.into_iter();
        let first = standbys.next().ok_or_else(|| none_of(&warnings, EndpointReason::NoStandby))?;
        let others = standbys.chain(self.leader().ok()).collect();
        Ok(Nodes { target_session_attrs: "standby", first, rest: Vec::new(), others, warnings })
    }

    /// As for an endpoint, the least behind first.
    fn readers(&self) -> Result<Nodes, Absent> {
        let (max_lag_bytes, primary_fallback) = self.spec.readers().next().unwrap_or((MAX_LAG_BYTES, true));
        let fit =
            readers(self.observed, self.leader, max_lag_bytes).ok_or(EndpointReason::ReplicasUnknown)?;
        let is_fit =
            |name: &MemberName| fit.iter().any(|reader| reader.member == *name && reader.may_come_in);
        let replicas = standbys(self.observed, self.leader).into_iter();
        let (replicas, warnings) = self
            .placed(replicas.filter(|one| is_fit(&one.member)).map(|one| (one.member, Some(one.address))));
        let fallback = if primary_fallback { self.leader().ok() } else { None };
        let mut wanted = replicas.into_iter();
        let (first, others) = match (wanted.next(), fallback) {
            (Some(first), fallback) => (first, Vec::from_iter(fallback)),
            (None, Some(leader)) => (leader, Vec::new()),
            (None, None) if primary_fallback => (self.leader()?, Vec::new()),
            (None, None) => return Err(none_of(&warnings, EndpointReason::NoReader).into()),
        };
        let target_session_attrs = if primary_fallback { "prefer-standby" } else { "standby" };
        Ok(Nodes { target_session_attrs, first, rest: wanted.collect(), others, warnings })
    }

    fn leader(&self) -> Result<Node, EndpointReason> {
        let Primary { member, address, .. } = self.leader;
        self.node(member.clone(), address.as_ref().ok_or(EndpointReason::AddressUnknown)?)
    }

    /// The members of the primary's site, by name: those that Patroni lists; or else those of the state, since with the DCS down
    /// no `/cluster` is answered (invariant 2).
    fn listed(&self) -> Vec<(MemberName, Option<Address>)> {
        let site = self.leader.site.as_ref();
        let members = members(self.observed.answers_of(site));
        let view = self.leader.member.as_ref().and_then(|leader| primarys_view(&members, leader));
        let mut listed: Vec<_> = if let Some(view) = view {
            let members = view.members.iter();
            members.map(|listed| (listed.name.clone(), listed.address.clone())).collect()
        } else {
            let known = self.state.members_of(site).iter();
            let reached = |name: &MemberName, address: &Option<Address>| {
                self.spec.site(site).and_then(|site| site.reached(name, address.clone()))
            };
            known.map(|(name, known)| (name.clone(), reached(name, &known.address))).collect()
        };
        listed.sort();
        listed
    }

    fn placed(&self, members: impl Iterator<Item = (MemberName, Option<Address>)>) -> Placed {
        let (mut nodes, mut warnings) = (Vec::new(), Vec::new());
        for (member, address) in members {
            let address = address.ok_or_else(|| EndpointReason::MemberAddressUnknown(member.clone()));
            match address.and_then(|address| self.node(Some(member.clone()), &address)) {
                Ok(node) => nodes.push(node),
                Err(why) => warnings.push(WarningReason::Unplaced { member, why }),
            }
        }
        (nodes, warnings)
    }

    fn node(&self, member: Option<MemberName>, address: &Address) -> Result<Node, EndpointReason> {
        literal(&address.host, are_local(self.spec, self.observed, self.leader.site.as_ref()))?;
        Ok(Node { member, address: address.clone() })
    }
}

/// Why there is none of them: the first that has no address says it best.
fn none_of(warnings: &[WarningReason], otherwise: EndpointReason) -> EndpointReason {
    let why = warnings.iter().find_map(|warning| match warning {
        WarningReason::Unplaced { why, .. } => Some(why.clone()),
        _ => None,
    });
    why.unwrap_or(otherwise)
}
