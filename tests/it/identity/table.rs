//! Whole commands: configurations with one table.

use super::programs::{NEW, NOBODY, OLD, entry, head, is_held_for_another_state, leader, registered};
use crate::support::command::Repoint;
use crate::support::http::Server;
use crate::support::site::aws;
use crate::support::table::{Table, in_table};

/// An AWS with that table.
async fn with(table: &Table) -> Server {
    let table = table.clone();
    aws(move |request| table.answer(request)).await
}

/// Staging and production, each on machines of its own.
#[tokio::test]
async fn two_configurations_with_one_item_never_follow_each_other() {
    let (production, staging) = (leader(OLD, "10.0.1.12", 4).await, leader(NEW, "10.0.1.13", 9).await);
    for member in [staging.url(), NOBODY.to_owned()] {
        let table = Table::new();
        let (ours, theirs) = (with(&table).await, with(&table).await);
        let first = in_table(Repoint::new(head(&ours) + &entry("", &[production.url()], "pg-writer")));
        let ran = first.run(&["run"]).await;
        assert_eq!((ran.code, registered(&ours)), (0, vec!["10.0.1.12".to_owned()]), "{ran}");
        let left = table.state("batman").unwrap();
        assert_eq!(left["system_id"], OLD);

        let second = in_table(Repoint::new(head(&theirs) + &entry("", &[member], "staging-writer")));
        is_held_for_another_state(&second, &theirs).await;
        let now = table.state("batman").unwrap();
        assert_eq!((&now["system_id"], &now["endpoints"]), (&left["system_id"], &left["endpoints"]));
        // The first goes on as if nothing had been.
        assert_eq!(first.run(&["run"]).await.code, 0);
    }
}

#[tokio::test]
async fn configurations_with_names_of_their_own_have_an_item_each() {
    let (production, staging) = (leader(OLD, "10.0.1.12", 4).await, leader(NEW, "10.0.1.13", 9).await);
    let table = Table::new();
    for (name, member, system, host) in
        [("production", &production, OLD, "10.0.1.12"), ("staging", &staging, NEW, "10.0.1.13")]
    {
        let aws = with(&table).await;
        let group = format!("{name}-writer");
        let repoint = in_table(Repoint::new(head(&aws) + &entry(name, &[member.url()], &group)));
        let ran = repoint.run(&["run"]).await;
        assert_eq!((ran.code, registered(&aws)), (0, vec![host.to_owned()]), "{ran}");
        let state = table.state(name).unwrap();
        assert_eq!(state["system_id"], system);
        let endpoints = state["endpoints"].to_string();
        assert!(endpoints.contains(&group), "{endpoints}");
    }
    assert_eq!(table.state("production").unwrap()["system_id"], OLD, "the second has left it alone");
    assert_eq!(table.state("batman"), None, "nothing is kept by scope");
}
