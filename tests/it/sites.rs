//! The program itself, a Patroni cluster in each of two Regions, and names that lead to where the primary is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use repoint_sandbox::aws::elbv2::listener::LoadBalancer;
use repoint_sandbox::aws::route53::batch::{Change, ChangeAction};
use repoint_sandbox::aws::route53::record::{Alias, Answer, Failover, RecordSet};
use repoint_sandbox::aws::sns::Published;
use repoint_sandbox::http::exchange::{Reply, Request};
use repoint_sandbox::http::sandbox::{Action, Sandbox, Setup, Site};
use repoint_sandbox::http::server::serve;
use repoint_sandbox::patroni::{MemberId, Silence};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::entry_points::place::{PATIENCE, PG1, PG2};
use crate::support::command::{Ran, Repoint};

const WRITER: &str = "writer.db.example.com";
/// Where the aliases lead to: the zone of every balancer here.
const BALANCERS: &str = "Z26RNL4JYFTOTI";
const WEST: &str = "us-west-2";

/// Two Regions. The names and the topic are in the first.
struct Regions {
    east: Arc<Sandbox>,
    west: Arc<Sandbox>,
    /// Whether the API of the western Region takes requests and never answers.
    is_west_mute: Arc<AtomicBool>,
    balancers: [String; 2],
    repoint: Repoint,
    /// AWS as the program finds it.
    _front: JoinSet<()>,
}

/// The Region that a request was signed for.
fn is_for_west(request: &Request) -> bool {
    request.headers.get("authorization").is_some_and(|signed| signed.contains(&format!("/{WEST}/")))
}

fn alias(end: Failover, identifier: &str, balancer: &str) -> RecordSet {
    let alias = Alias { zone: BALANCERS.to_owned(), name: balancer.to_owned(), evaluate_target_health: true };
    RecordSet { answer: Answer::Alias(alias), ..RecordSet::simple(WRITER, "A", 0, &[]) }
        .as_failover(end, identifier, None)
}

fn members(site: &Site) -> String {
    let urls = site.resources.spec.sites.iter().flat_map(|site| &site.members);
    urls.map(|url| format!("{:?}", url.to_string())).collect::<Vec<_>>().join(", ")
}

impl Regions {
    /// pg1 of the first site leads, nothing is registered, and the names lead to the wrong sites.
    async fn new() -> Self {
        let east = Arc::new(Sandbox::start(Setup { members: 2, ..Setup::quick() }).unwrap());
        let away = Setup { members: 2, region: WEST.to_owned(), ..Setup::quick() };
        let west = Arc::new(Sandbox::start(Setup { scope: "batman-dr".to_owned(), ..away }).unwrap());
        west.with(|site| site.cluster.demote_site(site.now));
        settled(&west).await;

        let balancer = |site: &mut Site| -> LoadBalancer {
            site.account.create_load_balancer(site.now, "pg", "internal").unwrap()
        };
        let balancers = [east.with(balancer).dns_name, west.with(balancer).dns_name];
        let ends = [(Failover::Primary, "one", &balancers[1]), (Failover::Secondary, "two", &balancers[0])];
        let create = |(end, identifier, balancer): (_, &str, &String)| Change {
            action: ChangeAction::Create,
            set: alias(end, identifier, balancer),
        };
        let changes = ends.map(create);
        east.with(|site| {
            let zone = site.resources.zone.clone();
            site.account.change_resource_record_sets(site.now, &zone, &changes).unwrap();
        });

        let is_west_mute = Arc::new(AtomicBool::new(false));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let front = format!("http://{}", listener.local_addr().unwrap());
        let (to_east, to_west, is_mute) = (east.clone(), west.clone(), is_west_mute.clone());
        let mut serving = JoinSet::new();
        serving.spawn(serve(
            listener,
            Arc::new(move |request: Request| match is_for_west(&request) {
                true if is_mute.load(Ordering::Relaxed) => (Duration::ZERO, Reply::Hang),
                true => to_west.with(|site| site.ask_aws(&request)),
                false => to_east.with(|site| site.ask_aws(&request)),
            }),
        ));
        let repoint = Repoint::new(configuration(&front, [&east, &west], &balancers));
        Self { east, west, is_west_mute, balancers, repoint, _front: serving }
    }

    async fn run(&self) -> Ran {
        self.repoint.run(&["run"]).await
    }

    /// Where the PRIMARY and the SECONDARY lead to.
    fn names(&self) -> [String; 2] {
        let sets = self.east.with(|site| site.account.record_sets(&site.resources.zone));
        [Failover::Primary, Failover::Secondary].map(|end| {
            let set = sets.iter().find(|set| set.failover == Some(end)).unwrap();
            match &set.answer {
                Answer::Alias(alias) => alias.name.trim_end_matches('.').to_owned(),
                Answer::Values { values, .. } => values.join(" "),
            }
        })
    }

    /// Whom the groups hold, and where the names lead to.
    #[track_caller]
    fn is(&self, in_east: &[&str], in_west: &[&str], primary: usize) {
        let targets = |sandbox: &Sandbox| sandbox.with(|site| site.targets());
        assert_eq!((targets(&self.east), targets(&self.west)), (owned(in_east), owned(in_west)));
        assert_eq!(self.names(), [self.balancers[primary].clone(), self.balancers[1 - primary].clone()]);
    }

    fn writes(&self) -> usize {
        [&self.east, &self.west].iter().map(|sandbox| sandbox.with(|site| site.writes().len())).sum()
    }

    /// What people have been told so far.
    fn notified(&self) -> Vec<String> {
        let took = regex::Regex::new(r"after \d+ s").unwrap();
        let subject = |published: &Published| {
            let subject = published.message.subject.as_deref().unwrap_or_default();
            took.replace(subject, "after N s").into_owned()
        };
        self.east.with(|site| site.messages().iter().map(subject).collect())
    }

    /// Every node of the first site is gone.
    fn lose_east(&self) {
        self.east.with(|site| {
            for member in [PG1, PG2] {
                site.cluster.crash(site.now, member, Silence::Refused);
            }
        });
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

async fn settled(sandbox: &Sandbox) {
    let settled = sandbox.until(PATIENCE, |site| site.cluster.is_settled(site.now).then_some(())).await;
    settled.expect("the cluster comes to rest");
}

async fn led_by(sandbox: &Sandbox, member: MemberId) {
    let leads = |site: &mut Site| site.cluster.leader().is_some_and(|(leader, _)| leader == member);
    sandbox.until(PATIENCE, |site| leads(site).then_some(())).await.expect("it leads");
    settled(sandbox).await;
}

fn configuration(front: &str, [east, west]: [&Arc<Sandbox>; 2], balancers: &[String; 2]) -> String {
    let of_site = |sandbox: &Sandbox, scope: &str, balancer: &str| {
        sandbox.with(|site| {
            format!(
                "  [[cluster.site]]\n  region = {:?}\n  scope = {scope:?}\n  members = [{}]\n  \
                 alias = {{ zone_id = {BALANCERS:?}, dns_name = {balancer:?} }}\n\n    \
                 [[cluster.site.target_group]]\n    arn = {:?}\n\n",
                site.account.region,
                members(site),
                site.resources.ip_group
            )
        })
    };
    let sites = of_site(east, "batman", &balancers[0]) + &of_site(west, "batman-dr", &balancers[1]);
    let (topic, zone) = east.with(|site| (site.resources.topic.clone(), site.resources.zone.clone()));
    let zone = zone.rsplit('/').next().unwrap();
    let record = |identifier: &str, end: &str| {
        format!(
            "  [[cluster.record]]\n  zone_id = {zone:?}\n  name = {WRITER:?}\n  type = \"A\"\n  \
             set_identifier = {identifier:?}\n  failover = {end:?}\n  points_to = \"site\"\n\n"
        )
    };
    format!(
        "[aws]\nregion = \"us-east-1\"\nendpoint_url = {front:?}\n\n[pass]\ndeadline_seconds = 6\n\n\
         [state]\nfile = \"state.json\"\n\n[alerts]\nsns_topic_arn = {topic:?}\ngrace_seconds = 0\n\n\
         [[cluster]]\nscope = \"batman\"\n\n{sites}{}{}",
        record("one", "PRIMARY"),
        record("two", "SECONDARY")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_names_follow_the_primary_to_the_other_site_and_never_back() {
    let regions = Regions::new().await;
    let (pg1, pg2) = ("172.31.1.11", "172.31.1.12");
    let ran = regions.run().await;
    assert_eq!(ran.code, 0, "{ran}");
    regions.is(&[pg1], &[], 0);

    // All is well: nothing is written, nor asked of the Region without the primary.
    let before = regions.writes();
    let ran = regions.run().await;
    assert_eq!((ran.code, regions.writes()), (0, before), "{ran}");

    // A failover within the site.
    regions.east.with(|site| site.cluster.switchover(site.now, PG2)).unwrap();
    led_by(&regions.east, PG2).await;
    let system_id = regions.east.with(|site| site.cluster.system_id()).unwrap();
    regions.west.with(|site| site.cluster.follow_upstream(site.now, 5, system_id));
    let ran = regions.run().await;
    assert_eq!(ran.code, 0, "{ran}");
    regions.is(&[pg2], &[], 0);
    let batches = |site: &mut Site| {
        site.writes().iter().filter(|write| matches!(write.action, Action::Change { .. })).count()
    };
    assert_eq!(regions.east.with(batches), 1, "no name changes");

    // The site is lost: nobody may be followed until somebody promotes the other.
    regions.lose_east();
    let before = regions.writes();
    let ran = regions.run().await;
    assert_eq!((ran.code, regions.writes()), (1, before), "{ran}");

    regions.west.with(|site| site.cluster.promote_site(site.now));
    led_by(&regions.west, PG1).await;
    let ran = regions.run().await;
    assert_eq!(ran.code, 0, "{ran}");
    regions.is(&[pg2], &[pg1], 1);
    assert_eq!(regions.east.with(batches), 2, "both names in one batch");

    // It comes back, and believes what it believed.
    regions.east.with(|site| {
        for member in [PG1, PG2] {
            site.cluster.start(site.now, member);
        }
    });
    settled(&regions.east).await;
    let before = regions.writes();
    for _ in 0..3 {
        let ran = regions.run().await;
        assert_eq!((ran.code, regions.writes()), (0, before), "{ran}");
    }
    regions.is(&[pg2], &[pg1], 1);
    insta::assert_snapshot!(regions.notified().join("\n"), @"
    repoint: batman: first adoption, endpoints now point at the primary us-east-1/pg1
    repoint: batman: switchover from us-east-1/pg1 to us-east-1/pg2
    repoint: batman: no primary
    repoint: batman: no member of site us-east-1 answers
    repoint: batman: failover from us-east-1/pg2 to us-west-2/pg1, in another site
    repoint: batman: resolved after N s: no primary
    repoint: batman: resolved after N s: no member of site us-east-1 answers
    repoint: batman: SPLIT BRAIN, us-east-1/pg2 also claims to be primary
    ");
}

/// Patroni of the promoted site calls back with the scope of that site.
#[tokio::test(flavor = "multi_thread")]
async fn a_callback_with_the_scope_of_a_site_moves_the_names_there() {
    let mut regions = Regions::new().await;
    let ran = regions.run().await;
    assert_eq!(ran.code, 0, "{ran}");
    regions.lose_east();
    regions.west.with(|site| site.cluster.promote_site(site.now));
    led_by(&regions.west, PG1).await;
    regions.repoint = regions.repoint.with("REPOINT_CALLBACK_MODE", "self");
    // It ends when the process has ended to which it has handed over: that one speaks through the same pipe.
    let ran = regions.repoint.run(&["callback", "on_role_change", "primary", "batman-dr"]).await;
    assert_eq!(ran.code, 0, "{ran}");
    regions.is(&["172.31.1.11"], &["172.31.1.11"], 1);
}

/// The group of the site with the primary cannot be reached: the names go there all the same, in the same pass.
#[tokio::test(flavor = "multi_thread")]
async fn names_move_although_a_regions_api_never_answers() {
    let regions = Regions::new().await;
    let ran = regions.run().await;
    assert_eq!(ran.code, 0, "{ran}");
    regions.lose_east();
    regions.west.with(|site| site.cluster.promote_site(site.now));
    led_by(&regions.west, PG1).await;
    regions.is_west_mute.store(true, Ordering::Relaxed);
    let ran = regions.run().await;
    assert_eq!(ran.code, 1, "{ran}");
    regions.is(&["172.31.1.11"], &[], 1);
    assert!(ran.stdout.contains("held     target group writers-by-ip (us-west-2)"), "{ran}");

    // It is back, and the next pass does the rest.
    regions.is_west_mute.store(false, Ordering::Relaxed);
    let ran = regions.run().await;
    assert_eq!(ran.code, 0, "{ran}");
    regions.is(&["172.31.1.11"], &["172.31.1.11"], 1);
    insta::assert_snapshot!(regions.notified().join("\n"), @"
    repoint: batman: first adoption, endpoints now point at the primary us-east-1/pg1
    repoint: batman: failover from us-east-1/pg1 to us-west-2/pg1, in another site, 1 not moved
    repoint: batman: no member of site us-east-1 answers
    repoint: batman: writers-by-ip is held
    repoint: batman: endpoints that were held follow the primary us-west-2/pg1 now
    repoint: batman: resolved after N s: writers-by-ip is held
    ");
}

/// The Region without the primary is away: nobody asks it.
#[tokio::test(flavor = "multi_thread")]
async fn a_region_without_the_primary_holds_up_no_other() {
    let regions = Regions::new().await;
    regions.is_west_mute.store(true, Ordering::Relaxed);
    let ran = regions.run().await;
    assert_eq!(ran.code, 0, "{ran}");
    regions.is(&["172.31.1.11"], &[], 0);
}
