//! `repoint watch`.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use repoint_sandbox::http::sandbox::Site;
use repoint_sandbox::patroni::DcsOutage;
use repoint_sandbox::patroni::rest::Silence;
use rustix::process::Signal;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

use super::place::{PATIENCE, PG1, PG2, PG3, Place};

const QUICK: &str = "[watch]\ninterval_seconds = 0.1\naudit_interval_seconds = 900\n";
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn it_follows_a_switchover_and_a_failover() {
    let place = Place::new(QUICK);
    let mut daemon = place.daemon().await;
    place.switchover(PG2).await;
    place.until_right(PG2).await;
    daemon.says("outcome=\"changed\"").await;
    place.until(|site| site.cluster.is_settled(site.now)).await;
    place.sandbox.with(|site| site.cluster.crash(site.now, PG2, Silence::Refused));
    place
        .until(|site| {
            let leader =
                site.cluster.leader().map(|(leader, _)| site.cluster.spec(leader).postgres.0.to_string());
            leader.is_some_and(|host| site.targets() == [host])
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_change_is_reverted_at_the_next_audit() {
    let mut place = Place::new("[watch]\ninterval_seconds = 0.1\naudit_interval_seconds = 1\n");
    place.set("REPOINT_LOG", "repoint=debug");
    let mut daemon = place.daemon().await;
    daemon.says("reason=\"start\"").await;
    place.until_right(PG1).await;
    place.meddle(PG3);
    let line = daemon.says("outcome=\"changed\"").await;
    assert!(line.contains("reason=\"audit\""), "{line}");
    place.until_right(PG1).await;
}

/// AWS is asked at the start, and again only should a member be slow to answer on a busy machine.
#[tokio::test(flavor = "multi_thread")]
async fn while_nothing_changes_aws_is_left_in_peace() {
    let place = Place::new("[watch]\ninterval_seconds = 0.1\naudit_interval_seconds = 900\n");
    let last_error = place.asked();
    let mut news = place.sandbox.news();
    let _daemon = place.daemon().await;
    let mut looks = 0;
    while looks < 100 {
        if let repoint_sandbox::http::sandbox::News::Asked(asked) =
            timeout(PATIENCE, news.recv()).await.unwrap().unwrap()
            && asked.action == "GET /primary"
        {
            looks += 1;
        }
    }
    let asked = [last_error.count("DescribeTargetHealth"), last_error.count("ListResourceRecordSets")];
    assert!(asked.iter().all(|count| (1..=3).contains(count)), "{asked:?} for 100 looks");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_the_pass_under_way_end() {
    let place = Place::new(QUICK);
    place.delay("RegisterTargets", SECOND);
    let last_error = place.asked();
    let mut daemon = place.daemon().await;
    place.switchover(PG2).await;
    place.until(|_| last_error.count("RegisterTargets") == 1).await;
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await, 0);
    // Register and deregister are one pass.
    place.until_right(PG2).await;
    let socket = place.folder.path().join("repoint.sock");
    assert!(!socket.exists(), "the socket is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_what_hangs_after_the_grace_time() {
    let place = Place::new("[watch]\ninterval_seconds = 0.1\ngrace_seconds = 0.5\n");
    let last_error = place.asked();
    place.delay("DescribeTargetHealth", Duration::from_mins(10));
    let mut daemon = place.daemon().await;
    place.until(|_| last_error.count("DescribeTargetHealth") > 0).await;
    daemon.signal(Signal::TERM);
    daemon.says("cut off").await;
    assert_eq!(daemon.ends().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_takes_a_good_configuration_and_refuses_a_bad_one() {
    let place = Place::new(QUICK);
    let mut daemon = place.daemon().await;
    place.configure("[watch]\nintervall_seconds = 0.1\n");
    daemon.signal(Signal::HUP);
    let line = daemon.says("the new configuration is invalid").await;
    assert!(line.contains("repoint.toml"), "{line}");
    // The old one is kept.
    place.switchover(PG2).await;
    place.until_right(PG2).await;

    place.configure(
        "[watch]\ninterval_seconds = 0.1\naudit_interval_seconds = 0.5\nsocket = \"other.sock\"\n",
    );
    daemon.signal(Signal::HUP);
    daemon.says("configuration reloaded").await;
    place.meddle(PG3);
    place.until_right(PG2).await;
    assert!(place.folder.path().join("other.sock").exists());
    assert!(!place.folder.path().join("repoint.sock").exists());
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.ends().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_aws_is_back_it_goes_on() {
    let place = Place::new(QUICK);
    let mut daemon = place.daemon().await;
    place.sandbox.with(Site::throttle);
    place.switchover(PG2).await;
    daemon.says("Rate exceeded").await;
    place.sandbox.with(Site::heal_aws);
    place.until_right(PG2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_patroni_is_back_it_goes_on() {
    let place = Place::new(QUICK);
    let mut daemon = place.daemon().await;
    place.until(|site| site.cluster.is_settled(site.now)).await;
    place.sandbox.with(|site| site.cluster.dcs_down(site.now, DcsOutage::Closes));
    daemon.says("outcome=\"held\"").await;
    place.sandbox.with(|site| site.cluster.dcs_up(site.now));
    place.switchover(PG3).await;
    place.until_right(PG3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_socket_belongs_to_one_daemon() {
    let place = Place::new(QUICK);
    let mut first = place.daemon().await;
    let socket = place.folder.path().join("repoint.sock");
    let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);

    let (code, said) = place.run(&["watch"]).await;
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("another `repoint watch` listens on it"), "{said}");

    // One that was killed leaves its socket behind.
    first.signal(Signal::KILL);
    first.ends().await;
    assert!(socket.exists());
    let mut second = place.daemon().await;
    second.signal(Signal::TERM);
    assert_eq!(second.ends().await, 0);
}

/// Two daemons of one file, each for its clusters, and callbacks that know only the file.
#[tokio::test(flavor = "multi_thread")]
async fn daemons_of_shards_run_side_by_side_and_each_hears_of_its_own() {
    let place = Place::new("[watch]\ninterval_seconds = 600\naudit_interval_seconds = 900\n");
    place.add_robin();
    let mut batman = place.start(&["watch", "--cluster", "batman"]);
    batman.says("watching").await;
    let mut robin = place.start(&["watch", "--cluster", "robin"]);
    robin.says("watching").await;
    for (scope, daemon) in [("batman", &mut batman), ("robin", &mut robin)] {
        let (code, said) = place.run(&["callback", "on_role_change", "primary", scope]).await;
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("the daemon checks the cluster"), "{said}");
        daemon.says("woken by a trigger").await;
    }
    // The same shard is watched once.
    let (code, said) = place.run(&["watch", "--cluster", "robin"]).await;
    assert_eq!(code, 2, "{said}");
    // What a dead one leaves behind keeps nobody back.
    robin.signal(Signal::KILL);
    robin.ends().await;
    let (code, said) = place.run(&["callback", "on_role_change", "primary", "batman"]).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("the daemon checks the cluster"), "{said}");
    let mut all = place.daemon().await;
    let (_, said) = place.run(&["callback", "on_role_change", "primary", "robin"]).await;
    assert!(said.contains("the daemon checks the cluster"), "{said}");
    all.says("woken by a trigger").await;
    let mut robin = place.start(&["watch", "--cluster", "robin"]);
    robin.says("watching").await;
}

/// Where systemd listens, and what it hears next, signs of life left out.
struct Systemd(UnixDatagram);

impl Systemd {
    fn of(place: &mut Place) -> Self {
        let path = place.folder.path().join("notify.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        place.set("NOTIFY_SOCKET", path.to_str().unwrap());
        Self(socket)
    }

    async fn hears(&self) -> String {
        let mut bytes = [0; 2048];
        let length = timeout(PATIENCE, self.0.recv(&mut bytes)).await.unwrap().unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap().trim().to_owned()
    }

    async fn hears_news(&self) -> String {
        loop {
            let last_error = self.hears().await;
            if last_error != "WATCHDOG=1" {
                return last_error;
            }
        }
    }
}

/// What `systemctl status` shows while a restart would find something else than what is used.
#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_that_a_configuration_is_refused() {
    let mut place = Place::new(QUICK);
    let systemd = Systemd::of(&mut place);
    let mut daemon = place.daemon().await;
    assert_eq!(systemd.hears_news().await, "READY=1\nSTATUS=watching 1 clusters");
    place.configure("[watch]\nintervall_seconds = 0.1\n");
    daemon.signal(Signal::HUP);
    daemon.says("the new configuration is invalid").await;
    let status = systemd.hears_news().await;
    let refused = "STATUS=watching 1 clusters; the new configuration is invalid, and the old one stays in use: repoint.toml:3: ";
    assert!(status.starts_with(refused), "{status}");
    place.configure(QUICK);
    daemon.signal(Signal::HUP);
    assert_eq!(systemd.hears_news().await, "STATUS=watching 1 clusters");
}

/// What `systemctl status` shows of the clusters, all the time.
#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_how_many_clusters_are_not_as_they_should_be() {
    let mut place = Place::new(QUICK);
    place.add_robin();
    let systemd = Systemd::of(&mut place);
    place.set("WATCHDOG_USEC", "300000");
    let _daemon = place.daemon().await;
    while systemd.hears_news().await != "STATUS=watching 2 clusters, 1 without a primary, 1 held" {}
}

/// A pass that is waited for may take longer than systemd waits for a sign of life, and than it lets a unit stop.
#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_that_it_is_alive_while_it_waits_for_a_pass() {
    let mut place = Place::new("[watch]\ninterval_seconds = 0.1\ngrace_seconds = 2\n");
    let systemd = Systemd::of(&mut place);
    place.set("WATCHDOG_USEC", "300000");
    let last_error = place.asked();
    place.delay("DescribeTargetHealth", Duration::from_mins(10));
    let mut daemon = place.daemon().await;
    place.until(|_| last_error.count("DescribeTargetHealth") > 0).await;
    while systemd.0.try_recv(&mut [0; 2048]).is_ok() {}
    daemon.signal(Signal::HUP);
    for _ in 0..4 {
        assert_eq!(systemd.hears().await, "WATCHDOG=1");
    }
    // Its queue takes few messages.
    let heard_on = async {
        loop {
            systemd.hears().await;
        }
    };
    tokio::select! {
        _ = daemon.says("a pass was cut off") => {}
        () = heard_on => {}
    }
    daemon.signal(Signal::TERM);
    assert_eq!(systemd.hears_news().await, "STOPPING=1");
    assert_eq!(systemd.hears_news().await, "EXTEND_TIMEOUT_USEC=7000000");
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_when_it_is_ready_alive_and_ending() {
    let mut place = Place::new(QUICK);
    let systemd = Systemd::of(&mut place);
    place.set("WATCHDOG_USEC", "300000");
    let mut daemon = place.daemon().await;
    assert_eq!(systemd.hears().await, "READY=1\nSTATUS=watching 1 clusters");
    assert_eq!(systemd.hears().await, "WATCHDOG=1");
    assert_eq!(systemd.hears().await, "WATCHDOG=1");
    daemon.signal(Signal::TERM);
    assert_eq!(systemd.hears_news().await, "STOPPING=1");
    assert_eq!(daemon.ends().await, 0);
}
