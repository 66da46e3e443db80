//! What holds whatever happens: determinism, progress, recovery, cost.

use repoint_sandbox::Millis;
use repoint_sandbox::patroni::{Cluster, DcsOutage, Lag, Settings, Silence};

use super::support::*;

/// A small generator, so that a failing seed can be run again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Does anything that can be done, at random.
fn disturb(cluster: &mut Cluster, dice: &mut Dice, now: Millis) {
    let ids: Vec<_> = cluster.ids().collect();
    let id = ids[usize::try_from(dice.roll(ids.len() as u64)).unwrap()];
    match dice.roll(26) {
        0 => cluster.crash(now, id, Silence::Refused),
        1 => cluster.crash(now, id, Silence::TimedOut),
        2 => cluster.kill_patroni(now, id),
        3 => cluster.crash_postgres(now, id),
        4 | 5 => cluster.start(now, id),
        6 => cluster.start_as_zombie(now, id),
        7 => cluster.hang(now, id),
        8 => cluster.unhang(now, id),
        9 => cluster.freeze(now, id),
        10 => cluster.thaw(now, id),
        11 => cluster.cut_from_dcs(now, id),
        12 => cluster.heal(now, id),
        13 => cluster.dcs_down(now, DcsOutage::Closes),
        14 => cluster.dcs_up(now),
        15 => drop(cluster.switchover(now, id)),
        16 => cluster.pause(now),
        17 => cluster.resume(now),
        18 => cluster.set_lag(now, id, Lag::Bytes(dice.roll(5_000))),
        19 => cluster.force_split_brain(now, id),
        20 => drop(cluster.restore(now, dice.roll(3), 1 + u32::try_from(dice.roll(9)).unwrap())),
        21 => cluster.cut_from_members(now, id),
        22 => cluster.dcs_down(now, DcsOutage::StaleReads),
        23 if ids.len() < 6 => drop(cluster.join(now, spec(1 + ids.len()))),
        // Were the last one on the newest timeline to leave, no member could be promoted, in Patroni either.
        24 if cluster.leader().is_some_and(|(leader, _)| leader != id) => cluster.leave(now, id),
        _ => cluster.stop(now, id),
    }
}

/// Faults that Patroni promises to survive without a second writer.
fn disturb_gently(cluster: &mut Cluster, dice: &mut Dice, now: Millis) {
    let ids: Vec<_> = cluster.ids().collect();
    let id = ids[usize::try_from(dice.roll(ids.len() as u64)).unwrap()];
    match dice.roll(12) {
        0 => cluster.crash(now, id, Silence::TimedOut),
        1 => cluster.crash_postgres(now, id),
        2..=4 => cluster.start(now, id),
        5 => cluster.cut_from_dcs(now, id),
        6 => cluster.heal(now, id),
        7 => cluster.dcs_down(now, DcsOutage::Closes),
        8 => cluster.dcs_up(now),
        9 => drop(cluster.switchover(now, id)),
        10 => cluster.cut_from_members(now, id),
        _ => cluster.stop(now, id),
    }
}

/// Ends every fault.
fn heal(cluster: &mut Cluster, now: Millis) {
    cluster.dcs_up(now);
    cluster.resume(now);
    for id in cluster.ids() {
        cluster.unhang(now, id);
        cluster.thaw(now, id);
        cluster.heal(now, id);
        cluster.start(now, id);
    }
}

fn played(seed: u64) -> (Cluster, Vec<String>, Millis) {
    let mut dice = Dice(seed);
    let failsafe_mode = dice.roll(2) == 0;
    let mut cluster = cluster(Settings { failsafe_mode, ..Settings::default() });
    let mut now = 0;
    let mut notified = Vec::new();
    for _ in 0..12 {
        now += dice.roll(40_000);
        cluster.advance(now);
        disturb(&mut cluster, &mut dice, now);
        for id in cluster.ids() {
            cluster.health(now, id, ME).ok();
            cluster.view(now, id, ME).ok();
        }
        notified.extend(cluster.take_events().iter().map(|event| format!("{:>7} {event}", event.at)));
    }
    // Twice, as a member may have been on its way out.
    heal(&mut cluster, now);
    now += 30 * SECOND;
    heal(&mut cluster, now);
    (cluster, notified, now)
}

#[test]
fn the_same_calls_give_the_same_world() {
    for seed in 0..50 {
        let (a, b) = (played(seed), played(seed));
        assert_eq!(format!("{:?}", a.0), format!("{:?}", b.0), "seed {seed}");
        assert_eq!(a.1, b.1, "seed {seed}");
    }
}

#[test]
fn small_steps_and_large_steps_lead_to_the_same_world() {
    for seed in 0..50 {
        let (mut large, _, now) = played(seed);
        let mut small = large.clone();
        large.advance(now + 200_000);
        for step in 0..=2_000 {
            small.advance(now + step * 100);
        }
        assert_eq!(format!("{large:?}"), format!("{small:?}"), "seed {seed}");
    }
}

#[test]
fn after_healing_it_always_settles_on_one_primary() {
    for seed in 0..2_000 {
        let (mut cluster, mut history, now) = played(seed);
        let settled = (now..now + 900_000).step_by(1_000).find(|now| {
            cluster.advance(*now);
            cluster.is_settled(*now)
        });
        history.extend(notified(&mut cluster));
        assert!(settled.is_some(), "seed {seed}: {history:#?}\n{cluster:#?}");
        let settled = settled.unwrap();
        let (leader, timeline) = cluster.leader().unwrap();
        assert_eq!(claimants(&cluster, settled), [leader], "seed {seed}: {history:#?}");
        for id in cluster.ids().filter(|id| !cluster.has_left(*id)) {
            let (_, health) = cluster.health(settled, id, ME).unwrap();
            assert_eq!(health.timeline, Some(timeline), "seed {seed}, {id:?}: {history:#?}");
        }
    }
}

#[test]
fn with_its_processes_running_patroni_never_lets_two_write() {
    for seed in 0..500 {
        let mut dice = Dice(seed);
        let failsafe_mode = dice.roll(2) == 0;
        let mut cluster = cluster(Settings { failsafe_mode, ..Settings::default() });
        let mut now = 0;
        for _ in 0..20 {
            for _ in 0..dice.roll(200) {
                now += 200;
                cluster.advance(now);
                assert!(cluster.takes_writes().len() < 2, "seed {seed}: {:#?}", notified(&mut cluster));
            }
            disturb_gently(&mut cluster, &mut dice, now);
        }
    }
}
