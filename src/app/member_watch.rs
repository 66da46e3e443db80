//! Asking the members of one cluster again and again, and nothing else: no endpoint, no Region, no credentials.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::patroni_client;
use crate::adapters::discovery::Discovering;
use crate::adapters::patroni::OptionsError;
use crate::adapters::resolver::SystemResolver;
use crate::adapters::state_file::StateFile;
use crate::config::{Settings, StateStore};
use crate::ports::{MemberPorts, Store as _};
use crate::runtime::deadline::by;
use crate::runtime::members::Members;
use repoint_domain::clients::{Absent, Nodes, Wanted, nodes};
use repoint_domain::decide::verdict::{Verdict, verdict};
use repoint_domain::observed::Observed;
use repoint_domain::spec::Spec;
use repoint_domain::state::State;

/// Clients have no rights in AWS.
const NOTHING_OF_AWS: &str =
    "a client asks nothing of AWS; name `members`, a DNS name, or a state file that has the members";
/// A local disk answers within milliseconds.
const STATE_WITHIN: Duration = Duration::from_secs(3);

/// The members of a cluster. They are known from one question to the next, with those that `/cluster` lists.
pub struct MemberWatch<'a> {
    spec: &'a Spec,
    ports: MemberPorts,
    members: Members,
    state: State,
    /// How long members are waited for.
    within: Duration,
}

/// What members said, and where a client connects by that.
#[derive(Clone, Debug)]
pub struct Found {
    /// What they said.
    pub observed: Observed,
    /// Who is the primary.
    pub verdict: Verdict,
    /// Where a client connects, or why it cannot.
    pub nodes: Result<Nodes, Absent>,
}

impl<'a> MemberWatch<'a> {
    /// For a program that wants to know where the primary is: it asks the members of `spec`, one of the clusters of `settings`.
    /// A state file has the members that are not configured, and the highest timeline; a state table is not asked.
    ///
    /// # Errors
    /// If a certificate or key cannot be used.
    pub async fn open(settings: &Settings, spec: &'a Spec) -> Result<Self, OptionsError> {
        let resolver = Arc::new(SystemResolver::new(settings.patroni.timeout));
        let discovery = Discovering::new([], Err(NOTHING_OF_AWS), resolver, settings.patroni.timeout);
        let ports = MemberPorts {
            patroni: Arc::new(patroni_client(&settings.patroni)?),
            discovery: Arc::new(discovery),
        };
        let state = match &settings.state.store {
            StateStore::File(path) => {
                let (file, until) = (StateFile::new(path.clone()), Instant::now() + STATE_WITHIN);
                by(until, "reading the state", &spec.name, file.load(&spec.name)).await
            }
            StateStore::DynamoDb(_) => Ok(State::default()),
        };
        if let Err(failure) = &state {
            warn!("the highest timeline and the members of the state are not known: {failure}");
        }
        Ok(Self::new(spec, ports, state.ok().as_ref(), settings.deadline))
    }

    /// Asks by these ports; `state` has the members that no configuration names.
    pub(super) fn new(spec: &'a Spec, ports: MemberPorts, state: Option<&State>, within: Duration) -> Self {
        let state = state.filter(|state| !state.is_of_others(spec)).cloned().unwrap_or_default();
        let mut members = Members::default();
        members.add_known(spec, &state);
        Self { spec, ports, members, state, within }
    }

    /// What they say now, and who is the primary by that.
    pub async fn observe(&mut self) -> (Observed, Verdict) {
        let until = Instant::now() + self.within;
        self.members.ask(self.spec, &self.ports, Duration::ZERO, until);
        self.members.settle(self.spec, &self.ports, until).await;
        let observed = self.members.observed(self.spec);
        let verdict = verdict(self.spec, &observed, &self.state);
        (observed, verdict)
    }

    /// Where a client connects now.
    pub async fn find(&mut self, wanted: Wanted) -> Found {
        let (observed, verdict) = self.observe().await;
        let nodes = nodes(wanted, self.spec, &observed, &verdict, &self.state);
        Found { observed, verdict, nodes }
    }
}
