//! Connection strings, the environment and the password file, as libpq takes them.

use std::os::unix::fs::PermissionsExt as _;

use repoint::config::Environment;
use repoint::drill::dsn::Parameters;
use repoint::drill::endpoint::Endpoint;
use repoint::drill::pgpass::{Login, password};
use tempfile::TempDir;

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::from_variables(
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    )
}

/// These parameters of a connection string, in an empty environment.
fn read<const N: usize>(dsn: &str, names: [&str; N]) -> [Option<String>; N] {
    let parameters = Parameters::read(Some(dsn), &environment(&[])).unwrap();
    names.map(|name| parameters.get(name).map(str::to_owned))
}

fn refused(dsn: &str) -> String {
    match Endpoint::read(Some(dsn), &environment(&[("PGUSER", "app")])) {
        Ok(_) => panic!("{dsn} is taken"),
        Err(error) => error.to_string(),
    }
}

const ALL: [&str; 5] = ["user", "password", "host", "port", "dbname"];

fn some<const N: usize>(values: [&str; N]) -> [Option<String>; N] {
    values.map(|value| (!value.is_empty()).then(|| value.to_owned()))
}

#[test]
fn both_forms_are_read() {
    let url = "postgresql://app:p%40ss%3A@writer.example:6432/orders?sslmode=require";
    assert_eq!(read(url, ALL), some(["app", "p@ss:", "writer.example", "6432", "orders"]));
    assert_eq!(read(url, ["sslmode"]), some(["require"]));
    let pairs = r"host = writer.example port=6432 user=app password='it\'s \\ here' dbname=orders";
    assert_eq!(read(pairs, ALL), some(["app", r"it's \ here", "writer.example", "6432", "orders"]));
    assert_eq!(read("postgres://writer.example", ALL), some(["", "", "writer.example", "", ""]));
    assert_eq!(read("postgres://app@[::1]:6432/", ALL), some(["app", "", "::1", "6432", ""]));
    let several = "postgresql://a:1,b,[::2]:3/x?target_session_attrs=read-write";
    assert_eq!(read(several, ["host", "port"]), some(["a,b,::2", "1,,3"]));
    assert_eq!(read("postgresql:///x?host=a&ssl=true", ["host", "sslmode"]), some(["a", "require"]));
    // A parameter without an effect on what is measured is taken, and left out.
    assert_eq!(read("host=a connect_timeout=10", ["host", "connect_timeout"]), some(["a", ""]));
}

#[test]
fn the_environment_fills_in_what_is_missing() {
    let variables = [("PGHOST", "other"), ("PGUSER", "app"), ("PGPORT", "6432"), ("PGDATABASE", "orders")];
    let endpoint = |dsn: Option<&str>| Endpoint::read(dsn, &environment(&variables)).unwrap().label;
    assert_eq!(endpoint(None), "other:6432");
    assert_eq!(endpoint(Some("host=writer.example")), "writer.example:6432");
    assert_eq!(endpoint(Some("postgresql://a:1,b/x")), "a:1,b:5432");
    let missing = Endpoint::read(None, &environment(&[])).err().unwrap().to_string();
    assert_eq!(missing, "`host`: it is missing: give the endpoint's host name in --dsn, or in PGHOST");
    let missing = Endpoint::read(Some("host=a"), &environment(&[])).err().unwrap().to_string();
    assert_eq!(missing, "`user`: it is missing: give it in --dsn, or in PGUSER");
}

#[test]
fn what_is_not_supported_is_refused_with_its_name_and_without_a_password() {
    insta::assert_snapshot!(refused("host=a service=x password=secret"), @"the parameter `service` is not supported; supported are host, hostaddr, port, user, password, dbname, passfile, sslmode, sslrootcert, sslcert, sslkey, options, application_name, target_session_attrs");
    insta::assert_snapshot!(refused("host=/run/postgresql"), @"`host`: a Unix socket is no endpoint: give a host name or an address");
    insta::assert_snapshot!(refused("host=a port=0"), @"`port`: `0` is not a port");
    insta::assert_snapshot!(refused("host=a,b,c port=1,2"), @"`port`: 2 ports for 3 hosts");
    insta::assert_snapshot!(refused("host=a sslmode=allow"), @"`sslmode`: `allow` is not supported; use disable, prefer, require, verify-ca or verify-full");
    insta::assert_snapshot!(refused("host=a sslmode=verify-full"), @"`sslrootcert`: the root certificate is missing: set it, or create ~/.postgresql/root.crt, or use `system`");
    insta::assert_snapshot!(refused("host=a sslmode=verify-ca sslrootcert=system"), @"`sslmode`: `sslrootcert=system` needs `verify-full`");
    insta::assert_snapshot!(refused("host=a sslmode=verify-ca sslrootcert=/nowhere"), @"`sslrootcert`: /nowhere cannot be read: No such file or directory (os error 2)");
    insta::assert_snapshot!(refused("host=a gssencmode=require"), @"`gssencmode`: `require` is not supported");
    insta::assert_snapshot!(refused("secret"), @"it is neither a URL (postgresql://…) nor made of name=value pairs: a `=` is missing");
    insta::assert_snapshot!(refused("host=a password=two words"), @"it is neither a URL (postgresql://…) nor made of name=value pairs: a `=` is missing");
    insta::assert_snapshot!(refused("host='a"), @"a quoted value has no closing quote");
    let service = Endpoint::read(Some("host=a"), &environment(&[("PGSERVICE", "x")])).err().unwrap();
    assert!(service.to_string().contains("PGSERVICE"), "{service}");
}

#[test]
fn the_system_authorities_are_enough_for_verify_full() {
    assert!(
        Endpoint::read(Some("host=a user=b sslmode=verify-full sslrootcert=system"), &environment(&[]))
            .is_ok()
    );
}

#[test]
fn the_first_entry_of_a_password_file_that_fits_counts() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("pgpass");
    let lines = [
        r"# writer.example:5432:orders:app:no",
        r"writer.example:5433:*:app:other port",
        r"writer.example:*:orders:app:p\:a\\s:s",
        r"*:*:*:*:any",
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o600);
    let login = |host| Login { host, port: "5432", database: "orders", user: "app" };
    assert_eq!(password(&file, login("writer.example")).as_deref(), Some(r"p:a\s:s"));
    assert_eq!(password(&file, login("reader.example")).as_deref(), Some("any"));
    // Like libpq, it takes no file that others may read.
    mode(0o640);
    assert_eq!(password(&file, login("writer.example")), None);
    assert_eq!(password(&folder.path().join("none"), login("writer.example")), None);
}
