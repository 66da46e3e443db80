//! Time: what is due next, and doing it.
//!
//! Jumps from event to event. Events of one moment run in the order of [`Due`], then of the members.

use super::cluster::Cluster;
use super::event::EventKind;
use super::member::{MemberId, Process, Task};
use crate::Millis;

/// What can be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    LeaderKeyRunsOut,
    MemberKeyRunsOut(MemberId),
    Task(MemberId),
    DcsGivesUp(MemberId),
    Loop(MemberId),
}

impl Cluster {
    /// Runs everything that is due until `now`, in order.
    pub fn advance(&mut self, now: Millis) {
        while let Some((at, due)) = self.next_due() {
            if at > now {
                break;
            }
            // Something postponed is done when it can be, not when it was planned.
            let at = at.max(self.now);
            self.now = at;
            self.run(at, due);
        }
        self.now = self.now.max(now);
    }

    /// When something is due next, if anything ever is.
    #[must_use]
    pub fn next_event(&self) -> Option<Millis> {
        self.next_due().map(|(at, _)| at)
    }

    fn run(&mut self, at: Millis, due: Due) {
        match due {
            Due::LeaderKeyRunsOut => {
                self.dcs.set_leader(at, None);
                self.emit(at, EventKind::KeyRanOut);
                self.wake_all(at);
            }
            Due::MemberKeyRunsOut(id) => self.dcs.remove_key(at, id),
            Due::Task(id) => {
                if let Some((_, task)) = self.members[id].task.take() {
                    self.finish(id, at, task);
                }
            }
            Due::DcsGivesUp(id) => self.give_up_dcs(id, at),
            Due::Loop(id) => self.run_loop(id, at),
        }
    }

    fn next_due(&self) -> Option<(Millis, Due)> {
        let mut next: Option<(Millis, Due)> = None;
        let mut offer = |at: Millis, due: Due| {
            if next.is_none_or(|next| (at, due) < next) {
                next = Some((at, due));
            }
        };
        if self.dcs.outage.is_none() {
            if self.dcs.current().leader.is_some() {
                offer(self.dcs.leader_expires, Due::LeaderKeyRunsOut);
            }
            for (id, expires) in &self.dcs.expires {
                offer(*expires, Due::MemberKeyRunsOut(*id));
            }
        }
        for (index, member) in self.members.iter().enumerate() {
            let id = MemberId(index);
            let running = member.process == Process::Running;
            if let Some((at, task)) = member.task {
                // What PostgreSQL has begun goes on without Patroni.
                let postgres_alone =
                    matches!(task, Task::Promote | Task::StartReplica | Task::RecoverPrimary)
                        && matches!(member.process, Process::Hung | Process::Killed);
                if running || postgres_alone {
                    offer(at, Due::Task(id));
                }
            }
            if running {
                match member.dcs_gives_up {
                    Some(at) => offer(at, Due::DcsGivesUp(id)),
                    None => offer(member.next_loop, Due::Loop(id)),
                }
            }
        }
        next
    }

    /// The leader key changed: every Patroni that watches it runs its loop at once, one after the other.
    pub(super) fn wake_all(&mut self, now: Millis) {
        for id in self.ids() {
            if self.reaches_dcs(id) {
                self.wake(id, now);
            }
        }
    }

    pub(super) fn wake(&mut self, id: MemberId, now: Millis) {
        let at = now + self.settings.reaction + id.0 as Millis;
        let member = &mut self.members[id];
        member.next_loop = member.next_loop.min(at);
    }
}
