//! Whether the servers of a backend of HAProxy may be changed so.
//!
//! Invariants: only members that belong there get connections (3), one always does (5), and it does before another one
//! gets none (6).

use std::collections::BTreeMap;

use super::evidence::{ips_of, may_be_read_from, may_still_be_read_from, usable_anywhere};
use super::{Refusal, Seen};
use crate::spec::{BackendSpec, BackendStrategy, GroupRole, Spec};
use crate::values::cluster::Address;
use crate::values::haproxy::{BackendKey, ServerChange, ServerState, Setting, is_name};
use crate::values::target::Target;

/// Whether a backend is one of readers.
pub(super) fn is_of_readers(key: &BackendKey, spec: &Spec) -> bool {
    let mut backends = spec.backends.iter();
    backends.any(|backend| backend.key == *key && matches!(backend.role, GroupRole::Reader { .. }))
}

/// Applies the changes to what was read, which is what HAProxy does at this moment.
pub(super) fn backend(
    key: &BackendKey,
    changes: &[ServerChange],
    spec: &Spec,
    seen: &Seen,
) -> Result<(), Refusal> {
    let name = || key.to_string();
    let configured = spec.backends.iter().find(|backend| backend.key == *key);
    let configured = configured.ok_or_else(|| Refusal::NotOurs(name()))?;
    let Some(Ok(read)) = seen.observed.backends.get(key) else { return Err(Refusal::Unread(name())) };
    let mut servers: BTreeMap<&str, Setting> =
        read.servers.iter().map(|server| (server.name.as_str(), server.setting())).collect();
    let places = changes.iter().filter_map(|change| Some(change.after.target.as_ref()?.id.as_str()));
    usable_anywhere(&name(), places, spec, seen)?;
    for change in changes {
        let before = servers.get(change.server.as_str()).cloned();
        if before != change.before {
            return Err(Refusal::Rewrites(name()));
        }
        may_be_ours(change, configured)?;
        if change.after.state == ServerState::Gone && is_of_member(change, configured, seen) {
            return Err(Refusal::ClosesServer { backend: name(), server: change.server.clone() });
        }
        let at = change.after.target.as_ref().map_or_else(String::new, ToString::to_string);
        let wrong = || Refusal::WrongNode { endpoint: name(), at: at.clone() };
        let belongs = |setting: &Setting| {
            setting.target.as_ref().is_some_and(|target| belongs(target, configured, setting.state, seen))
        };
        if change.after.state == ServerState::Up {
            if !belongs(&change.after) {
                return Err(wrong());
            }
            if before.as_ref() == Some(&change.after) {
                return Err(Refusal::Repeats(name()));
            }
        } else {
            let closes =
                before.as_ref().filter(|before| before.state == ServerState::Up || before.sessions > 0);
            let is_of_primary = configured.role == GroupRole::Writer && closes.is_some_and(belongs);
            if is_of_primary {
                return Err(Refusal::ClosesServer { backend: name(), server: change.server.clone() });
            }
            let is_open = |(other, setting): (&&str, &Setting)| {
                **other != change.server && setting.state == ServerState::Up && belongs(setting)
            };
            if closes.is_some() && !servers.iter().any(is_open) {
                return Err(Refusal::ClosesServerFirst { backend: name(), server: change.server.clone() });
            }
        }
        servers.insert(&change.server, change.after.clone());
    }
    Ok(())
}

/// An exclusive backend has one server that is changed; none is added to it.
fn may_be_ours(change: &ServerChange, configured: &BackendSpec) -> Result<(), Refusal> {
    let is_ours = match &configured.strategy {
        BackendStrategy::Exclusive { server } => change.server == *server && change.before.is_some(),
        BackendStrategy::Warm { server_options } => match change.before {
            Some(_) if change.after.state == ServerState::Gone => server_options.is_some(),
            Some(_) => change.options.is_none(),
            None => server_options.is_some() && change.options == *server_options && is_name(&change.server),
        },
    };
    if is_ours {
        Ok(())
    } else {
        Err(Refusal::NotOurs(format!("server {} of {}", change.server, configured.key)))
    }
}

/// Whether a server is that of a listed member.
fn is_of_member(change: &ServerChange, configured: &BackendSpec, seen: &Seen) -> bool {
    let answers = seen.observed.answers_of(seen.primary.site.as_ref()).values();
    let mut listed = answers.filter_map(|answer| answer.view.as_ref().ok()).flat_map(|view| &view.members);
    let target = change.before.as_ref().and_then(|before| before.target.as_ref());
    listed.any(|listed| {
        listed.name.as_str() == change.server
            || target
                .zip(listed.address.as_ref())
                .is_some_and(|(target, address)| is_at(target, address, configured, seen))
    })
}

/// Whether a server's place is that of the PostgreSQL at an address.
fn is_at(target: &Target, address: &Address, configured: &BackendSpec, seen: &Seen) -> bool {
    target.port == configured.port.unwrap_or(address.port)
        && target.id.parse().is_ok_and(|ip| ips_of(&address.host, seen.observed).contains(&ip))
}

/// Whether what listens there may get connections: the primary; of a backend of readers, a member that may be read from.
fn belongs(target: &Target, configured: &BackendSpec, now: ServerState, seen: &Seen) -> bool {
    let Seen { observed, primary, .. } = *seen;
    let is_at = |address: &Address| is_at(target, address, configured, seen);
    let is_primary = primary.address.as_ref().is_some_and(is_at);
    let views =
        observed.answers_of(primary.site.as_ref()).values().filter_map(|answer| answer.view.as_ref().ok());
    let listed = views.flat_map(|view| &view.members);
    let mut there = listed.filter(|listed| listed.address.as_ref().is_some_and(is_at));
    match configured.role {
        GroupRole::Writer => is_primary,
        GroupRole::Reader { primary_fallback, .. } if is_primary => primary_fallback,
        GroupRole::Reader { max_lag_bytes, .. } => there.any(|listed| {
            let stays = now == ServerState::Up && may_still_be_read_from(listed, seen);
            may_be_read_from(listed, max_lag_bytes) || stays
        }),
    }
}
