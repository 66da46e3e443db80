//! What a run came to, in numbers.

use std::fmt;
use std::ops::AddAssign;

use repoint::runtime::commit::ACT_WITHIN;
use repoint_sandbox::http::sandbox::Asked;

use super::Moment;
use super::site::{Site, real_ms as ms};
use super::stop::Stopped;

#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    pub failovers: usize,
    pub passes: usize,
    pub writes: usize,
    pub stops: usize,
    /// Stops of a process that had leave to write.
    pub with_leave: usize,
    /// Of these, before its first write had come in: between commit and write.
    pub before_write: usize,
    /// Of these, for longer than the leave.
    pub too_long: usize,
    /// Of these, those that did not write before they had looked again.
    pub refused: usize,
    /// And those that did: stopped after the last check and before the request had left.
    pub late: usize,
    /// What these broke.
    pub broken: usize,
}

impl Figures {
    /// And the late ones in words.
    pub fn of(failovers: usize, passes: usize, stops: &[Stopped], site: &Site) -> (Self, Vec<String>) {
        let writes = site.writes().iter().filter(|write| write.is_done()).count();
        let mut figures = Self { failovers, passes, writes, ..Self::default() };
        let mut notes = Vec::new();
        for stop in stops {
            figures.stops += 1;
            figures.with_leave += usize::from(stop.has_leave);
            if !stop.has_leave || stop.written > 0 {
                continue;
            }
            figures.before_write += 1;
            if stop.plan.stays < ACT_WITHIN {
                continue;
            }
            figures.too_long += 1;
            let is_late = !sent_late(stop, site).is_empty();
            figures.late += usize::from(is_late);
            figures.refused += usize::from(!is_late);
            if is_late {
                notes.push(notified(stop, site));
            }
        }
        (figures, notes)
    }
}

/// The writes that a process sends after it was stopped, before it asks anything: they were checked before the stop.
pub fn sent_late(stop: &Stopped, site: &Site) -> Vec<Moment> {
    let is_write = |asked: &Asked| {
        matches!(&*asked.action, "RegisterTargets" | "DeregisterTargets" | "ChangeResourceRecordSets")
    };
    let after = site.asked(&stop.by, stop.until).into_iter();
    after.take_while(is_write).map(|asked| asked.at).collect()
}

/// What a process asked for before and after it was stopped, in milliseconds of real time.
fn notified(stop: &Stopped, site: &Site) -> String {
    let all = site.asked(&stop.by, 0);
    let (before, after): (Vec<&Asked>, Vec<&Asked>) = all.iter().partition(|asked| asked.at < stop.until);
    let before: Vec<String> = before
        .iter()
        .map(|asked| format!("{} {:.2}", asked.action, -ms(stop.from.saturating_sub(asked.at))))
        .collect();
    let after: Vec<String> =
        after.iter().map(|asked| format!("{} +{:.2}", asked.action, ms(asked.at - stop.until))).collect();
    format!(
        "late, {:?}, {:?}: {}; stopped for {:.0} ms; {}",
        site.state(),
        stop.plan.when,
        before.join(", "),
        ms(stop.until - stop.from),
        after.join(", ")
    )
}

impl Figures {
    /// Whether the check just before the write does its work. It leaves a moment between itself and the write, and stops
    /// are aimed at just that time; without it, every one that is stopped for too long would write all the same.
    pub fn is_fenced(&self) -> bool {
        self.late * 2 <= self.too_long + 2
    }
}

impl AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.failovers += other.failovers;
        self.passes += other.passes;
        self.writes += other.writes;
        self.stops += other.stops;
        self.with_leave += other.with_leave;
        self.before_write += other.before_write;
        self.too_long += other.too_long;
        self.refused += other.refused;
        self.late += other.late;
        self.broken += other.broken;
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} failovers, {} passes, {} writes; {} stops, {} with leave to write, {} of them before the first write, {} of \
             them for longer than the leave: {} refused to go on, {} wrote all the same, \
             and {} of their writes broke an invariant",
            self.failovers,
            self.passes,
            self.writes,
            self.stops,
            self.with_leave,
            self.before_write,
            self.too_long,
            self.refused,
            self.late,
            self.broken
        )
    }
}
