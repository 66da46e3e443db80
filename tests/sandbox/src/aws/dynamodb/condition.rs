//! Condition expressions, as far as a compare-and-swap needs them.
//!
//! What is not understood is refused, never guessed. AND binds tighter than OR; there are no brackets but those
//! of `attribute_exists` and `attribute_not_exists`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Condition, Item};

/// What `#name` and `:value` stand for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    /// `ExpressionAttributeNames`.
    pub names: BTreeMap<String, String>,
    /// `ExpressionAttributeValues`, in DynamoDB's own JSON.
    pub values: BTreeMap<String, Value>,
}

/// Whether the condition holds for the item; `Err` says why it is no condition.
pub(super) fn holds(condition: &Condition, item: &Item) -> Result<bool, String> {
    if condition.expression.trim().is_empty() {
        return Ok(true);
    }
    let tokens = tokens(&condition.expression)?;
    let mut holds = false;
    // Every term is read, so that a bad one is refused whatever the others say.
    for alternative in tokens.split(|token| token.eq_ignore_ascii_case("or")) {
        let mut all = true;
        for term in alternative.split(|token| token.eq_ignore_ascii_case("and")) {
            all &= term_holds(term, &condition.names, item)?;
        }
        holds |= all;
    }
    Ok(holds)
}

fn term_holds(term: &[String], names: &Names, item: &Item) -> Result<bool, String> {
    let term: Vec<&str> = term.iter().map(String::as_str).collect();
    match term.as_slice() {
        ["attribute_not_exists", "(", path, ")"] => Ok(!item.contains_key(names.attribute(path)?)),
        ["attribute_exists", "(", path, ")"] => Ok(item.contains_key(names.attribute(path)?)),
        [path, "=", value] if value.starts_with(':') => {
            Ok(item.get(names.attribute(path)?) == Some(names.value(value)?))
        }
        [path, "<>", value] if value.starts_with(':') => {
            Ok(item.get(names.attribute(path)?) != Some(names.value(value)?))
        }
        [path, "<", value] if value.starts_with(':') => {
            let number = |value: &Value| value["N"].as_str().and_then(|number| number.parse::<f64>().ok());
            let (stored, given) = (item.get(names.attribute(path)?), names.value(value)?);
            Ok(stored.and_then(number).zip(number(given)).is_some_and(|(stored, given)| stored < given))
        }
        other => {
            let words = "Invalid ConditionExpression: Syntax error";
            Err(format!("{words}; near: \"{}\"", other.join(" ")))
        }
    }
}

impl Names {
    fn attribute<'a>(&'a self, path: &'a str) -> Result<&'a str, String> {
        let undefined = || {
            let words = "Invalid ConditionExpression: An expression attribute name used in the document path is not defined";
            format!("{words}; attribute name: {path}")
        };
        if path.starts_with('#') {
            self.names.get(path).map(String::as_str).ok_or_else(undefined)
        } else {
            Ok(path)
        }
    }

    fn value(&self, name: &str) -> Result<&Value, String> {
        let words =
            "Invalid ConditionExpression: An expression attribute value used in expression is not defined";
        self.values.get(name).ok_or_else(|| format!("{words}; attribute value: {name}"))
    }
}

fn tokens(expression: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || "_-:#.".contains(c);
        let length = match first {
            '<' if rest.starts_with("<>") => 2,
            '(' | ')' | '=' | '<' => 1,
            c if word(c) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
            other => return Err(format!("Invalid ConditionExpression: Syntax error; token: \"{other}\"")),
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn evaluated(expression: &str, item: &Value) -> Result<bool, String> {
        let names = Names {
            names: BTreeMap::from([("#r".to_owned(), "revision".to_owned())]),
            values: BTreeMap::from([
                (":one".to_owned(), json!({"N": "1"})),
                (":a".to_owned(), json!({"S": "a"})),
            ]),
        };
        let condition = Condition { expression: expression.to_owned(), names };
        holds(&condition, item.as_object().unwrap())
    }

    #[test]
    fn a_compare_and_swap() {
        let expression = "attribute_not_exists(scope) OR #r = :one";
        assert_eq!(evaluated(expression, &json!({})), Ok(true));
        assert_eq!(evaluated(expression, &json!({"scope": {"S": "x"}, "revision": {"N": "1"}})), Ok(true));
        assert_eq!(evaluated(expression, &json!({"scope": {"S": "x"}, "revision": {"N": "2"}})), Ok(false));
    }

    #[test]
    fn a_number_is_less_than_another_by_its_value() {
        assert_eq!(evaluated("#r < :one", &json!({"revision": {"N": "0"}})), Ok(true));
        for other in [json!({"revision": {"N": "1"}}), json!({"revision": {"S": "0"}}), json!({})] {
            assert_eq!(evaluated("#r < :one", &other), Ok(false));
        }
    }

    #[test]
    fn and_binds_tighter_than_or() {
        let item = json!({"revision": {"N": "2"}, "name": {"S": "a"}});
        assert_eq!(evaluated("name = :a OR name = :a AND revision = :one", &item), Ok(true));
        assert_eq!(
            evaluated("name = :a AND revision = :one OR attribute_not_exists(name)", &item),
            Ok(false)
        );
    }

    #[test]
    fn a_number_is_not_a_text() {
        assert_eq!(evaluated("revision = :one", &json!({"revision": {"S": "1"}})), Ok(false));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for bad in
            ["size(a) > :one", "revision = :two", "#x = :one", "(revision = :one)", "revision = 1", "a ; b"]
        {
            assert!(evaluated(bad, &json!({})).is_err(), "{bad}");
        }
    }
}
