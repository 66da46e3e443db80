//! The invariant, on what AWS was told.

use std::collections::{BTreeMap, BTreeSet};

use repoint_sandbox::http::sandbox::{Action, Write};

use super::Moment;

/// A write that should not have been.
#[derive(Clone, Debug)]
pub struct Violation {
    pub by: String,
    pub at: Moment,
    pub how: String,
}

/// What should not have been: an endpoint that went back to an older timeline, and a group that was empty.
///
/// A member is as new as its newest promotion before the write. `beginning` is what the group holds before the first.
pub fn violations(
    promotions: &[(Moment, String, u32)],
    beginning: &[String],
    writes: &[Write],
) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut notify = |write: &Write, how: String| {
        let how = format!("{}: {} by {}: {how}", write.at, write.action, write.by);
        found.push(Violation { by: write.by.clone(), at: write.at, how });
    };
    let mut newest: BTreeMap<&str, u32> = BTreeMap::new();
    let mut members: BTreeSet<&str> = beginning.iter().map(String::as_str).collect();
    for write in writes.iter().filter(|write| write.is_done()) {
        let endpoint = match &write.action {
            Action::Register { group, .. } | Action::Deregister { group, .. } => group.as_str(),
            Action::Change { zone, .. } => zone.as_str(),
        };
        for value in write.action.points_at() {
            let earlier = promotions.iter().filter(|(at, address, _)| *at <= write.at && address == value);
            let Some(timeline) = earlier.map(|(_, _, timeline)| *timeline).max() else {
                notify(write, "never a primary".to_owned());
                continue;
            };
            let known = newest.entry(endpoint).or_default();
            if timeline < *known {
                notify(write, format!("timeline {timeline} after {known}"));
            }
            *known = timeline.max(*known);
        }
        match &write.action {
            Action::Register { targets, .. } => members.extend(targets.iter().map(String::as_str)),
            Action::Deregister { targets, .. } => {
                members.retain(|member| !targets.iter().any(|target| target == member));
                if members.is_empty() {
                    notify(write, "an empty group".to_owned());
                }
            }
            Action::Change { .. } => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use repoint_sandbox::aws::log::Ending;

    use super::*;

    fn write(at: Moment, action: Action) -> Write {
        Write { at, by: "a1".to_owned(), agent: String::new(), action, ending: Ending::Done }
    }

    fn register(at: Moment, target: &str) -> Write {
        write(at, Action::Register { group: "g".to_owned(), targets: vec![target.to_owned()] })
    }

    fn deregister(at: Moment, target: &str) -> Write {
        write(at, Action::Deregister { group: "g".to_owned(), targets: vec![target.to_owned()] })
    }

    fn judged(writes: &[Write]) -> Vec<String> {
        let promotions =
            [(0, "one", 4), (10, "two", 5), (20, "three", 6)].map(|(at, who, on)| (at, who.to_owned(), on));
        let found = violations(&promotions, &["one".to_owned()], writes);
        found.into_iter().map(|violation| violation.how).collect()
    }

    #[test]
    fn a_group_that_follows_is_right() {
        let writes =
            [register(11, "two"), deregister(12, "one"), register(21, "three"), deregister(22, "two")];
        assert_eq!(judged(&writes), [""; 0]);
    }

    #[test]
    fn a_late_write_is_found_if_it_is_late_and_done() {
        let late = register(22, "two");
        assert_eq!(judged(&[register(21, "three"), late.clone()]).len(), 1);
        assert_eq!(judged(&[late.clone(), register(23, "three")]), [""; 0], "not yet late");
        let refused = Write { ending: Ending::Refused("Throttling".to_owned()), ..late };
        assert_eq!(judged(&[register(21, "three"), refused]), [""; 0]);
    }

    #[test]
    fn an_empty_group_and_a_foreign_target_are_found() {
        assert_eq!(judged(&[deregister(1, "one")]).len(), 1);
        assert_eq!(judged(&[register(1, "two")]).len(), 1, "not yet a primary");
    }
}
