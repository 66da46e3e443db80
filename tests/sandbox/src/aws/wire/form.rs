//! Reading the query protocol: `Targets.member.1.Id=…&Targets.member.1.Port=…`.
//!
//! What is not there is `None`; what cannot be read is an error that names the parameter.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::super::error::AwsError;

/// The parameters of a request, or those of one of its lists' members.
#[derive(Debug)]
pub(super) struct Form {
    values: BTreeMap<String, String>,
}

impl Form {
    pub(super) fn new(body: &[u8]) -> Self {
        Self { values: form_urlencoded::parse(body).into_owned().collect() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(super) fn need(&self, name: &str) -> Result<&str, AwsError> {
        let words = || format!("The request must contain the parameter {name}");
        self.get(name).ok_or_else(|| AwsError::new("MissingParameter", words()))
    }

    pub(super) fn parse<T: FromStr>(&self, name: &str) -> Result<Option<T>, AwsError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let words = || format!("Value ({value}) for parameter {name} is invalid");
        value.parse().map(Some).map_err(|_| AwsError::new("InvalidParameterValue", words()))
    }

    /// The members of a list, e.g. of `Targets.member`, in the order of their numbers.
    pub(super) fn list(&self, name: &str) -> Vec<Form> {
        let mut members: BTreeMap<u32, BTreeMap<String, String>> = BTreeMap::new();
        let prefix = format!("{name}.");
        for (key, value) in
            self.values.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix))
        {
            let rest = &key[prefix.len()..];
            let (number, inner) = rest.split_once('.').unwrap_or((rest, ""));
            if let Ok(number) = number.parse() {
                members.entry(number).or_default().insert(inner.to_owned(), value.clone());
            }
        }
        members.into_values().map(|values| Form { values }).collect()
    }

    /// The members of a list of plain values.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.list(name).into_iter().filter_map(|mut member| member.values.remove("")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn lists_are_in_the_order_of_numbers() {
        let mut body = String::from("Action=X");
        for n in (1..=11).rev() {
            write!(body, "&Targets.member.{n}.Id=t{n}&Arns.member.{n}=a%2F{n}").unwrap();
        }
        let form = Form::new(body.as_bytes());
        let ids: Vec<String> =
            form.list("Targets.member").iter().map(|it| it.get("Id").unwrap().to_owned()).collect();
        assert_eq!((ids[1].as_str(), ids[10].as_str()), ("t2", "t11"));
        assert_eq!(form.texts("Arns.member")[9], "a/10");
    }
}
