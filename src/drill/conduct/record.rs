//! What is noted while a drill is made, for its report.

use repoint_domain::decide::verdict::Verdict;
use repoint_domain::drill::attempts::Client;
use repoint_domain::drill::gates::Gate;
use repoint_domain::drill::report::{DrillReport, Mode, Outcome, VERSION};
use repoint_domain::drill::rows::Rows;
use repoint_domain::drill::timeline::{Event, Source, timeline};
use repoint_domain::history::HistoryEvent;
use repoint_domain::observed::Observed;
use repoint_domain::report::describe;
use repoint_domain::report::status::{ClusterStatus, MemberReport, Standing, member_changes, member_reports};
use repoint_domain::spec::Spec;
use repoint_domain::values::cluster::MemberName;
use repoint_domain::values::primary::Primary;
use repoint_domain::values::utc::Utc;

/// The most events of members that are kept; a flapping cluster makes more.
const MOST_EVENTS: usize = 500;

pub struct Record {
    pub began: Utc,
    pub gates: Vec<Gate>,
    pub from: Option<MemberName>,
    pub to: Option<MemberName>,
    pub requested_ms: Option<u64>,
    pub promoted_ms: Option<u64>,
    pub rejoined_ms: Option<u64>,
    pub notes: Vec<String>,
    events: Vec<Event>,
    last: Option<Vec<MemberReport>>,
    /// The primary that was seen first, and the last one.
    first_primary: Option<Primary>,
    pub primary: Option<Primary>,
}

impl Record {
    pub fn new(began: Utc) -> Self {
        Self {
            began,
            gates: Vec::new(),
            from: None,
            to: None,
            requested_ms: None,
            promoted_ms: None,
            rejoined_ms: None,
            notes: Vec::new(),
            events: Vec::new(),
            last: None,
            first_primary: None,
            primary: None,
        }
    }

    /// Something that the drill did.
    pub fn did(&mut self, at_ms: u64, what: impl Into<String>) {
        self.events.push(Event::new(at_ms, Source::Drill, what));
    }

    /// What the members say: changes are events, and a primary on a later timeline is a promotion.
    pub fn members(&mut self, at_ms: u64, observed: &Observed, verdict: &Verdict) {
        let members = member_reports(observed);
        if let Some(last) = &self.last {
            let room = MOST_EVENTS.saturating_sub(self.events.len());
            let changes = member_changes(last, &members).into_iter().take(room);
            self.events.extend(changes.map(|change| Event::new(at_ms, Source::Patroni, change)));
        }
        self.last = Some(members);
        let Verdict::Primary(primary) = verdict else { return };
        let first = self.first_primary.get_or_insert_with(|| primary.clone());
        if self.promoted_ms.is_none() && primary.timeline > first.timeline {
            self.promoted_ms = Some(at_ms);
            let name = primary.label().unwrap_or_else(|| "an unnamed member".to_owned());
            let what = format!("{name} is the primary, on timeline {}", primary.timeline);
            self.events.push(Event::new(at_ms, Source::Patroni, what));
            self.from = self.from.take().or_else(|| first.member.clone());
        }
        if self.promoted_ms.is_some() {
            self.to.clone_from(&primary.member);
        }
        self.primary = Some(primary.clone());
    }

    /// Endpoints that do not follow the new primary.
    pub fn endpoints_after(&mut self, status: &ClusterStatus) {
        let differs = status.endpoints.iter().filter(|endpoint| endpoint.standing == Standing::Differs);
        let names: Vec<String> = differs.map(|endpoint| describe(&endpoint.endpoint)).collect();
        if !names.is_empty() {
            self.notes.push(format!(
                "no repoint process has moved {}: `repoint watch`, a callback or cron has to run; `repoint run` moves it now",
                names.join(", ")
            ));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a report is made of all this, once")]
    pub fn report(
        self,
        spec: &Spec,
        mode: Mode,
        outcome: Outcome,
        message: String,
        attempts: Vec<Client>,
        rows: Option<Rows>,
        history: &[HistoryEvent],
    ) -> DrillReport {
        let is_measured = outcome != Outcome::Refused || self.requested_ms.is_some();
        let attempts = if is_measured { attempts } else { Vec::new() };
        DrillReport {
            version: VERSION,
            scope: spec.scope.clone(),
            name: spec.name.clone(),
            mode,
            outcome,
            message,
            began: self.began,
            from: self.from,
            to: self.to,
            gates: self.gates,
            requested_ms: self.requested_ms,
            promoted_ms: self.promoted_ms,
            rejoined_ms: self.rejoined_ms,
            clients: attempts.iter().map(Client::report).collect(),
            rows,
            timeline: timeline(self.events, history, &attempts, self.began),
            notes: self.notes,
            way_back: None,
            attempts,
        }
    }
}
