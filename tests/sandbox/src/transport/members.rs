//! Patroni's members, and DNS.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use repoint::limits::Asked;
use repoint::ports::{Patroni, Resolver};
use repoint_domain::observed::{ClusterMember, ClusterView, MemberAnswer, MemberStatus, Read, Wal};
use repoint_domain::values::cluster::{
    Address, ApiUrl, ClusterRole, MemberName, PostgresState, Role, Scope, SystemId, Timeline,
};
use repoint_domain::values::failure::{Failure, Kind};
use tokio::time::sleep;

use super::Link;
use crate::patroni::Lag;
use crate::patroni::rest::{self, Silence};
use crate::simulation::Answering;

/// How long `repoint` waits for a member, by default.
const TIMEOUT: Duration = Duration::from_secs(2);

#[async_trait]
impl Patroni for Link {
    async fn ask(&self, url: &ApiUrl, asked: &Asked) -> MemberAnswer {
        asked.now();
        let at: Option<IpAddr> = url.host().parse().ok();
        let (health, view) = tokio::join!(self.get(url, "GET /primary"), self.get(url, "GET /cluster"));
        MemberAnswer {
            peer: at.filter(|_| health.is_ok() || view.is_ok()).map(|ip| SocketAddr::new(ip, url.port())),
            status: health
                .and_then(|answer| answer.0.map_err(|silence| silent(url, "GET /primary", silence))),
            view: view.and_then(|answer| answer.1.map_err(|silence| silent(url, "GET /cluster", silence))),
        }
    }

    async fn status(&self, url: &ApiUrl) -> Read<MemberStatus> {
        let health = self.get(url, "GET /primary").await?;
        health.0.map_err(|silence| silent(url, "GET /primary", silence))
    }
}

type Answer = (Result<MemberStatus, Silence>, Result<ClusterView, Silence>);

impl Link {
    async fn get(&self, url: &ApiUrl, name: &str) -> Read<Answer> {
        if self.world().answering_at(url.host()).is_none() {
            return Err(silent(url, name, Silence::Refused));
        }
        let (host, observer) = (url.host().to_owned(), self.reconciler);
        let is_health = name == "GET /primary";
        let answer = self
            .call(name, &url.to_string(), None, move |world, now| {
                // Only one of the two is asked for; the other is not worth making.
                let nothing = (Err(Silence::Closed), Err(Silence::Closed));
                let Some(Answering { cluster, member, node }) = world.answering_at(&host) else {
                    return Ok(nothing);
                };
                if node.is_some_and(|node| world.is_cut_off(node.side)) {
                    return Ok((Err(Silence::TimedOut), Err(Silence::TimedOut)));
                }
                if is_health {
                    let health = cluster.health(now, member, observer);
                    return Ok((health.map(|(is_primary, health)| own(is_primary, &health)), nothing.1));
                }
                Ok((nothing.0, cluster.view(now, member, observer).map(|view| listed(&view))))
            })
            .await?;
        if answer.1.as_ref().is_ok_and(|view| !view.members.is_empty()) {
            let mut world = self.world();
            if let Some(node) = world.answering_at(url.host()).and_then(|answering| answering.node) {
                world.answered(&self.identity, node);
            }
        }
        let silence = if is_health { answer.0.as_ref().err() } else { answer.1.as_ref().err() };
        if silence == Some(&Silence::TimedOut) {
            sleep(TIMEOUT).await;
        }
        Ok(answer)
    }
}

fn silent(url: &ApiUrl, call: &str, silence: Silence) -> Failure {
    let message = match silence {
        Silence::Refused => "Connection refused",
        Silence::TimedOut => "no complete answer before the timeout",
        Silence::Closed => "connection closed before message completed",
    };
    Failure::new(Kind::Unavailable, call, url.to_string(), message)
}

fn own(answers_primary: bool, health: &rest::Health) -> MemberStatus {
    MemberStatus {
        answers_primary,
        role: Role::from(health.role),
        state: PostgresState::from(health.state),
        timeline: health.timeline.filter(|timeline| *timeline > 0).map(Timeline),
        system_id: health.system_id.map(|id| SystemId::new(id.to_string())),
        scope: Some(Scope::new(&*health.scope)),
        name: health.name.as_ref().map(|name| MemberName::new(&**name)),
        feeds: health
            .postmaster
            .iter()
            .flat_map(|postmaster| &postmaster.followers)
            .map(|follower| MemberName::new(&*follower.name))
            .collect(),
        wal: health.postmaster.as_ref().map(|postmaster| wal(postmaster.wal)).unwrap_or_default(),
        paused: health.paused,
        failsafe: health.failsafe_active,
    }
}

fn wal(wal: rest::Wal) -> Wal {
    match wal {
        rest::Wal::Primary(written) => Wal { written: Some(written), ..Wal::default() },
        rest::Wal::Replica(at) => Wal { received: Some(at), replayed: Some(at), ..Wal::default() },
    }
}

fn listed(view: &rest::View) -> ClusterView {
    let address = |member: &rest::Listed| Some(Address { host: member.host.to_string(), port: member.port });
    let members = view.members.iter().map(|member| ClusterMember {
        name: MemberName::new(&*member.name),
        role: ClusterRole::from(member.role),
        state: PostgresState::from(member.state),
        api_url: ApiUrl::parse(&member.api_url).ok(),
        reported: address(member),
        address: address(member),
        timeline: member.timeline.filter(|timeline| *timeline > 0).map(Timeline),
        lag_bytes: member.location.and_then(|location| bytes(location.lag)),
        replay_lag_bytes: member
            .location
            .filter(|location| view.version.has_locations() && location.receives)
            .and_then(|location| bytes(location.lag)),
        noloadbalance: member.tags.noloadbalance,
        nofailover: member.tags.nofailover,
    });
    ClusterView {
        scope: view.scope.as_ref().map(|scope| Scope::new(&**scope)),
        members: members.collect(),
        paused: view.paused,
        scheduled_switchover: None,
    }
}

fn bytes(lag: Lag) -> Option<u64> {
    match lag {
        Lag::Bytes(bytes) => Some(bytes),
        Lag::Unknown => None,
    }
}

#[async_trait]
impl Resolver for Link {
    /// Members are known by their addresses here.
    async fn resolve(&self, host: &str) -> Read<Vec<IpAddr>> {
        Err(silent_host(host))
    }
}

fn silent_host(host: &str) -> Failure {
    Failure::new(Kind::NotFound, "DNS", host, "no such host")
}
