//! The commands of a read and of a change.

use std::iter::once;

use repoint_domain::values::haproxy::{ServerChange, ServerState};

/// Everything that is read of a backend: the worker, its servers, and their sessions (`show stat`, of the type server).
pub fn read(backend: &str) -> String {
    format!("show info; show servers state {backend}; show stat {backend} 4 -1")
}

/// One line, which HAProxy does at once. What gets no connections any more loses those that it has.
pub fn change(backend: &str, change: &ServerChange) -> String {
    let ServerChange { server, before, options, after } = change;
    let it = format!("{backend}/{server}");
    let mut commands = Vec::new();
    let moves = match (before, &after.target) {
        (None, Some(target)) => {
            commands.push(format!("add server {it} {target} {}", options.as_deref().unwrap_or_default()));
            commands.push(format!("enable health {it}"));
            true
        }
        (Some(before), Some(target)) if before.target.as_ref() != Some(target) => {
            // In maintenance, and without sessions, so that no client is at the one and counts as being at the other.
            commands.extend(close(&it));
            commands.push(format!("set server {it} addr {} port {}", target.id, target.port));
            true
        }
        _ => false,
    };
    let is_ready = !moves
        && before.as_ref().is_some_and(|before| matches!(before.state, ServerState::Up | ServerState::Down));
    let ready = (!is_ready).then(|| format!("set server {it} state ready"));
    match after.state {
        ServerState::Up => {
            commands.extend(ready.into_iter().chain(once(format!("set server {it} health up"))));
        }
        ServerState::Down => {
            commands.extend(ready);
            commands.push(format!("set server {it} health down"));
            commands.push(format!("shutdown sessions server {it}"));
        }
        ServerState::Maintenance => commands.extend(close(&it)),
        ServerState::Gone => {
            commands.extend(close(&it));
            commands.push(format!("del server {it}"));
        }
        ServerState::Drain => commands.push(format!("set server {it} state drain")),
    }
    commands.join("; ")
}

fn close(it: &str) -> [String; 2] {
    [format!("set server {it} state maint"), format!("shutdown sessions server {it}")]
}
