//! What HAProxy says of a backend.

use std::collections::BTreeMap;
use std::net::IpAddr;

use repoint_domain::values::haproxy::{Backend, Server, ServerState, Setting};
use repoint_domain::values::target::Target;
use repoint_domain::values::text;

/// The columns of `show servers state` (version 1 of the format), counted from 0.
mod column {
    pub const NAME: usize = 3;
    pub const ADDRESS: usize = 4;
    pub const OPERATIONAL: usize = 5;
    pub const ADMINISTRATIVE: usize = 6;
    pub const CHECK: usize = 13;
    pub const PORT: usize = 18;
}

/// `SRV_ADMF_FMAINT` and `SRV_ADMF_RMAINT`: maintenance, by the socket, or while the name is not resolved.
const MAINTENANCE: u32 = 0x01 | 0x20;
/// `SRV_ADMF_CMAINT`: `disabled` in the configuration. It stays set when the server is made ready.
const DISABLED: u32 = 0x04;
/// `SRV_ADMF_FDRAIN` and `SRV_ADMF_IDRAIN`.
const DRAIN: u32 = 0x08 | 0x10;
/// `SRV_ST_STOPPED`, and `SRV_ST_RUNNING`; between them a server starts or stops, and takes connections.
const STOPPED: u32 = 0;
/// `CHK_ST_ENABLED`.
const CHECKED: u32 = 0x04;

/// Reads the answers to [`read`](super::commands::read).
pub fn backend(said: &str) -> Result<Backend, String> {
    let pid = said.lines().find_map(|line| line.strip_prefix("Pid: ")?.trim().parse().ok());
    let Some(begin) = said.find("\n# be_id ") else {
        let said = said.lines().find(|line| line.contains("find")).or_else(|| said.lines().next_back());
        return Err(format!("HAProxy answered: {}", text::message(said.unwrap_or("nothing").trim())));
    };
    let pid = pid.ok_or("`show info` has no Pid")?;
    let (list, statistics) = said[begin + 1..].split_once("\n\n").unwrap_or((&said[begin + 1..], ""));
    let sessions = sessions(statistics)?;
    let servers = list.lines().skip(1).filter(|line| !line.trim().is_empty());
    let servers = servers.map(|line| {
        server(line, &sessions)
            .ok_or_else(|| format!("`show servers state` has the line {}", text::message(line)))
    });
    Ok(Backend { pid, servers: servers.collect::<Result<_, _>>()? })
}

fn server(line: &str, sessions: &BTreeMap<&str, u32>) -> Option<Server> {
    let columns: Vec<&str> = line.split_ascii_whitespace().collect();
    let number = |column: usize| columns.get(column)?.parse::<u32>().ok();
    let name = (*columns.get(column::NAME)?).to_owned();
    let admin = number(column::ADMINISTRATIVE)?;
    let is_stopped = number(column::OPERATIONAL)? == STOPPED;
    let state = match () {
        () if admin & MAINTENANCE != 0 || (admin & DISABLED != 0 && is_stopped) => ServerState::Maintenance,
        () if admin & DRAIN != 0 => ServerState::Drain,
        () if is_stopped => ServerState::Down,
        () => ServerState::Up,
    };
    let address: Option<IpAddr> = columns.get(column::ADDRESS)?.parse().ok();
    let port = u16::try_from(number(column::PORT)?).ok()?;
    Some(Server {
        target: address.map(|address| Target { id: address.to_string(), port }),
        state,
        is_checked: number(column::CHECK)? & CHECKED != 0,
        sessions: sessions.get(name.as_str()).copied().unwrap_or_default(),
        name,
    })
}

/// The present sessions of each server (`show stat`, `svname` and `scur`).
fn sessions(statistics: &str) -> Result<BTreeMap<&str, u32>, String> {
    let mut lines = statistics.lines().filter(|line| !line.is_empty());
    let header: Vec<&str> = lines.next().unwrap_or_default().trim_start_matches("# ").split(',').collect();
    let place = |name: &str| {
        header
            .iter()
            .position(|column| *column == name)
            .ok_or_else(|| format!("`show stat` has no column {name}"))
    };
    let (name, current) = (place("svname")?, place("scur")?);
    let session = |line| {
        let columns: Vec<&str> = str::split(line, ',').collect();
        Some((*columns.get(name)?, columns.get(current)?.parse().ok()?))
    };
    Ok(lines.filter_map(session).collect())
}

/// What is not as it was to be.
pub fn differs(server: Option<&Server>, wanted: &Setting) -> Option<String> {
    let Some(server) = server else {
        return (wanted.state != ServerState::Gone).then(|| "the server is not there".to_owned());
    };
    let is_closed = |state: ServerState| state != ServerState::Up;
    let is_so = server.target == wanted.target
        && (server.state == wanted.state || (is_closed(server.state) && wanted.state == ServerState::Down));
    (!is_so).then(|| format!("the server is {}, and not {wanted}", server.setting()))
}
