//! What only a machine itself can say.

use repoint_domain::doctor::check::Severity::{Critical, Info, Warning};
use repoint_domain::doctor::facts::Facts;
use repoint_domain::doctor::facts::node::{HaproxySection, Unit};
use repoint_domain::spec::BackendStrategy;
use repoint_domain::values::failure::{Failure, Kind};

use super::{Case, finds, silent};
use crate::support::setup::{config_of, file_of, haproxy_of, member_of, node_of};

fn unit(facts: &mut Facts, name: &str, active: &str, enabled: &str) {
    let unit = Unit { active: active.to_owned(), enabled: enabled.to_owned() };
    node_of(facts).units.insert(name.to_owned(), Ok(unit));
}

fn failure(kind: Kind) -> Failure {
    Failure::new(kind, "connect", "a test", "a reason")
}

fn hosts(facts: &mut Facts, address: &str, name: &str) {
    let lines = node_of(facts).hosts.as_mut().unwrap().as_mut().unwrap();
    lines.push((address.to_owned(), vec![name.to_owned()]));
}

fn make_exclusive(facts: &mut Facts) {
    facts.clusters[0].spec.backends[0].strategy = BackendStrategy::Exclusive { server: "primary".to_owned() };
}

fn unprobed(facts: &mut Facts) {
    (1..=3).for_each(|number| member_of(facts, number).switchover_status = None);
}

pub const CASES: &[Case] = &[
    finds("no callback, and a topic for it", "callback_missing", Warning, |facts| {
        file_of(facts).callbacks.clear();
    }),
    finds("a callback for starts alone", "callback_missing", Warning, |facts| {
        facts.configured.callback_topic = None;
        file_of(facts).callbacks.remove("on_role_change");
    }),
    silent("no callback, where the daemon asks Patroni", |facts| {
        facts.configured.callback_topic = None;
        file_of(facts).callbacks.clear();
    }),
    silent("callbacks are in the dynamic configuration", |facts| {
        let callbacks = std::mem::take(&mut file_of(facts).callbacks);
        config_of(facts).callbacks = callbacks;
    }),
    silent("a file of another cluster", |facts| {
        let file = file_of(facts);
        file.scope = Some("robin".to_owned());
        file.callbacks.clear();
        file.watchdog_mode = Some("off".to_owned());
    }),
    finds("an old worker of HAProxy stays", "haproxy_keeps_old_workers", Warning, |facts| {
        haproxy_of(facts).has_hard_stop = false;
    }),
    finds("a new worker of HAProxy opens every server", "haproxy_reload_opens_all", Warning, |facts| {
        haproxy_of(facts).sections.get_mut("postgres_primary").unwrap().loads_state = false;
    }),
    finds(
        "HAProxy keeps the sessions of a server that is down",
        "haproxy_keeps_sessions",
        Warning,
        |facts| {
            haproxy_of(facts).sections.get_mut("postgres_primary").unwrap().cuts_sessions = false;
        },
    ),
    finds("a new worker of HAProxy has an old address", "haproxy_forgets_address", Warning, |facts| {
        make_exclusive(facts);
        let section = haproxy_of(facts).sections.get_mut("postgres_primary").unwrap();
        section.forgets_address.insert("primary".to_owned());
    }),
    finds("HAProxy asks whether PostgreSQL runs", "haproxy_check_unfit", Critical, |facts| {
        haproxy_of(facts).sections.get_mut("postgres_primary").unwrap().check_path =
            Some("/health".to_owned());
    }),
    finds("HAProxy only connects", "haproxy_check_unfit", Critical, |facts| {
        haproxy_of(facts).sections.get_mut("postgres_primary").unwrap().check_path = None;
    }),
    silent("the servers of a warm backend have addresses", |facts| {
        let section = haproxy_of(facts).sections.get_mut("postgres_primary").unwrap();
        section.forgets_address.insert("pg1".to_owned());
    }),
    silent("the address of an exclusive backend's server outlasts a reload", make_exclusive),
    silent("a backend that is not configured here", |facts| {
        haproxy_of(facts).sections.insert("web".to_owned(), HaproxySection::default());
    }),
    silent("no backend is configured", |facts| node_of(facts).haproxy = None),
    finds("the daemon's socket is not open to Patroni's user", "callback_without_daemon", Warning, |facts| {
        node_of(facts).socket = Some(("/run/repoint/control.sock".to_owned(), Err(failure(Kind::Denied))));
    }),
    silent("no daemon, and no callback that calls it", |facts| {
        node_of(facts).socket = Some(("/run/repoint/control.sock".to_owned(), Err(failure(Kind::NotFound))));
        facts.configured.callback_topic = None;
        file_of(facts).callbacks.clear();
    }),
    silent("a daemon answers", |facts| {
        node_of(facts).socket = Some(("/run/repoint/control.sock".to_owned(), Ok(())));
    }),
    finds("the watchdog is off", "watchdog_missing", Warning, |facts| {
        file_of(facts).watchdog_mode = Some("off".to_owned());
    }),
    finds("there is no watchdog device", "watchdog_missing", Warning, |facts| {
        node_of(facts).watchdog = Some(("/dev/watchdog".to_owned(), Err(failure(Kind::NotFound))));
    }),
    finds("the watchdog device is root's", "watchdog_missing", Warning, |facts| {
        node_of(facts).watchdog = Some(("/dev/watchdog".to_owned(), Ok(false)));
    }),
    finds("nothing guards the REST API", "restapi_unguarded", Warning, |facts| {
        unprobed(facts);
        file_of(facts).has_restapi_authentication = false;
    }),
    silent("client certificates guard the REST API", |facts| {
        unprobed(facts);
        let file = file_of(facts);
        file.has_restapi_authentication = false;
        file.restapi_verify_client = Some("optional".to_owned());
    }),
    silent("the probe found the REST API guarded", |facts| file_of(facts).has_restapi_authentication = false),
    finds("the own name is at 127.0.1.1", "own_name_on_loopback", Warning, |facts| {
        hosts(facts, "127.0.1.1", "pg1");
        file_of(facts).postgresql_connect_address = Some("pg1:5432".to_owned());
    }),
    silent("the own name is at 127.0.1.1, and Patroni publishes an address", |facts| {
        hosts(facts, "127.0.1.1", "pg1");
    }),
    silent("the own name is at its address", |facts| {
        hosts(facts, "10.0.1.11", "pg1");
        file_of(facts).postgresql_connect_address = Some("pg1:5432".to_owned());
    }),
    finds("etcd has two hosts", "dcs_members_even", Warning, |facts| {
        file_of(facts).dcs_hosts.as_mut().unwrap().truncate(2);
    }),
    silent("etcd is asked through one host", |facts| file_of(facts).dcs_hosts.as_mut().unwrap().truncate(1)),
    silent("the DCS is not etcd", |facts| file_of(facts).dcs_hosts = None),
    finds("the clock is not synchronised", "clock_not_synchronised", Warning, |facts| {
        node_of(facts).is_clock_synchronised = Some(Ok(false));
    }),
    finds("the daemon has failed", "unit_not_running", Warning, |facts| {
        unit(facts, "repoint.service", "failed", "enabled");
    }),
    finds("the timer is stopped", "unit_not_running", Warning, |facts| {
        unit(facts, "repoint-run.timer", "inactive", "enabled");
    }),
    silent("Debian's patroni.service rests beside an instance", |facts| {
        unit(facts, "patroni.service", "inactive", "enabled");
        unit(facts, "patroni@17-main.service", "active", "enabled-runtime");
    }),
    silent("a unit that is not there", |facts| unit(facts, "repoint.service", "inactive", "not-found")),
    silent("what a timer starts", |facts| {
        unit(facts, "repoint-run.timer", "active", "enabled");
        unit(facts, "repoint-run.service", "inactive", "static");
    }),
    finds("Patroni does not start after a reboot", "unit_not_enabled", Info, |facts| {
        unit(facts, "patroni.service", "active", "disabled");
    }),
    silent("without --local", |facts| facts.node = None),
];
