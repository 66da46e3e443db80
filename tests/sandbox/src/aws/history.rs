//! A value with its past, for reads that lag behind.
//!
//! What a lagging read has shown, a later lagging read shows too; only as much past is kept as the lag needs.

use std::collections::VecDeque;

use crate::Millis;

/// The states of a value, oldest first.
#[derive(Clone, Debug)]
pub struct History<T> {
    states: VecDeque<(Millis, T)>,
    /// Before the oldest state there was another one, which is forgotten.
    cut: bool,
}

impl<T: Clone> History<T> {
    /// The value came into being at `now`.
    pub fn new(now: Millis, value: T) -> Self {
        Self { states: VecDeque::from([(now, value)]), cut: false }
    }

    /// The value as it is now.
    pub fn latest(&self) -> &T {
        // A history is never empty; the index cannot fail.
        &self.states[self.states.len() - 1].1
    }

    /// For changes that no reader sees, such as a counter on the way to a new state.
    pub fn latest_mut(&mut self) -> &mut T {
        let last = self.states.len() - 1;
        &mut self.states[last].1
    }

    /// A change at `now`, to be made through the result. `keep` is how far back readers may read.
    pub fn change(&mut self, now: Millis, keep: Millis) -> &mut T {
        let last = self.states.len() - 1;
        let now = now.max(self.states[last].0);
        if keep > 0 {
            let copy = self.states[last].1.clone();
            self.states.push_back((now, copy));
            // The newest state that is older than the horizon is still what a reader there sees.
            while self.states.len() > 1 && self.states[1].0 + keep <= now {
                self.states.pop_front();
                self.cut = true;
            }
        } else {
            while self.states.len() > 1 {
                self.states.pop_front();
            }
            self.cut = true;
        }
        self.latest_mut()
    }

    /// The value at a time; `None` before it came into being.
    pub fn at(&self, time: Millis) -> Option<&T> {
        let seen = self.states.iter().rev().find(|(since, _)| *since <= time);
        seen.or_else(|| self.states.front().filter(|_| self.cut)).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_sees_the_value_of_its_time() {
        let mut history = History::new(10, 'a');
        *history.change(20, 100) = 'b';
        *history.change(30, 100) = 'c';
        let seen: Vec<_> = [9, 10, 19, 20, 35].iter().map(|time| history.at(*time).copied()).collect();
        assert_eq!(seen, [None, Some('a'), Some('a'), Some('b'), Some('c')]);
    }

    #[test]
    fn the_past_beyond_the_horizon_is_forgotten() {
        let mut history = History::new(0, 0_u64);
        for now in 1..1000 {
            *history.change(now, 10) = now;
        }
        assert!(history.states.len() <= 12, "{} states", history.states.len());
        assert_eq!(history.at(989), Some(&989));
    }

    #[test]
    fn without_lag_there_is_only_the_present() {
        let mut history = History::new(0, 'a');
        *history.change(5, 0) = 'b';
        assert_eq!((history.states.len(), history.at(0)), (1, Some(&'b')));
    }
}
