//! The sequence of a drill: clients, gates, the confirmation, the switchover, and what is left in order afterwards.
//!
//! The switchover is requested once. Where its end is not clear, the members are asked, and what they say is reported. A
//! signal may come at any moment: the report then says what state things are in.

mod measure;
mod record;

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tracing::info;

use self::measure::Measured;
use self::record::Record;
use super::clients::{Clients, Stopwatch};
use super::endpoint::Endpoint;
use super::table::Table;
use crate::adapters::patroni::switchover::BasicAuth;
use crate::app::{App, Survey};
use repoint_domain::doctor::report::DoctorReport;
use repoint_domain::drill::gates::{
    self, Evidence, GOOD_FOR_MS, Gate, GateId, Switch, all_passed, judge, members_are_whole,
};
use repoint_domain::drill::report::{DrillReport, Mode, Outcome};
use repoint_domain::spec::Spec;
use repoint_domain::values::cluster::MemberName;
use repoint_domain::values::units::{duration, seconds};

/// How long clients may take until they have been good for as long as the gate wants.
const CLIENTS_WITHIN: Duration = Duration::from_secs(30);
/// How often something is asked that costs AWS nothing.
const ASKED_EVERY: Duration = Duration::from_millis(100);
/// From when on what was judged is judged again after a confirmation.
const FRESH_FOR: Duration = Duration::from_secs(2);
/// How long writers may take to write their first rows.
const FIRST_ROWS_WITHIN: Duration = Duration::from_secs(10);
/// How long the old primary may take to stream again; `pg_rewind`, and a restart, included.
const REJOINS_WITHIN: Duration = Duration::from_mins(5);

/// What is asked for.
pub struct Request<'a> {
    /// The cluster.
    pub spec: &'a Spec,
    /// The member that is to take over.
    pub to: Option<MemberName>,
    /// Where writers connect to; one at least.
    pub writers: Vec<Endpoint>,
    /// Where readers connect to.
    pub readers: Vec<Endpoint>,
    /// The table in which commits are counted.
    pub table: Option<Table>,
    /// How Patroni lets a switchover through.
    pub auth: Option<BasicAuth>,
    /// What the doctor reports; `None` where it was not asked.
    pub doctor: Option<DoctorReport>,
    /// Whether a drill there has just been made.
    pub is_way_back: bool,
}

/// An operator's answer.
pub enum Confirmation {
    /// The scope was given.
    Given,
    /// It was not, and why.
    Missing(String),
}

/// Who makes the drill.
pub trait Operator {
    /// Shows the gates and asks for the scope.
    fn confirm(&self, switch: &Switch, gates: &[Gate]) -> impl Future<Output = Confirmation>;

    /// Shows how far the drill is.
    fn progress(&self, line: String);

    /// Waits for a signal that is to end the drill.
    fn interrupted(&self) -> impl Future<Output = ()>;
}

/// How a step ended that did not end as it should.
struct Stopped {
    outcome: Outcome,
    message: String,
}

impl Stopped {
    fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        Self { outcome, message: message.into() }
    }

    fn by_signal(state: &str) -> Self {
        Self::new(Outcome::Interrupted, format!("a signal ended the drill; {state}"))
    }
}

/// A drill under way.
struct Drill<'a, O> {
    app: &'a App,
    operator: &'a O,
    request: &'a Request<'a>,
    stopwatch: Stopwatch,
    clients: Clients,
    record: Record,
    /// Whether the table is there, by this drill.
    has_table: bool,
    /// Whether the drill is recorded in the state.
    is_recorded: bool,
}

/// Makes a drill that asks Patroni for a switchover.
pub async fn switch_over(app: &App, operator: &impl Operator, request: &Request<'_>) -> DrillReport {
    let mut drill = Drill::new(app, operator, request);
    let ended = drill.switch_over().await;
    drill.end(Mode::Switchover, ended).await
}

/// Measures what happens, until it is over or a signal comes.
pub async fn observe(app: &App, operator: &impl Operator, request: &Request<'_>) -> DrillReport {
    let mut drill = Drill::new(app, operator, request);
    let ended = drill.observe().await;
    drill.end(Mode::Observe, ended).await
}

impl<'a, O: Operator> Drill<'a, O> {
    fn new(app: &'a App, operator: &'a O, request: &'a Request<'a>) -> Self {
        let stopwatch = Stopwatch::started();
        Self {
            app,
            operator,
            request,
            stopwatch,
            clients: Clients::start(&request.writers, &request.readers, stopwatch),
            record: Record::new(app.now()),
            has_table: false,
            is_recorded: false,
        }
    }

    async fn switch_over(&mut self) -> Result<String, Stopped> {
        const UNCHANGED: &str = "no switchover was requested, and nothing was changed";
        self.clients_are_good(UNCHANGED).await?;
        let mut survey = self.survey(UNCHANGED).await?;
        let mut switch = self.pass_gates(&survey, Vec::new())?;
        let asked = Instant::now();
        let confirmation = tokio::select! {
            biased;
            () = self.operator.interrupted() => return Err(Stopped::by_signal(UNCHANGED)),
            confirmation = self.operator.confirm(&switch, &self.record.gates) => confirmation,
        };
        let scope = &self.request.spec.scope;
        let confirmed = Gate::of(
            GateId::Scope,
            match confirmation {
                Confirmation::Given => Ok(format!("{scope} was confirmed")),
                Confirmation::Missing(why) => Err(why),
            },
        );
        if asked.elapsed() > FRESH_FOR {
            survey = self.survey(UNCHANGED).await?;
        }
        switch = self.pass_gates(&survey, vec![confirmed])?;
        let recorded = tokio::select! {
            biased;
            () = self.operator.interrupted() => return Err(Stopped::by_signal(UNCHANGED)),
            recorded = self.app.begin_drill(self.request.spec) => recorded,
        };
        // A save whose answer was lost may have been made.
        self.is_recorded = true;
        recorded.map_err(|failure| Stopped::new(Outcome::Refused, format!("{failure}; {UNCHANGED}")))?;
        self.create_table(UNCHANGED).await?;
        let measured = self.measure(&switch, survey.observation.state.as_ref().ok()).await;
        self.clients.stop().await;
        let Measured { message, is_good } = measured?;
        let rejoined = self.wait_for_members(survey.observation.state.as_ref().ok(), &switch).await;
        match (is_good, rejoined) {
            (true, Ok(())) => Ok(message),
            (false, Ok(())) => Err(Stopped::new(Outcome::Failed, message)),
            (_, Err(stopped)) => {
                Err(Stopped { message: format!("{message}; {}", stopped.message), ..stopped })
            }
        }
    }

    async fn observe(&mut self) -> Result<String, Stopped> {
        let nothing = "nothing was changed";
        self.clients_are_good(nothing).await?;
        let survey = self.survey(nothing).await?;
        let gate = gates::clients(&self.clients.health());
        let is_passed = all_passed(std::slice::from_ref(&gate));
        self.record.gates = vec![gate];
        if !is_passed {
            return Err(Stopped::new(
                Outcome::Refused,
                "not every client is good before anything has happened",
            ));
        }
        self.create_table(nothing).await?;
        let Measured { message, is_good } = self.watch(&survey).await;
        self.clients.stop().await;
        if is_good { Ok(message) } else { Err(Stopped::new(Outcome::Failed, message)) }
    }

    /// Waits until every client has been good for long enough, or will not be.
    async fn clients_are_good(&mut self, state: &str) -> Result<(), Stopped> {
        let give_up_at = Instant::now() + CLIENTS_WITHIN;
        info!("{} clients run for {}", self.clients.health().len(), duration(GOOD_FOR_MS));
        loop {
            let health = self.clients.health();
            let least =
                health.iter().map(|client| client.good_for_ms.unwrap_or_default()).min().unwrap_or_default();
            if least >= GOOD_FOR_MS || Instant::now() >= give_up_at {
                return Ok(());
            }
            self.operator.progress(format!(
                "clients are good for {} of {}",
                seconds(least / 1000),
                seconds(GOOD_FOR_MS / 1000)
            ));
            tokio::select! {
                biased;
                () = self.operator.interrupted() => return Err(Stopped::by_signal(state)),
                () = sleep(ASKED_EVERY) => {}
            }
        }
    }

    async fn survey(&mut self, state: &str) -> Result<Survey, Stopped> {
        self.operator.progress("members and endpoints are read".to_owned());
        let survey = tokio::select! {
            biased;
            () = self.operator.interrupted() => return Err(Stopped::by_signal(state)),
            survey = self.app.survey(self.request.spec) => survey,
        };
        self.operator.progress(String::new());
        self.record.members(self.stopwatch.ms(), &survey.observation.observed, &survey.observation.verdict);
        Ok(survey)
    }

    /// Judges every gate.
    fn pass_gates(&mut self, survey: &Survey, more: Vec<Gate>) -> Result<Switch, Stopped> {
        let observation = &survey.observation;
        let (mut gates, switch) = judge(Evidence {
            spec: self.request.spec,
            observed: &observation.observed,
            state: &observation.state,
            verdict: &observation.verdict,
            status: &survey.status,
            doctor: self.request.doctor.as_ref(),
            wanted: self.request.to.as_ref(),
            by: self.app.identity(),
            is_way_back: self.request.is_way_back,
            now: survey.at,
        });
        gates.push(gates::clients(&self.clients.health()));
        gates.extend(more);
        self.record.gates = gates;
        if let Some(switch) = &switch {
            (self.record.from, self.record.to) = (Some(switch.from.clone()), Some(switch.to.clone()));
        }
        switch.filter(|_| all_passed(&self.record.gates)).ok_or_else(|| {
            let refused = self.record.gates.iter().filter(|gate| gate.result == gates::GateResult::Refused);
            let names: Vec<&str> = refused.map(|gate| gate.gate.as_str()).collect();
            let message = format!("refused by: {}; nothing was changed", names.join(", "));
            Stopped::new(Outcome::Refused, message)
        })
    }

    /// Creates the table, and waits until every writer has written to it.
    async fn create_table(&mut self, state: &str) -> Result<(), Stopped> {
        let (Some(table), Some(endpoint)) = (&self.request.table, self.request.writers.first()) else {
            return Ok(());
        };
        table
            .create(endpoint)
            .await
            .map_err(|why| Stopped::new(Outcome::Refused, format!("{why}; {state}")))?;
        self.has_table = true;
        info!("table {} was created", table.name());
        self.clients.write_to(table);
        let wanted = self.request.writers.len() * 4;
        let written = async {
            while self.clients.acknowledged() < wanted {
                sleep(ASKED_EVERY).await;
            }
        };
        tokio::select! {
            biased;
            () = self.operator.interrupted() => Err(Stopped::by_signal(state)),
            written = timeout(FIRST_ROWS_WITHIN, written) => written.map_err(|_| {
                let message = format!("writers cannot write to the table {}; {state}", table.name());
                Stopped::new(Outcome::Refused, message)
            }),
        }
    }

    /// Waits until the old primary streams again.
    async fn wait_for_members(
        &mut self,
        state: Option<&repoint_domain::state::State>,
        switch: &Switch,
    ) -> Result<(), Stopped> {
        let mut members = self.app.member_watch(self.request.spec, state);
        let began = Instant::now();
        let mut is_logged = false;
        loop {
            let (observed, verdict) = tokio::select! {
                biased;
                () = self.operator.interrupted() => {
                    let state = format!("{} does not stream yet", switch.from);
                    return Err(Stopped::by_signal(&state));
                }
                answered = members.observe() => answered,
            };
            self.record.members(self.stopwatch.ms(), &observed, &verdict);
            match members_are_whole(self.request.spec, &observed, &verdict) {
                Ok(_) => {
                    self.record.rejoined_ms = Some(self.stopwatch.ms());
                    self.record.did(self.stopwatch.ms(), "every member streams");
                    info!("every member streams again");
                    return Ok(());
                }
                Err(why) if began.elapsed() >= REJOINS_WITHIN => {
                    let waited = seconds(REJOINS_WITHIN.as_secs());
                    return Err(Stopped::new(Outcome::Failed, format!("after {waited}: {why}")));
                }
                Err(why) => {
                    if !is_logged {
                        info!("waiting until every member streams: {why}");
                        is_logged = true;
                    }
                    let waited = seconds(began.elapsed().as_secs());
                    self.operator.progress(format!("waiting for every member to stream: {why} ({waited})"));
                    sleep(ASKED_EVERY).await;
                }
            }
        }
    }

    /// Leaves things in order, and makes the report.
    async fn end(mut self, mode: Mode, ended: Result<String, Stopped>) -> DrillReport {
        let (outcome, message) = match ended {
            Ok(message) => (Outcome::Done, message),
            Err(Stopped { outcome, message }) => (outcome, message),
        };
        self.operator.progress("ending".to_owned());
        self.clients.stop().await;
        let was_requested = self.record.requested_ms.is_some();
        let rows = self.count_rows().await;
        if was_requested || mode == Mode::Observe {
            let survey = self.app.survey(self.request.spec).await;
            self.record.endpoints_after(&survey.status);
        }
        if self.is_recorded
            && let Err(failure) = self.app.end_drill(self.request.spec).await
        {
            let note = format!("the state still says that a drill is under way, for 15 minutes: {failure}");
            self.record.notes.push(note);
        }
        let history = self.app.events_since(self.request.spec, self.record.began).await;
        self.operator.progress(String::new());
        self.record.report(self.request.spec, mode, outcome, message, self.clients.so_far(), rows, &history)
    }

    /// Counts the rows, and drops the table if none was lost.
    async fn count_rows(&mut self) -> Option<repoint_domain::drill::rows::Rows> {
        let table = self.request.table.as_ref().filter(|_| self.has_table)?;
        let endpoint = self.request.writers.first()?;
        let stored = match table.stored(endpoint).await {
            Ok(stored) => stored,
            Err(why) => {
                self.record
                    .notes
                    .push(format!("the rows could not be counted, and the table is left: {why}"));
                return None;
            }
        };
        let rows = repoint_domain::drill::rows::Rows::count(table.name(), &self.clients.rows(), &stored);
        if rows.lost > 0 {
            self.record.notes.push(format!("rows were lost: the table {} is left as it is", table.name()));
        } else if let Err(why) = table.drop(endpoint).await {
            self.record.notes.push(format!("the table is left: {why}"));
        }
        Some(rows)
    }
}
