//! When what members say of themselves shows that nothing has changed.
//!
//! A primary no longer answers 200 once the time of its leader key is over (Patroni, `ha.py`, `is_leader`), which another member
//! waits for; so the answer of the one that leads shows whether another may.
//!
//! Invariant 2: not having been asked is no evidence. What one says may set off asking them all, and nothing else.

use crate::decide::snapshot::Snapshot;
use crate::observed::{MemberAnswer, Sites};
use crate::spec::Spec;
use crate::values::cluster::{ApiUrl, MemberName};

/// The primary's REST API, where its own status is enough for a while: every member answers, one claims to be the primary, all
/// name it, Patroni decides by the DCS, and no endpoint rests on how far the others are.
#[must_use]
pub fn steady<'a>(spec: &Spec, sites: &'a Sites, snapshot: &Snapshot) -> Option<&'a ApiUrl> {
    let name = snapshot.primary()?;
    let rests_on_others = spec.readers().next().is_some() || !spec.backends.is_empty();
    let answers = sites.values().flatten();
    if rests_on_others || !answers.clone().all(|(_, answer)| agrees(answer, name)) {
        return None;
    }
    let claims = |answer: &MemberAnswer| answer.status.as_ref().is_ok_and(|own| own.answers_primary);
    let mut claimants = answers.filter(|(_, answer)| claims(answer)).map(|(url, _)| url);
    claimants.next().filter(|_| claimants.next().is_none())
}

/// Whether a member can be read, names that leader, and is neither in maintenance mode nor in failsafe mode: in both, a primary
/// stays one without the DCS.
fn agrees(answer: &MemberAnswer, leader: &MemberName) -> bool {
    let (Ok(own), Ok(view)) = (&answer.status, &answer.view) else { return false };
    let mut leaders = view.members.iter().filter(|listed| listed.role.leads());
    let names_it = leaders.next().is_some_and(|listed| listed.name == *leader) && leaders.next().is_none();
    names_it && !own.paused && !own.failsafe
}
