//! Whether the state table can be deleted by mistake.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::facts::Facts;
use crate::doctor::subject::known;

pub const CHECK: Check = Check {
    id: "table_unprotected",
    severity: Severity::Info,
    title: "The state table has no deletion protection",
    why: "The table has the highest timeline of each cluster, which keeps an old primary from being followed. With the table, that \
          knowledge is gone.",
    link: "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithTables.Basics.html",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let Some(table) = &facts.table else { return fine() };
    let table = known(Some(table))?;
    if table.is_deletion_protected {
        return fine();
    }
    wrong(
        format!("DeletionProtectionEnabled is false for {}", table.name),
        format!("aws dynamodb update-table --table-name {} --deletion-protection-enabled", table.name),
    )
}
