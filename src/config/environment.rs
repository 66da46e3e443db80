//! Environment variables that override the file.
//!
//! An unknown variable that begins with `REPOINT_` is an error, as an unknown key is: a misspelt one would otherwise
//! be ignored silently.

use std::collections::BTreeMap;

use super::problem::Problem;

/// Read elsewhere: the path of the file, the file's text for a Lambda, and the log filter.
const OTHERS: [&str; 3] = ["REPOINT_CONFIG", "REPOINT_CONFIG_INLINE", "REPOINT_LOG"];

/// The variables that affect the configuration.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// Takes the variables that begin with `REPOINT_`, those by which AWS's own tools choose the Region and endpoint, and those
    /// by which PostgreSQL's choose a server.
    #[must_use]
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let known = [
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "HOME",
        ];
        let is_known =
            |name: &str| name.starts_with("REPOINT_") || name.starts_with("PG") || known.contains(&name);
        let variables =
            variables.into_iter().filter(|(name, value)| !value.is_empty() && is_known(name)).collect();
        Self { variables }
    }

    /// The value of a variable, and the name under which it was found.
    #[must_use]
    pub fn get<'a>(&'a self, names: &[&'a str]) -> Option<(&'a str, &'a str)> {
        names.iter().find_map(|name| Some((*name, self.variables.get(*name)?.as_str())))
    }

    /// Variables that begin with `REPOINT_` and are unknown.
    #[must_use]
    pub fn unknown(&self, known: &[&str]) -> Vec<Problem> {
        let ours = self.variables.keys().filter(|name| name.starts_with("REPOINT_"));
        ours.filter(|name| !known.contains(&name.as_str()) && !OTHERS.contains(&name.as_str()))
            .map(|name| {
                Problem::of_variable(name, "unknown variable").with_hint(format!(
                    "the variables are {}, {}",
                    OTHERS.join(", "),
                    known.join(", ")
                ))
            })
            .collect()
    }
}
