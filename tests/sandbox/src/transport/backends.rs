//! Backends of HAProxy, whose servers stay as they were put: no check changes them here.

use async_trait::async_trait;
use repoint::limits::LeaseGuard;
use repoint::ports::Backends;
use repoint_domain::observed::Read;
use repoint_domain::values::failure::{Failure, Kind};
use repoint_domain::values::haproxy::{Backend, BackendKey, Server, ServerChange, ServerState};

use super::Link;

const READ: &str = "show servers state";
const CHANGE: &str = "set server";

#[async_trait]
impl Backends for Link {
    async fn read(&self, key: &BackendKey) -> Read<Backend> {
        let wanted = key.clone();
        self.call(READ, &key.to_string(), None, move |world, _| {
            let found = world.resources.backends.get(&wanted).cloned();
            found.ok_or_else(|| {
                Failure::new(Kind::NotFound, READ, wanted.to_string(), "there is no such socket")
            })
        })
        .await
    }

    async fn change(
        &self,
        key: &BackendKey,
        change: &ServerChange,
        guard: &LeaseGuard,
    ) -> Result<(), Failure> {
        let (wanted, change) = (key.clone(), change.clone());
        self.call(CHANGE, &key.to_string(), Some(guard), move |world, _| {
            let backend = world.resources.backends.entry(wanted).or_default();
            if change.after.state == ServerState::Gone {
                backend.servers.retain(|server| server.name != change.server);
                return Ok(());
            }
            let mut others = backend.servers.iter_mut();
            let after = Server {
                name: change.server.clone(),
                target: change.after.target.clone(),
                state: change.after.state,
                is_checked: true,
                sessions: 0,
            };
            match others.find(|server| server.name == change.server) {
                Some(server) => *server = Server { is_checked: server.is_checked, ..after },
                None => backend.servers.push(after),
            }
            Ok(())
        })
        .await
    }
}
