//! Clusters that span sites: `east` and `west`, each with a pg1 and a pg2.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use repoint_domain::observed::{Answers, ClusterMember, ClusterView, MemberAnswer, MemberStatus, Observed};
use repoint_domain::spec::{Site, Spec};
use repoint_domain::values::cluster::{Address, ApiUrl, ClusterRole, Role, Scope, SiteName, Timeline};

use super::evidence::{alias, listed, name, primary, refused, replica, spec};

/// How a site stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// pg`0` is the primary, on timeline `1`.
    Leads(u8, u32),
    /// pg1 leads a standby cluster that replays timeline `0`.
    Follows(u32),
    /// Both claim to be the primary, on timeline `0`.
    Quarrels(u32),
    /// pg2 claims to be the primary, on timeline `0`, and pg1 leads a standby cluster that replays timeline `1`.
    Torn(u32, u32),
    /// pg1 holds the leader key and is being promoted.
    Promotes(u32),
    /// Members answer, and nobody leads.
    Leaderless(u32),
    /// Nobody answers.
    Dark,
}

pub fn east() -> SiteName {
    SiteName::new("east")
}

pub fn west() -> SiteName {
    SiteName::new("west")
}

/// The third octet of a site's addresses.
fn net(site: &SiteName) -> u8 {
    match site.as_str() {
        "east" => 1,
        "west" => 2,
        _ => 3,
    }
}

pub fn site_host(site: &SiteName, number: u8) -> String {
    format!("10.0.{}.{}", net(site), 10 + number)
}

pub fn site_url(site: &SiteName, number: u8) -> ApiUrl {
    ApiUrl::parse(&format!("http://{}:8008", site_host(site, number))).unwrap()
}

/// The load balancer of a site.
pub fn balancer(site: &SiteName) -> String {
    format!("pg-{site}.example.com")
}

/// `batman` in these sites.
pub fn spec_of(sites: &[SiteName]) -> Spec {
    let site = |site: &SiteName| Site {
        name: Some(site.clone()),
        region: None,
        scope: Scope::new("batman"),
        members: (1..=2).map(|number| site_url(site, number)).collect(),
        discover: None,
        addresses: BTreeMap::new(),
        alias: Some(alias(&balancer(site))),
    };
    Spec { sites: sites.iter().map(site).collect(), ..spec() }
}

/// What a site's members answer.
pub fn answers_of(site: &SiteName, how: How) -> Answers {
    (1..=2).map(|number| (site_url(site, number), answer(site, number, how))).collect()
}

fn answer(site: &SiteName, number: u8, how: How) -> MemberAnswer {
    let status = match how {
        How::Leads(leader, timeline) if leader == number => primary(timeline),
        How::Quarrels(timeline) => primary(timeline),
        How::Torn(timeline, _) if number == 2 => primary(timeline),
        How::Torn(_, timeline) => MemberStatus { role: Role::StandbyLeader, ..replica(timeline) },
        How::Follows(timeline) if number == 1 => {
            MemberStatus { role: Role::StandbyLeader, ..replica(timeline) }
        }
        How::Promotes(timeline) if number == 1 => MemberStatus { answers_primary: true, ..replica(timeline) },
        How::Leads(_, timeline)
        | How::Follows(timeline)
        | How::Promotes(timeline)
        | How::Leaderless(timeline) => replica(timeline),
        How::Dark => return MemberAnswer { peer: None, status: Err(refused()), view: Err(refused()) },
    };
    let peer: SocketAddr = format!("{}:8008", site_host(site, number)).parse().unwrap();
    let status = MemberStatus { name: Some(name(number)), ..status };
    MemberAnswer { peer: Some(peer), status: Ok(status), view: Ok(view(site, how)) }
}

fn view(site: &SiteName, how: How) -> ClusterView {
    let leader = match how {
        How::Leads(leader, timeline) => Some((leader, ClusterRole::Leader, timeline)),
        How::Quarrels(timeline) | How::Promotes(timeline) => Some((1, ClusterRole::Leader, timeline)),
        How::Follows(timeline) | How::Torn(_, timeline) => Some((1, ClusterRole::StandbyLeader, timeline)),
        How::Leaderless(_) | How::Dark => None,
    };
    let entry = |number| {
        let role = leader.as_ref().filter(|(leader, ..)| *leader == number);
        let role = role.map_or(ClusterRole::Replica, |(_, role, _)| role.clone());
        let timeline = leader.as_ref().map_or(1, |(_, _, timeline)| *timeline);
        ClusterMember {
            api_url: Some(site_url(site, number)),
            address: Some(Address { host: site_host(site, number), port: 5432 }),
            timeline: Some(Timeline(timeline)),
            ..listed(number, role, timeline)
        }
    };
    ClusterView {
        scope: Some(Scope::new("batman")),
        members: (1..=2).map(entry).collect(),
        paused: false,
        scheduled_switchover: None,
    }
}

/// A world in which the sites stand like this.
pub fn seen(sites: &[(SiteName, How)]) -> Observed {
    let sites = sites.iter().map(|(site, how)| (Some(site.clone()), answers_of(site, *how)));
    Observed { sites: sites.collect::<BTreeMap<_, _>>(), ..Observed::default() }
}
