//! Patroni's configuration and its members.

use std::collections::BTreeMap;
use std::net::IpAddr;

use repoint_domain::doctor::check::Severity::{Critical, Info, Warning};
use repoint_domain::doctor::checks::CHECKS;
use repoint_domain::doctor::examine::examine;
use repoint_domain::doctor::facts::Facts;
use repoint_domain::doctor::facts::patroni::ListedMember;
use repoint_domain::observed::TimelineEnd;
use repoint_domain::spec::{Discover, Reached, Source, Tag};
use repoint_domain::values::cluster::{ApiUrl, Timeline};
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::timestamp::Timestamp;
use repoint_domain::values::utc::Utc;

use super::{Case, finds, silent, unknown};
use crate::support::evidence::{name, refused, url};
use crate::support::setup::{
    config_of, file_of, follow_another, health_of, leave_one, member_of, node_of, relist, right,
};

const HOUR_MS: u64 = 60 * 60 * 1000;

fn tag(member: &mut ListedMember, name: &str, value: &str) {
    member.tags.insert(name.to_owned(), value.to_owned());
}

/// Members are found by a tag, these.
fn discover(facts: &mut Facts, found: &[u8]) {
    let tag = Tag { key: "patroni-scope".to_owned(), value: "batman".to_owned() };
    let source = Source::Instances { tag, region: None, assume: None };
    let cluster = &mut facts.clusters[0];
    cluster.spec.sites[0].discover = Some(Discover { source, port: 8008, is_https: false });
    cluster.observed.discovered =
        BTreeMap::from([(None, Ok(found.iter().map(|number| url(*number)).collect()))]);
}

fn promoted(facts: &mut Facts, hours_ago: &[u64]) {
    let now = facts.at.0;
    let ends = hours_ago.iter().map(|hours| TimelineEnd {
        timeline: Timeline(1),
        at: Some(Utc(Timestamp(now - hours * HOUR_MS))),
        new_leader: None,
    });
    member_of(facts, 1).history = Some(Ok(ends.collect()));
}

/// Members on one machine, as in a laboratory: at loopback addresses, which the configuration itself has.
fn on_one_machine(facts: &mut Facts) {
    let site = &mut facts.clusters[0].spec.sites[0];
    site.members =
        (1..=3).map(|number| ApiUrl::parse(&format!("http://127.0.0.{number}:8008")).unwrap()).collect();
    relist(facts, |members| {
        for (number, member) in members.iter_mut().enumerate() {
            member.host = Some(format!("127.0.0.{}", number + 1));
            member.api_url = Some(format!("http://127.0.0.{}:8008/patroni", number + 1));
        }
    });
}

fn resolve(facts: &mut Facts, host: &str, address: &str) {
    relist(facts, |members| members[2].host = Some(host.to_owned()));
    let address: IpAddr = address.parse().unwrap();
    facts.clusters[0].observed.names.insert(host.to_owned(), Ok(vec![address]));
}

pub const CASES: &[Case] = &[
    finds("ttl is below the rule, and Patroni 3.1 demotes", "ttl_too_short", Critical, |facts| {
        config_of(facts).ttl = Some(29);
        (1..=3).for_each(|number| health_of(facts, number).version = Some("3.1.2".to_owned()));
    }),
    finds("ttl is below the rule, and every member shortens loop_wait", "ttl_too_short", Warning, |facts| {
        config_of(facts).retry_timeout = Some(11);
    }),
    finds("ttl is below the rule, and a version is not known", "ttl_too_short", Critical, |facts| {
        config_of(facts).ttl = Some(20);
        member_of(facts, 3).health = Err(refused());
    }),
    silent("ttl is just long enough", |facts| {
        let config = config_of(facts);
        (config.ttl, config.loop_wait, config.retry_timeout) = (Some(20), Some(4), Some(8));
    }),
    silent("the times are Patroni's defaults", |facts| {
        let config = config_of(facts);
        (config.ttl, config.loop_wait, config.retry_timeout) = (None, None, None);
    }),
    finds("ttl is long", "ttl_long", Info, |facts| config_of(facts).ttl = Some(31)),
    finds("a crashed primary gets five minutes by default", "crash_recovery_long", Info, |facts| {
        config_of(facts).primary_start_timeout = None;
    }),
    silent("a crashed primary fails over at once", |facts| config_of(facts).primary_start_timeout = Some(0)),
    finds("synchronous mode is off", "asynchronous_replication", Info, |facts| {
        config_of(facts).synchronous_mode = Some("off".to_owned());
    }),
    finds("no member is a synchronous standby", "no_synchronous_standby", Critical, |facts| {
        relist(facts, |members| "replica".clone_into(&mut members[1].role));
    }),
    silent("quorum commit has a quorum standby", |facts| {
        config_of(facts).synchronous_mode = Some("quorum".to_owned());
        relist(facts, |members| "quorum_standby".clone_into(&mut members[1].role));
    }),
    finds("one member and strict synchronous mode", "no_synchronous_standby", Critical, |facts| {
        leave_one(facts);
        config_of(facts).synchronous_mode_strict = Some(true);
    }),
    finds("failsafe mode is off", "failsafe_mode_off", Warning, |facts| {
        config_of(facts).failsafe_mode = None;
    }),
    finds("pg_rewind is off", "no_rewind", Warning, |facts| config_of(facts).use_pg_rewind = Some(false)),
    finds("pg_rewind is set neither dynamically nor in the file", "no_rewind", Warning, |facts| {
        config_of(facts).use_pg_rewind = None;
    }),
    finds("pg_rewind works with checksums alone", "no_rewind", Info, |facts| {
        config_of(facts).parameters.insert("wal_log_hints".to_owned(), "Off".to_owned());
    }),
    silent("pg_rewind is on in the file", |facts| {
        config_of(facts).use_pg_rewind = Some(false);
        file_of(facts).use_pg_rewind = Some(true);
    }),
    silent("members are discovered", |facts| discover(facts, &[1, 2, 3])),
    finds("a member has not the tag", "discovery_incomplete", Warning, |facts| discover(facts, &[1, 3])),
    finds("what is no member has the tag", "discovery_finds_others", Info, |facts| {
        discover(facts, &[1, 2, 3, 9]);
    }),
    unknown("the right to discover members is missing", "discovery_incomplete", |facts| {
        discover(facts, &[]);
        facts.clusters[0].observed.discovered = BTreeMap::from([(None, Err(refused()))]);
    }),
    finds("timelines are not compared", "timeline_not_compared", Info, |facts| {
        config_of(facts).check_timeline = None;
    }),
    finds("a watchdog failed", "watchdog_failed", Warning, |facts| {
        health_of(facts, 2).has_watchdog_failed = true;
    }),
    finds("every replica has a tag against failover", "no_candidate", Critical, |facts| {
        relist(facts, |members| {
            tag(&mut members[1], "nofailover", "true");
            tag(&mut members[2], "failover_priority", "0");
        });
    }),
    finds("every replica lags too much", "no_candidate", Critical, |facts| {
        relist(facts, |members| {
            members[1..].iter_mut().for_each(|member| member.lag_bytes = Some(1_048_577));
        });
    }),
    finds("three members are configured and one is listed", "no_candidate", Critical, |facts| {
        relist(facts, |members| members.truncate(1));
        config_of(facts).synchronous_mode = Some("off".to_owned());
        config_of(facts).is_standby_cluster = true;
    }),
    silent("one of two replicas may take over", |facts| {
        relist(facts, |members| {
            tag(&mut members[1], "nofailover", "false");
            tag(&mut members[1], "failover_priority", "0");
            tag(&mut members[2], "nofailover", "true");
        });
    }),
    silent("a cluster of one member", |facts| {
        leave_one(facts);
        let config = config_of(facts);
        (config.primary_start_timeout, config.use_pg_rewind, config.check_timeline) =
            (None, Some(false), None);
        (config.synchronous_mode, config.ttl) = (None, Some(60));
    }),
    silent("a standby cluster, which takes no writes", |facts| {
        follow_another(facts);
        relist(facts, |members| "replica".clone_into(&mut members[1].role));
        relist(facts, |members| {
            members[1..].iter_mut().for_each(|member| member.lag_bytes = Some(9_999_999));
        });
        let config = config_of(facts);
        (config.primary_start_timeout, config.failsafe_mode, config.check_timeline) = (None, None, None);
    }),
    finds("a cluster is paused", "paused", Warning, |facts| {
        let answers = facts.clusters[0].observed.sites.get_mut(&None).unwrap();
        answers.get_mut(&url(2)).unwrap().status.as_mut().unwrap().paused = true;
    }),
    finds("a switchover is scheduled", "scheduled_switchover", Info, |facts| {
        let cluster = member_of(facts, 1).cluster.as_mut().unwrap();
        cluster.scheduled_switchover = Some("at 2026-12-01T02:00:00+00:00 from pg1 to pg2".to_owned());
    }),
    finds("a setting waits for a restart", "pending_restart", Info, |facts| {
        health_of(facts, 3).is_restart_pending = true;
    }),
    finds("a replica is on an old timeline", "replica_behind", Warning, |facts| {
        relist(facts, |members| members[2].timeline = Some(2));
    }),
    finds("a replica's lag is unknown", "replica_behind", Warning, |facts| {
        relist(facts, |members| members[2].lag_bytes = None);
    }),
    finds("a replica replays from the archive", "replica_behind", Warning, |facts| {
        relist(facts, |members| "in archive recovery".clone_into(&mut members[2].state));
    }),
    finds("a replica did not start", "replica_behind", Warning, |facts| {
        relist(facts, |members| "start failed".clone_into(&mut members[2].state));
    }),
    silent("a replica is copied", |facts| {
        relist(facts, |members| {
            let new = ListedMember {
                name: members[2].name.clone(),
                role: "replica".to_owned(),
                ..Default::default()
            };
            members[2] = ListedMember { state: "creating replica".to_owned(), ..new };
        });
    }),
    silent("a replica is meant to replay from the archive", |facts| {
        relist(facts, |members| {
            "in archive recovery".clone_into(&mut members[2].state);
            tag(&mut members[2], "nostream", "true");
            members[2].timeline = Some(2);
        });
    }),
    silent("Patroni before 3.0.4 says `running` of replicas", |facts| {
        relist(facts, |members| {
            for member in members {
                "running".clone_into(&mut member.state);
            }
        });
    }),
    finds("Patroni 3 and 4 are mixed", "mixed_versions", Warning, |facts| {
        health_of(facts, 2).version = Some("3.3.6".to_owned());
    }),
    finds("minor versions of PostgreSQL are mixed", "mixed_versions", Warning, |facts| {
        health_of(facts, 2).server_version = Some(170_005);
    }),
    silent("patch versions of Patroni are mixed", |facts| {
        health_of(facts, 2).version = Some("4.1.5".to_owned());
    }),
    silent("a member does not know its PostgreSQL yet", |facts| health_of(facts, 2).server_version = None),
    finds("a member's REST API is at loopback", "member_address", Critical, |facts| {
        relist(facts, |members| members[2].api_url = Some("http://127.0.0.1:8008/patroni".to_owned()));
    }),
    finds("two members publish one REST API", "member_address", Critical, |facts| {
        relist(facts, |members| members[2].api_url = members[1].api_url.clone());
    }),
    finds("a member's host is unspecified", "member_address", Critical, |facts| {
        relist(facts, |members| members[2].host = Some("0.0.0.0".to_owned()));
    }),
    finds("a member publishes no host", "member_address", Critical, |facts| {
        relist(facts, |members| members[2].host = None);
    }),
    finds("a member's host resolves to loopback", "member_address", Critical, |facts| {
        resolve(facts, "pg3.db.example.com", "127.0.1.1");
    }),
    silent("a member's host resolves", |facts| resolve(facts, "pg3.db.example.com", "10.0.1.13")),
    silent("an IPv6 address", |facts| {
        relist(facts, |members| {
            members[2].host = Some("fd00:1::13".to_owned());
            members[2].api_url = Some("http://[fd00:1::13]:8008/patroni".to_owned());
        });
    }),
    silent("clients reach a member elsewhere", |facts| {
        relist(facts, |members| members[2].host = Some("127.0.0.1".to_owned()));
        let reached = Reached { host: "10.99.0.13".to_owned(), port: None };
        facts.clusters[0].spec.sites[0].addresses.insert(name(3), reached);
    }),
    silent("all members are on one machine", on_one_machine),
    finds("a member has lost the DCS", "dcs_stale", Warning, |facts| {
        health_of(facts, 2).dcs_age_seconds = Some(21);
    }),
    silent("an old version does not say when it reached the DCS", |facts| {
        health_of(facts, 2).dcs_age_seconds = None;
    }),
    finds("four promotions in a day", "flapping", Warning, |facts| promoted(facts, &[1, 2, 3, 23])),
    silent("four promotions, one of them before that", |facts| promoted(facts, &[1, 2, 3, 25])),
    finds("the REST API needs no credentials", "switchover_open", Warning, |facts| {
        member_of(facts, 2).switchover_status = Some(Ok(411));
    }),
    silent("the REST API's list of addresses lacks this machine", |facts| {
        member_of(facts, 2).switchover_status = Some(Ok(403));
    }),
    finds("a member's clock is behind", "clock_differs", Info, |facts| {
        health_of(facts, 2).clock_ahead_seconds = Some(-6);
    }),
];

type Change = fn(&mut Facts);

/// What keeps something from being known, and the check that needs it.
const UNKNOWN: &[(&str, Change)] = &[
    // No file was read that could have it.
    ("no_rewind", |facts| {
        config_of(facts).use_pg_rewind = None;
        node_of(facts).patroni.clear();
    }),
    ("failsafe_mode_off", |facts| *facts.clusters[0].config.get_mut(&None).unwrap() = Err(refused())),
    ("dcs_stale", |facts| member_of(facts, 2).health = Err(refused())),
    ("switchover_open", |facts| member_of(facts, 2).switchover_status = Some(Ok(500))),
    ("flapping", |facts| member_of(facts, 1).history = None),
    ("member_address", |facts| {
        relist(facts, |members| members[2].host = Some("pg3".to_owned()));
        facts.clusters[0].observed.names.insert("pg3".to_owned(), Err(refused()));
    }),
    ("watchdog_missing", |facts| *node_of(facts).patroni.values_mut().next().unwrap() = Err(refused())),
    ("unit_not_running", |facts| {
        node_of(facts).units.insert("systemctl".to_owned(), Err(refused()));
    }),
    // This process may not use the socket; Patroni's user may.
    ("callback_without_daemon", |facts| {
        let failure = Failure { kind: Kind::Unauthenticated, ..refused() };
        node_of(facts).socket = Some(("/run/repoint/control.sock".to_owned(), Err(failure)));
    }),
];

#[test]
fn what_was_not_read_is_not_checked() {
    for (id, change) in UNKNOWN {
        let mut facts = right();
        change(&mut facts);
        let report = examine(&facts, CHECKS, &[]);
        assert!(report.findings.is_empty(), "{id}: {:?}", report.findings);
        assert!(report.not_checked.iter().any(|gap| gap.ids.contains(id)), "{id}: {:?}", report.not_checked);
    }
}
