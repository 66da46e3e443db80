//! The key of the state table.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::facts::Facts;
use crate::doctor::subject::known;

pub const CHECK: Check = Check {
    id: "table_key_wrong",
    severity: Severity::Critical,
    title: "The state table has another key",
    why: "repoint reads and writes one item for each cluster by the key scope, a string, without a sort key. DynamoDB refuses that \
          in a table with another key, and repoint changes nothing without its state.",
    link: "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithTables.Basics.html",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let Some(table) = &facts.table else { return fine() };
    let table = known(Some(table))?;
    if let [(name, kind, of_type)] = &table.key[..]
        && (name.as_str(), kind.as_str(), of_type.as_str()) == ("scope", "HASH", "S")
    {
        return fine();
    }
    let key: Vec<String> =
        table.key.iter().map(|(name, kind, of_type)| format!("{name} ({kind}, {of_type})")).collect();
    wrong(
        format!("the key of {} is {}", table.name, key.join(", ")),
        format!(
            "aws dynamodb create-table --table-name {0}-state --billing-mode PAY_PER_REQUEST --attribute-definitions \
             AttributeName=scope,AttributeType=S --key-schema AttributeName=scope,KeyType=HASH; then in [state]: dynamodb_table = \
             \"{0}-state\"",
            table.name
        ),
    )
}
