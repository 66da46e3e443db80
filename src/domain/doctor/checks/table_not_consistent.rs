//! Whether the state table is one and the same in every Region.

use crate::doctor::check::{Check, Judge, Judgement, Severity, fine, wrong};
use crate::doctor::facts::Facts;
use crate::doctor::subject::known;

pub const CHECK: Check = Check {
    id: "table_not_consistent",
    severity: Severity::Critical,
    title: "The state table is a global one whose Regions agree only later",
    why: "The lease and the highest timeline rest on conditional writes. In a global table with eventual consistency two Regions can \
          make the same write at the same time: both succeed, and one of them is lost a second later.",
    link: "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/multi-region-strong-consistency-gt.html",
    judge: Judge::Setup(judge),
};

fn judge(facts: &Facts) -> Judgement {
    let Some(table) = &facts.table else { return fine() };
    let table = known(Some(table))?;
    if table.replicas.is_empty() || table.is_strongly_consistent {
        return fine();
    }
    wrong(
        format!(
            "{} is replicated to {}, and MultiRegionConsistency is not STRONG",
            table.name,
            table.replicas.join(", ")
        ),
        "use a table of one Region, by its ARN in `state.dynamodb_table` where processes are in several; or a global table with \
         multi-Region strong consistency",
    )
}
