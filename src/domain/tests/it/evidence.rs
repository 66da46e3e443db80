//! What a verdict rests on, in sentences.

use repoint_domain::report::evidence;
use repoint_domain::report::status::member_reports;

use crate::support::evidence::{answer, observed, primary, replica, silence, view};

#[test]
fn each_member_is_a_sentence_and_claimants_come_first() {
    let mut seen = view(1, 4);
    seen.members[2].nofailover = true;
    let members = member_reports(&observed([
        silence(1),
        answer(2, primary(5), Ok(seen.clone())),
        answer(3, replica(4), Ok(seen)),
    ]));
    let sentences = [
        "pg2 answers that it is the primary, on timeline 5.",
        "pg3 answers; its role: replica, streaming, on timeline 4.",
        "pg1 does not answer: GET /primary on a test: connection refused.",
    ];
    assert_eq!(evidence(&members), sentences);
    assert_eq!(members[2].tags, ["nofailover"]);
}

#[test]
fn a_leader_that_does_not_claim_to_be_one_is_named() {
    let members = member_reports(&observed([answer(1, replica(4), Ok(view(1, 4)))]));
    let sentence =
        "pg1 is listed as the leader and does not answer that it is the primary, running, on timeline 4.";
    assert_eq!(evidence(&members)[0], sentence);
}
