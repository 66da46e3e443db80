//! `paused` and `failsafe`: Patroni is in a mode in which it does not fail over as usual.

use super::SiteMembers;
use crate::alerts::findings::Findings;
use crate::alerts::subject::Subject;
use crate::observed::MemberStatus;
use crate::observed::member::Member;
use crate::state::ConditionKind;

/// Detects them by what any member of a site says. That a mode has ended only the site's leader can say: another member may
/// not have been asked, or may not reach the DCS (invariant 2).
pub(super) fn detect(site: &SiteMembers, found: &mut Findings) {
    let says = |flag: fn(&MemberStatus) -> bool| site.members.iter().filter_map(Member::status).any(flag);
    let is_paused = says(|own| own.paused) || site.views().any(|view| view.paused);
    let is_failsafe = says(|own| own.failsafe);
    let modes =
        [(ConditionKind::Paused, is_paused, PAUSED), (ConditionKind::Failsafe, is_failsafe, FAILSAFE)];
    for (kind, is_on, message) in modes {
        if is_on {
            found.add(kind, site.name.cloned().map(Subject::Site), message);
        } else if !site.hears_the_leader() {
            found.unknown_sites.push((kind, site.name.cloned()));
        }
    }
}

const PAUSED: &str = "Patroni is in maintenance mode: it elects no leader, and restarts no PostgreSQL";
const FAILSAFE: &str = "the DCS is down, and failsafe mode keeps the primary for as long as all members answer it; no \
    failover is possible";
