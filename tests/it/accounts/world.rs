//! A world of three accounts: the process's own, one with the load balancers, one with the DNS.

use repoint_sandbox::aws::Account;
use repoint_sandbox::aws::iam::Role;
use repoint_sandbox::aws::policy::Policy;
use repoint_sandbox::http::sandbox::{Setup, Site};
use repoint_sandbox::transport::{NAME, Shape};
use serde_json::Value;
use tokio::time::timeout;

use crate::entry_points::place::{PATIENCE, PG2, Place};

const OWN: &str = "111111111111";
/// The sandbox's first account, which has the target groups.
pub const BALANCERS: &str = "123456789012";
pub const DNS: &str = "222222222222";

/// A world of three accounts, in the partition of that Region.
pub struct Observed {
    pub place: Place,
    pub partition: &'static str,
}

impl Observed {
    pub fn new(region: &str) -> Self {
        let shape = Shape { is_filled: true, has_instances: true, has_weighted: true, ..Shape::default() };
        let place = Place::of(
            "[pass]\nwait_insync_seconds = 20\n",
            Setup { region: region.to_owned(), shape, ..Setup::quick() },
        );
        let observed = place.sandbox.with(|site| Self::divide(site, region));
        let (partition, topic, old_topic, zone, old_zone) = observed;
        let role = |account: &str, name: &str| {
            format!("role_arn = \"arn:{partition}:iam::{account}:role/{name}\"\n")
        };
        let balancers = format!("{}external_id = \"of-the-platform\"\n", role(BALANCERS, "repoint"));
        let file = place.folder.path().join("repoint.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let (before, after) = text.split_once("[state]\n").unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        let text = format!("{before}[state]\ndynamodb_table = \"repoint\"\n{after}")
            .replace(&old_topic, &topic)
            .replace(&format!("{old_zone:?}"), &format!("{zone:?}"))
            .replace("[[cluster]]\n", &format!("[[cluster]]\n{balancers}"))
            .replace("[[cluster.record]]\n", &format!("[[cluster.record]]\n{}", role(DNS, "dns/repoint")));
        std::fs::write(file, text).unwrap();
        Self { place, partition }
    }

    /// Divides what the sandbox has between three accounts: the partition, and the topic and the zone, new and old.
    fn divide(site: &mut Site, region: &str) -> (&'static str, String, String, String, String) {
        let bare = |zone: &str| zone.rsplit('/').next().unwrap().to_owned();
        let mut own = Account::new(OWN, region);
        let mut dns = Account::new(DNS, region);
        let partition = own.partition();
        dns.settings = site.account.settings.clone();
        own.create_table(0, "repoint", "scope").unwrap();
        let topic = own.create_topic(0, "alerts").unwrap();
        let zone = bare(&dns.create_hosted_zone(0, "db.example.com").unwrap());
        own.drain_calls();
        dns.drain_calls();
        site.account.drain_calls();
        site.others = vec![own, dns];
        let arn = |account: &str, rest: &str| format!("arn:{partition}:iam::{account}:{rest}");
        site.iam.add_key("sandbox", &arn(OWN, "user/repoint"));
        let trusts = arn(OWN, "root");
        let external_id = Some("of-the-platform".to_owned());
        site.iam.set_role(
            &arn(BALANCERS, "role/repoint"),
            Role { trusts: trusts.clone(), external_id, policy: None },
        );
        site.iam.set_role(&arn(DNS, "role/dns/repoint"), Role { trusts, external_id: None, policy: None });
        let (old_topic, old_zone) = (site.resources.topic.clone(), bare(&site.resources.zone));
        (partition, topic, old_topic, zone, old_zone)
    }

    pub fn role(&self, account: &str) -> String {
        let name = if account == DNS { "dns/repoint" } else { "repoint" };
        format!("arn:{}:iam::{account}:role/{name}", self.partition)
    }

    pub async fn printed(&self, arguments: &[&str]) -> Value {
        let output = timeout(PATIENCE, self.place.command(arguments).output()).await.unwrap().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }

    pub async fn run(&self) -> Value {
        self.printed(&["run", "--format", "json"]).await
    }

    /// The policies of `repoint iam`, to be enforced.
    pub fn enforce(&self, policies: &Value) {
        self.place.sandbox.with(|site| {
            for policy in policies["policies"].as_array().unwrap() {
                let document = Some(Policy::new(&policy["policy"]).unwrap());
                match policy["role_arn"].as_str() {
                    None => site.others[0].policy = document,
                    Some(role) => site.iam.role_mut(role).unwrap().policy = document,
                }
            }
        });
    }

    /// What the name is in the DNS account.
    pub fn record(&self) -> Vec<String> {
        self.place.sandbox.with(|site| {
            let account = &site.others[1];
            let zones = account.zone_ids();
            zones.iter().flat_map(|zone| account.resolve(site.now + 60_000, zone, NAME, "A")).collect()
        })
    }

    /// A pass, a switchover, and the pass that follows it.
    pub async fn follow(&self) -> Value {
        self.run().await;
        self.place.switchover(PG2).await;
        self.place.until(|site| site.cluster.leader().is_some_and(|(leader, _)| leader == PG2)).await;
        self.place.until(|site| site.cluster.is_settled(site.now)).await;
        self.run().await
    }
}
