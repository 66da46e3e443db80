//! A target group that holds the members that belong there and nothing else: repoint chooses them.

use super::place::{may_be, target};
use crate::decide::readers::Reader;
use crate::plan::hosts::Hosts;
use crate::plan::readers::{Holder, Places, Wanted, places};
use crate::plan::{EndpointReason, Needs, TargetStep, primary_address};
use crate::spec::{GroupRole, GroupSpec};
use crate::values::cluster::Address;
use crate::values::primary::Primary;
use crate::values::target::{Target, TargetGroup};

/// Register who belongs there, then deregister everything else. Where something goes, one that belongs there is registered
/// even if it is listed: what `DescribeTargetHealth` lists may be seconds old, and to register what is registered changes
/// nothing.
pub fn steps(
    wanted: &GroupSpec,
    hosts: Hosts,
    primary: &Primary,
    settling: &[Reader],
) -> Result<Needs<Vec<TargetStep>>, EndpointReason> {
    let observed = hosts.observed;
    let group = match observed.groups.get(&wanted.arn) {
        Some(Ok(group)) => group,
        Some(Err(failure)) => return Err(EndpointReason::Unreadable(failure.clone())),
        None => return Ok(Needs::default()),
    };
    let mut registered: Vec<Target> = group.registered().cloned().collect();
    registered.sort();
    let places = match wanted.role {
        GroupRole::Writer => Places {
            belong: vec![target(wanted, group, primary_address(primary)?, hosts)?],
            stay: Vec::new(),
            warnings: Vec::new(),
            unknown: None,
        },
        GroupRole::Reader { max_lag_bytes, primary_fallback } => {
            let readers = Wanted { max_lag_bytes, primary_fallback, settling };
            places(observed, primary, readers, &Members { wanted, group, hosts, registered: &registered })?
        }
    };
    let Places { belong, stay, warnings, unknown } = places;
    let first = belong.first().ok_or(EndpointReason::NoReader)?;
    let others: Vec<&Target> =
        registered.iter().filter(|other| !belong.contains(other) && !stay.contains(other)).collect();
    let mut missing: Vec<&Target> = belong.iter().filter(|target| !registered.contains(target)).collect();
    if missing.is_empty() && !others.is_empty() {
        missing.push(first);
    }
    let register = missing.into_iter().cloned().map(TargetStep::Register);
    let deregister = others.into_iter().cloned().map(TargetStep::Deregister);
    Ok(Needs { what: register.chain(deregister).collect(), warnings, unknown })
}

/// A group, and how members stand in it.
struct Members<'a> {
    wanted: &'a GroupSpec,
    group: &'a TargetGroup,
    hosts: Hosts<'a>,
    registered: &'a [Target],
}

impl Holder<Target> for Members<'_> {
    fn place(&self, address: &Address) -> Result<Target, EndpointReason> {
        target(self.wanted, self.group, address, self.hosts)
    }

    fn may_be(&self, held: &Target, address: &Address) -> bool {
        may_be(self.wanted, self.group, held, address, self.hosts)
    }

    fn held(&self) -> &[Target] {
        self.registered
    }
}
