//! A section of a service file, and what stays of the rest.

use repoint_domain::clients::{Wanted, merged, section, service};
use repoint_domain::values::cluster::EntryName;

use super::form::nodes;

#[test]
fn a_service_is_called_after_its_entry_and_what_is_wanted() {
    let called = |wanted| service(&EntryName::new("batman"), wanted);
    assert_eq!(
        [Wanted::Primary, Wanted::Standby, Wanted::Readers].map(called),
        ["batman", "batman-standby", "batman-readers"]
    );
}

#[test]
fn a_section_names_all_of_them() {
    insta::assert_snapshot!(section("batman", &nodes(&[("10.0.1.12", 5432), ("10.0.1.11", 6432)])), @"
    [batman]
    host=10.0.1.12,10.0.1.11
    port=5432,6432
    target_session_attrs=read-write
    connect_timeout=3
    ");
}

#[test]
fn other_sections_and_what_an_operator_has_added_stay() {
    let text = "\
# By hand.
[other]
host=10.9.9.9

[batman]
# The application's.
host=10.0.1.11
hostaddr=10.0.1.11
user=app
connect_timeout=10
 port = 1

[batman-readers]
host=10.0.1.13
";
    let new = nodes(&[("10.0.1.12", 5432)]);
    let written = merged(text, "batman", &new);
    insta::assert_snapshot!(written, @"
    # By hand.
    [other]
    host=10.9.9.9

    [batman]
    host=10.0.1.12
    port=5432
    target_session_attrs=read-write
    # The application's.
    user=app
    connect_timeout=10

    [batman-readers]
    host=10.0.1.13
    ");
    assert_eq!(merged(&written, "batman", &new), written, "it is written once");
}

#[test]
fn a_new_section_comes_last() {
    let new = nodes(&[("10.0.1.12", 5432)]);
    let own = section("batman", &new);
    assert_eq!(merged("", "batman", &new), own);
    assert_eq!(merged("[a]\nhost=b", "batman", &new), format!("[a]\nhost=b\n\n{own}"));
    assert_eq!(merged("[a]\nhost=b\n\n", "batman", &new), format!("[a]\nhost=b\n\n{own}"));
    assert_eq!(merged(&own, "batman", &new), own);
}
