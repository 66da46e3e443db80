//! A failover pair: the primary and the standby swap in one batch, whatever the type and the spelling.

use repoint_sandbox::http::sandbox::{Action, Setup};
use repoint_sandbox::transport::Shape;

use crate::entry_points::place::{PG2, Place};

#[tokio::test(flavor = "multi_thread")]
async fn the_primary_and_the_standby_swap_in_one_batch() {
    let shape = Shape { is_filled: true, is_pair: true, has_reader_record: true, ..Shape::default() };
    let place = Place::of("", Setup { shape, members: 2, ..Setup::quick() });
    let before = place.sandbox.with(|site| site.values());
    place.switchover(PG2).await;
    place.until(|site| site.cluster.leader().is_some_and(|(leader, _)| leader == PG2)).await;
    place.until(|site| site.cluster.is_settled(site.now)).await;
    let (code, said) = place.run(&["run"]).await;
    assert_eq!(code, 0, "{said}");
    let after = place.sandbox.with(|site| site.values());
    assert_eq!((&after["primary"], &after["secondary"]), (&before["secondary"], &before["primary"]));
    let writes = place.sandbox.with(|site| site.writes().to_vec());
    let batches: Vec<usize> = writes
        .iter()
        .filter_map(|write| match &write.action {
            Action::Change { changes, .. } => Some(changes.len()),
            Action::Register { .. } | Action::Deregister { .. } => None,
        })
        .collect();
    // DELETE and CREATE of each of the pair, and of the readers' record.
    assert_eq!(batches, [6]);
}
