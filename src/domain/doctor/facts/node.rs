//! What only a machine itself can say.

use std::collections::{BTreeMap, BTreeSet};

use crate::observed::Read;
use crate::values::cluster::Scope;

/// What was read of this machine.
#[derive(Clone, Debug, Default)]
pub struct NodeFacts {
    /// Its host name.
    pub host: String,
    /// Patroni's configuration files, by path.
    pub patroni: BTreeMap<String, Read<PatroniYml>>,
    /// Units of systemd, by name.
    pub units: BTreeMap<String, Read<Unit>>,
    /// The daemon's control socket, where callbacks call it, by path: whether a daemon answers there, and the user of Patroni
    /// may use it.
    pub socket: Option<(String, Read<()>)>,
    /// Whether the kernel says that the clock is synchronised.
    pub is_clock_synchronised: Option<Read<bool>>,
    /// `/etc/hosts`: names by address.
    pub hosts: Option<Read<Vec<HostsLine>>>,
    /// HAProxy's configuration, by path, where a backend is configured.
    pub haproxy: Option<(String, Read<HaproxyCfg>)>,
    /// The watchdog device, by path: whether the user of Patroni may write it.
    pub watchdog: Option<(String, Read<bool>)>,
}

/// A line of `/etc/hosts`: an address, and its names.
pub type HostsLine = (String, Vec<String>);

impl NodeFacts {
    /// The files of a Patroni cluster that could be read.
    pub fn files_of<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a PatroniYml> {
        let files = self.patroni.values().filter_map(|yml| yml.as_ref().ok());
        files.filter(move |yml| yml.scope.as_deref() == Some(scope.as_str()))
    }
}

/// What matters of `haproxy.cfg` (HAProxy, Configuration Manual).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HaproxyCfg {
    /// Whether an old worker ends (`hard-stop-after`).
    pub has_hard_stop: bool,
    /// The sections `listen` and `backend`, by name.
    pub sections: BTreeMap<String, HaproxySection>,
}

/// A section of it, with what its defaults say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HaproxySection {
    /// Whether a new worker begins with the state of its servers (`load-server-state-from-file`).
    pub loads_state: bool,
    /// Whether the sessions of a server that is down end (`on-marked-down shutdown-sessions`).
    pub cuts_sessions: bool,
    /// What servers are asked for over HTTP (`option httpchk`, `http-check send`); absent: they are connected to alone.
    pub check_path: Option<String>,
    /// The servers that a new worker expects at their configured address, whatever the state file says: it takes the address of
    /// a server from there only if the configuration has a name for it, and `init-addr` the word `last`, as by default
    /// (HAProxy, `server.c`, `srv_init_addr`).
    pub forgets_address: BTreeSet<String>,
}

/// A unit of systemd.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// `active`, `inactive`, `failed`.
    pub active: String,
    /// `enabled`, `disabled`, `masked`, `not-found`.
    pub enabled: String,
}

/// What matters of `patroni.yml` (Patroni, `yaml_configuration`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatroniYml {
    /// `scope`.
    pub scope: Option<String>,
    /// `name`.
    pub name: Option<String>,
    /// `postgresql.callbacks`: commands by action.
    pub callbacks: BTreeMap<String, String>,
    /// `watchdog.mode`: `off`, `automatic` (unless set) or `required`.
    pub watchdog_mode: Option<String>,
    /// `watchdog.device`.
    pub watchdog_device: Option<String>,
    /// `postgresql.use_pg_rewind`.
    pub use_pg_rewind: Option<bool>,
    /// `restapi.connect_address`.
    pub restapi_connect_address: Option<String>,
    /// `postgresql.connect_address`.
    pub postgresql_connect_address: Option<String>,
    /// Whether `restapi.authentication` is set.
    pub has_restapi_authentication: bool,
    /// `restapi.verify_client`: `none`, `optional` or `required`.
    pub restapi_verify_client: Option<String>,
    /// Whether `restapi.allowlist` or `restapi.allowlist_include_members` is set.
    pub has_restapi_allowlist: bool,
    /// The hosts of etcd, where the file lists them.
    pub dcs_hosts: Option<Vec<String>>,
}
