//! Each endpoint is reached under its role, and each role needs no more than its policy.

use futures::future::join_all;
use repoint_sandbox::aws::Account;
use repoint_sandbox::aws::policy::Policy;
use repoint_sandbox::transport::NAME;
use serde_json::{Value, json};

use super::world::{BALANCERS, DNS, Observed};
use crate::entry_points::place::{PG1, PG2};

/// The services that were called in an account.
fn services(account: &Account) -> Vec<&'static str> {
    let mut services: Vec<&str> =
        account.calls().iter().map(|call| call.action.split(':').next().unwrap()).collect();
    services.sort_unstable();
    services.dedup();
    services
}

#[tokio::test(flavor = "multi_thread")]
async fn three_accounts_are_each_reached_under_their_role() {
    for (region, partition) in
        [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-east-1", "aws-us-gov")]
    {
        let observed = Observed::new(region);
        assert_eq!(observed.partition, partition);
        let plan = observed.printed(&["plan", "--format", "json"]).await;
        assert_eq!(plan["clusters"][0]["outcome"], "planned", "{plan}");
        let report = observed.follow().await;
        assert_eq!(report["clusters"][0]["outcome"], "changed", "{report}");
        let host = observed.place.sandbox.with(|site| site.cluster.spec(PG2).postgres.0.to_string());
        assert_eq!(observed.place.sandbox.with(|site| site.targets()), std::slice::from_ref(&host));
        assert_eq!(observed.record(), [host]);
        let found = observed
            .place
            .sandbox
            .with(|site| [&site.account, &site.others[0], &site.others[1]].map(services));
        assert_eq!(found[0], ["ec2", "elasticloadbalancing"], "{partition}");
        assert_eq!(found[1], ["dynamodb", "sns"], "{partition}");
        assert_eq!(found[2], ["route53"], "{partition}");
        let again = observed.printed(&["plan", "--format", "json"]).await;
        assert_eq!(again["clusters"][0]["outcome"], "converged", "{again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_of_each_role_is_enough() {
    let observed = Observed::new("us-east-1");
    observed.enforce(&observed.printed(&["iam"]).await);
    let report = observed.follow().await;
    let cluster = &report["clusters"][0];
    assert_eq!(cluster["outcome"], "changed", "{report}");
    assert!(!report.to_string().contains("denied") && cluster.get("warnings").is_none(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_one_statement_a_refusal_names_it_and_the_role() {
    let all = Observed::new("us-east-1").printed(&["iam"]).await;
    let statements = |policy: &Value| {
        let sids = policy["policy"]["Statement"].as_array().unwrap().iter();
        sids.map(|statement| statement["Sid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let policies = all["policies"].as_array().unwrap().iter().enumerate();
    let all: Vec<(usize, String)> = policies
        .flat_map(|(number, policy)| statements(policy).into_iter().map(move |sid| (number, sid)))
        .collect();
    assert!(all.len() >= 10, "{all:?}");
    join_all(all.into_iter().map(|(number, sid)| async move {
        let observed = Observed::new("us-east-1");
        let mut less = observed.printed(&["iam"]).await;
        let policy = &mut less["policies"][number];
        policy["policy"]["Statement"].as_array_mut().unwrap().retain(|statement| statement["Sid"] != sid);
        let of = policy["role_arn"].as_str().map_or("self".to_owned(), str::to_owned);
        observed.enforce(&less);
        let report = observed.follow().await.to_string();
        let named = format!("statement `{sid}` of `repoint iam --role {of}`");
        assert!(report.contains(&named), "{named}: {report}");
    }))
    .await;
}

/// Two clusters write one zone under two roles, in one process.
#[tokio::test(flavor = "multi_thread")]
async fn one_zone_is_written_under_two_roles() {
    let observed = Observed::new("us-east-1");
    let file = observed.place.folder.path().join("repoint.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let second = observed.role(DNS).replace("dns/repoint", "dns/other");
    observed.place.sandbox.with(|site| {
        let role = site.iam.role_mut(&observed.role(DNS)).unwrap().clone();
        site.iam.set_role(&second, role);
    });
    let (_, record) = text.split_once("[[cluster.record]]\n").unwrap();
    let other = record.replace("dns/repoint", "dns/other").replace(NAME, "other.db.example.com");
    std::fs::write(&file, format!("{text}\n  [[cluster.record]]\n{other}")).unwrap();
    observed.place.sandbox.with(|site| {
        let only = |name: &str| {
            let allowed = json!({ "Statement": [
                { "Effect": "Allow", "Action": ["route53:ListResourceRecordSets", "route53:GetChange"], "Resource": ["*"] },
                { "Effect": "Allow", "Action": ["route53:ChangeResourceRecordSets"], "Resource": ["*"], "Condition": {
                    "ForAllValues:StringEquals": { "route53:ChangeResourceRecordSetsNormalizedRecordNames": [name] } } },
            ] });
            Policy::new(&allowed)
        };
        site.iam.role_mut(&observed.role(DNS)).unwrap().policy = only(NAME);
        site.iam.role_mut(&second).unwrap().policy = only("other.db.example.com");
    });
    let report = observed.run().await;
    assert_eq!(report["clusters"][0]["outcome"], "changed", "{report}");
    let changes = observed.place.sandbox.with(|site| {
        let calls = site.others[1].calls().iter();
        calls.filter(|call| call.action == "route53:ChangeResourceRecordSets").count()
    });
    assert_eq!(changes, 2, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_refused_is_named_with_what_to_change() {
    let observed = Observed::new("us-east-1");
    let role = observed.role(BALANCERS);
    observed.place.sandbox.with(|site| {
        site.iam.role_mut(&role).unwrap().external_id = Some("another".to_owned());
    });
    let report = observed.run().await;
    // The other accounts' endpoints do not wait for it.
    assert_eq!(observed.record().len(), 1, "{report}");
    let text = report.to_string();
    for words in [
        &format!("sts:AssumeRole on {role}: AccessDenied"),
        "trust policy",
        "external_id",
        "statement `AssumeRoles` of `repoint iam --role self`",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

/// Without the role, the process's own credentials do not reach what is in another account.
#[tokio::test(flavor = "multi_thread")]
async fn another_account_s_endpoints_are_refused_without_the_role() {
    let observed = Observed::new("us-east-1");
    let file = observed.place.folder.path().join("repoint.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let without: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("role_arn") && !line.starts_with("external_id"))
        .collect();
    std::fs::write(&file, without.join("\n")).unwrap();
    let text = observed.run().await.to_string();
    assert!(
        text.contains("TargetGroupNotFound") && text.contains("not authorized to access this resource"),
        "{text}"
    );
    let host = observed.place.sandbox.with(|site| site.cluster.spec(PG1).postgres.0.to_string());
    assert_eq!(observed.place.sandbox.with(|site| site.targets()), [host]);
}
