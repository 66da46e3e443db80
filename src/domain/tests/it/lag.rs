//! How far a replica is behind: by what members say of themselves, else by what they list.

use repoint_domain::decide::lag::{Heads, Lag};
use repoint_domain::observed::member::{Member, members};
use repoint_domain::observed::{MemberStatus, Observed, Wal};
use repoint_domain::values::cluster::{SiteName, SystemId};

use crate::support::evidence::{answer, healthy, members_in, name, observed, primary, silence, url, view};
use crate::support::sites::{How, east, seen, site_url, west};

fn wrote(written: u64) -> Wal {
    Wal { written: Some(written), ..Wal::default() }
}

fn received(received: u64, replayed: u64) -> Wal {
    Wal { received: Some(received), replayed: Some(replayed), ..Wal::default() }
}

fn set(observed: &mut Observed, number: u8, change: impl Fn(&mut MemberStatus)) {
    change(members_in(observed).get_mut(&url(number)).unwrap().status.as_mut().unwrap());
}

/// The lag of pg`number`: received, replayed.
fn lag(observed: &Observed, site: Option<&SiteName>, number: u8) -> (Option<u64>, Option<u64>) {
    let members = members(observed.answers_of(site));
    let member = members.iter().find(|member| member.name == Some(name(number))).unwrap();
    let listed = members.iter().filter_map(Member::view).find_map(|view| view.member(&name(number)));
    let Lag { receive_bytes, replay_bytes } = Heads::of(observed).lag(site, member, listed);
    (receive_bytes, replay_bytes)
}

fn streaming() -> Observed {
    let mut observed = healthy(1, 3);
    set(&mut observed, 1, |status| status.wal = wrote(1000));
    set(&mut observed, 2, |status| status.wal = received(900, 400));
    observed
}

#[test]
fn a_replica_is_measured_against_what_the_primary_says() {
    let mut observed = streaming();
    assert_eq!(lag(&observed, None, 2), (Some(100), Some(600)));
    assert_eq!(lag(&observed, None, 1), (None, None), "the primary is behind nothing");
    set(&mut observed, 2, |status| status.wal = received(1100, 1050));
    assert_eq!(lag(&observed, None, 2), (Some(0), Some(0)), "asked a little later than the primary");
    set(&mut observed, 2, |status| status.wal = received(200, 900));
    assert_eq!(lag(&observed, None, 2), (Some(100), Some(100)), "it replays from the archive");
}

#[test]
fn what_a_member_does_not_say_is_taken_from_the_list() {
    let mut listed = view(1, 3);
    (listed.members[1].lag_bytes, listed.members[1].replay_lag_bytes) = (Some(7), Some(70));
    let silent = observed([answer(1, primary(3), Ok(listed.clone())), silence(2)]);
    let members = members(silent.answers_of(None));
    let silent_member = members.iter().find(|member| !member.is_readable()).unwrap();
    let found = Heads::of(&silent).lag(None, silent_member, listed.member(&name(2)));
    assert_eq!((found.receive_bytes, found.replay_bytes, found.bytes()), (Some(7), Some(70), Some(70)));
}

#[test]
fn two_leaders_have_no_position() {
    let mut observed = streaming();
    set(&mut observed, 3, |status| *status = MemberStatus { name: Some(name(3)), ..primary(2) });
    assert_eq!(lag(&observed, None, 2), (Some(0), None), "only what is listed is left");
}

#[test]
fn a_member_of_another_system_is_not_measured() {
    let mut observed = streaming();
    set(&mut observed, 2, |status| status.system_id = Some(SystemId::new("1")));
    assert_eq!(lag(&observed, None, 2), (Some(0), None));
    set(&mut observed, 2, |status| status.system_id = None);
    assert_eq!(lag(&observed, None, 2), (Some(100), Some(600)));
}

#[test]
fn a_standby_leader_is_measured_against_the_primary_and_its_replicas_against_it() {
    let mut observed = seen(&[(east(), How::Leads(1, 3)), (west(), How::Follows(3))]);
    let positions = [
        (east(), 1, wrote(1000)),
        (east(), 2, received(990, 990)),
        (west(), 1, received(700, 650)),
        (west(), 2, received(600, 600)),
    ];
    for (site, number, wal) in positions {
        let answers = observed.sites.get_mut(&Some(site.clone())).unwrap();
        answers.get_mut(&site_url(&site, number)).unwrap().status.as_mut().unwrap().wal = wal;
    }
    assert_eq!(lag(&observed, Some(&east()), 2), (Some(10), Some(10)));
    assert_eq!(lag(&observed, Some(&west()), 1), (Some(300), Some(350)));
    assert_eq!(lag(&observed, Some(&west()), 2), (Some(100), Some(100)));
    observed.sites.remove(&Some(east()));
    assert_eq!(lag(&observed, Some(&west()), 1), (None, None), "the primary is not known");
    assert_eq!(lag(&observed, Some(&west()), 2), (Some(100), Some(100)));
}
