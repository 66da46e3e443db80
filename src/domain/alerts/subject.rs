//! What a condition is about.

use crate::state::{ConditionKind, MOST_SUBJECT_BYTES, clipped};
use crate::values::cluster::{MemberName, SiteName};
use crate::values::endpoint::Endpoint;
use crate::values::primary::label;
use crate::values::target::Target;

/// What a condition is about, where it is not the whole cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// A site.
    Site(SiteName),
    /// A member by its name, or by its URL if it has never said its name; with its site, where there are several.
    Member(Option<SiteName>, String),
    /// An endpoint.
    Endpoint(Endpoint),
    /// A member, as far as an endpoint is concerned.
    MemberOf(Endpoint, MemberName),
    /// A target of a target group.
    TargetOf(Endpoint, Target),
}

impl Subject {
    /// The name in alerts and in the state, which no other subject has.
    pub fn name(&self) -> String {
        let name = match self {
            Self::Site(site) => site.to_string(),
            Self::Member(site, member) => label(site.as_ref(), member),
            Self::Endpoint(endpoint) => endpoint.to_string(),
            Self::MemberOf(endpoint, member) => format!("{endpoint} {member}"),
            Self::TargetOf(endpoint, target) => format!("{endpoint} {target}"),
        };
        clipped(&name, MOST_SUBJECT_BYTES)
    }

    /// The endpoint.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::Endpoint(endpoint) | Self::MemberOf(endpoint, _) | Self::TargetOf(endpoint, _) => {
                Some(endpoint)
            }
            Self::Site(_) | Self::Member(..) => None,
        }
    }

    /// The site of a member.
    pub fn site(&self) -> Option<&SiteName> {
        match self {
            Self::Member(site, _) => site.as_ref(),
            Self::Site(_) | Self::Endpoint(_) | Self::MemberOf(..) | Self::TargetOf(..) => None,
        }
    }

    /// The title of a condition of that kind about this: a target group by its name, a listener by its load balancer's, a
    /// record set without its zone.
    pub fn title(&self, kind: ConditionKind) -> String {
        let part = match self {
            Self::MemberOf(_, member) => member.to_string(),
            Self::TargetOf(_, target) => target.to_string(),
            Self::Site(_) | Self::Member(..) | Self::Endpoint(_) => String::new(),
        };
        let whole = self.endpoint().map_or_else(|| self.name(), short);
        kind.title().replace("{}", &whole).replace("{part}", &part)
    }
}

fn short(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Group(arn) => arn.name().to_owned(),
        Endpoint::Listener(arn) => arn.balancer().to_owned(),
        Endpoint::Record(key) => {
            let place = format!("{}/{}", key.place.name, key.place.record_type);
            key.set_identifier
                .as_ref()
                .map_or_else(|| place.clone(), |identifier| format!("{place}/{identifier}"))
        }
        Endpoint::Backend(key) => key.backend.clone(),
    }
}
