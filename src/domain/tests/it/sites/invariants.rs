//! Invariant 4 over nights that nobody would think of: three sites that come, go, fail over, follow and believe.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use repoint_domain::decide::verdict::{Verdict, verdict};
use repoint_domain::state::State;
use repoint_domain::values::cluster::{SiteName, Timeline};

use crate::support::sites::{How, east, seen, spec_of, west};

fn sites() -> [SiteName; 3] {
    [east(), west(), SiteName::new("south")]
}

fn how() -> impl Strategy<Value = How> {
    (select(vec![0, 0, 0, 1, 1, 2, 3, 4]), 1_u8..3, 1_u32..7).prop_map(
        |(kind, leader, timeline)| match kind {
            0 => How::Leads(leader, timeline),
            1 => How::Follows(timeline),
            2 => How::Quarrels(timeline),
            3 => How::Leaderless(timeline),
            _ => How::Dark,
        },
    )
}

fn claims(how: How) -> bool {
    matches!(how, How::Leads(..) | How::Quarrels(_))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// A site that was left is followed again only after it was seen to follow, or when the one that was followed follows
    /// it; and whoever moves to another site moves ahead.
    #[test]
    fn invariant_4_never_back_to_a_site_that_was_left(night in vec([how(), how(), how()], 1..12)) {
        let spec = spec_of(&sites());
        let mut state = State::default();
        // What a witness beside the reconciler has noted.
        let mut now: Option<(SiteName, u32)> = None;
        let mut mistrusted: BTreeSet<SiteName> = BTreeSet::new();
        for observation in night {
            let stand: BTreeMap<SiteName, How> = sites().into_iter().zip(observation).collect();
            let there: Vec<(SiteName, How)> = stand.clone().into_iter().collect();
            let Verdict::Primary(primary) = verdict(&spec, &seen(&there), &state) else { continue };
            let (site, timeline) = (primary.site.clone().unwrap(), primary.timeline.0);
            let is_leader = matches!(stand[&site], How::Leads(_, its) if its == timeline);
            prop_assert!(is_leader, "{} leads {:?}", site, stand);
            if let Some((before, highest)) = &now {
                prop_assert!(timeline >= *highest);
                let is_confirmed = stand[before] == How::Follows(timeline);
                prop_assert!(site == *before || (timeline > *highest && (is_confirmed || !mistrusted.contains(&site))),
                    "from {before} to {site} on {timeline}: {stand:?}");
                if site != *before {
                    mistrusted.insert(before.clone());
                }
            } else {
                prop_assert_eq!(stand.values().filter(|how| claims(**how)).count(), 1);
            }
            mistrusted.extend(stand.iter().filter(|(_, how)| claims(**how)).map(|(site, _)| site.clone()));
            mistrusted.retain(|its| *its != site && stand[its] != How::Follows(timeline));
            now = Some((site, timeline));
            state = state.committed(&primary, None, "a test", repoint_domain::values::timestamp::Timestamp(0));
            state.lease = None;
            prop_assert_eq!(&state.superseded, &mistrusted);
            prop_assert_eq!(state.highest_timeline, Some(Timeline(timeline)));
        }
    }
}
