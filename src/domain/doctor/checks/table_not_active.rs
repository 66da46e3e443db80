//! Whether the state table can be used.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::facts::Facts;
use crate::doctor::subject::known;

pub const CHECK: Check = Check {
    id: "table_not_active",
    severity: Severity::Critical,
    title: "The state table is not active",
    why: "repoint changes nothing while its state cannot be read and written: the next failover is held.",
    link: "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let Some(table) = &facts.table else { return fine() };
    let table = known(Some(table))?;
    // It can be read and written while it is being changed.
    if matches!(table.status.as_str(), "ACTIVE" | "UPDATING") {
        return fine();
    }
    let name = &table.name;
    let remedy = match table.status.as_str() {
        "INACCESSIBLE_ENCRYPTION_CREDENTIALS" => {
            format!(
                "enable the table's key: aws kms enable-key --key-id KEY (SSEDescription of the table {name} has its ARN)"
            )
        }
        _ => format!(
            "aws dynamodb wait table-exists --table-name {name}; after DELETING or ARCHIVED, restore it: aws dynamodb \
             restore-table-to-point-in-time --source-table-name {name} --target-table-name NAME --use-latest-restorable-time"
        ),
    };
    wrong(format!("TableStatus is {} for {name}", table.status), remedy)
}
