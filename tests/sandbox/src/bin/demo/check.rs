//! Whether every endpoint is right: checked against the models, never against what `repoint` reports.
//!
//! Pure; each difference is a sentence.

use repoint_sandbox::Millis;
use repoint_sandbox::http::sandbox::{Site, Write};

/// How things really are, by the names of members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// The members that take writes.
    pub writers: Vec<String>,
    /// The targets of the group.
    pub targets: Vec<String>,
    /// What the record points at.
    pub record: Vec<String>,
    /// The members that get new connections from the load balancer.
    pub routes: Vec<String>,
    /// The members that DNS names.
    pub resolved: Vec<String>,
}

impl Truth {
    pub fn of(site: &Site) -> Self {
        let name = |address: String| {
            let member = site.member_at(&address);
            member.map_or(address, |member| site.name(member).to_owned())
        };
        let names = |addresses: Vec<String>| addresses.into_iter().map(name).collect::<Vec<String>>();
        Self {
            writers: site
                .cluster
                .takes_writes()
                .into_iter()
                .map(|(member, _)| site.name(member).to_owned())
                .collect(),
            targets: names(site.targets()),
            record: names(site.values().into_values().flatten().collect()),
            routes: names(site.routes()),
            resolved: names(site.resolved()),
        }
    }

    /// Whether both endpoints are set to the one member that takes writes.
    pub fn is_set(&self) -> bool {
        self.writers.len() == 1 && self.targets == self.writers && self.record == self.writers
    }

    /// Whether clients get there too: AWS applies a change after a while.
    pub fn is_served(&self) -> bool {
        self.is_set() && self.routes == self.writers && self.resolved == self.writers
    }

    /// What is not as it should be when an act has ended.
    pub fn wrong(&self) -> Vec<String> {
        let [writer] = self.writers.as_slice() else {
            return vec![format!("{} take writes, and it should be one", listed(&self.writers))];
        };
        let places = [
            ("the target group holds", &self.targets),
            ("the record points at", &self.record),
            ("the load balancer sends new connections to", &self.routes),
            ("DNS answers with", &self.resolved),
        ];
        let is_wrong = |(_, found): &(&str, &Vec<String>)| **found != self.writers;
        let sentence = |(place, found): (&str, &Vec<String>)| {
            format!("{place} {}, and {writer} takes the writes", listed(found))
        };
        places.into_iter().filter(is_wrong).map(sentence).collect()
    }
}

/// Names in one text.
pub fn listed(names: &[String]) -> String {
    if names.is_empty() { "no member".to_owned() } else { names.join(" and ") }
}

/// Writes that point at another member than the newest primary of their time. `promotions` are addresses, oldest first.
pub fn strays(writes: &[Write], promotions: &[(Millis, String)]) -> Vec<String> {
    let primary_at = |at: Millis| promotions.iter().rev().find(|(since, _)| *since <= at);
    let stray = |write: &&Write| {
        let primary = primary_at(write.at).map(|(_, address)| address.as_str());
        write.is_done() && write.action.points_at().iter().any(|address| Some(*address) != primary)
    };
    let sentence = |write: &Write| {
        let primary = primary_at(write.at).map_or("no member", |(_, address)| address);
        format!("at {} ms: {}, while {primary} was the newest primary", write.at, write.action)
    };
    writes.iter().filter(stray).map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use repoint_sandbox::aws::log::Ending;
    use repoint_sandbox::http::sandbox::Action;

    use super::*;

    fn pointing_at(name: &str) -> Truth {
        let all = || vec![name.to_owned()];
        Truth { writers: all(), targets: all(), record: all(), routes: all(), resolved: all() }
    }

    #[test]
    fn all_is_well_when_everything_points_at_the_one_writer() {
        assert_eq!(pointing_at("pg2").wrong(), Vec::<String>::new());
        assert!(pointing_at("pg2").is_served());
    }

    #[test]
    fn an_endpoint_that_was_left_behind_is_named() {
        let behind = Truth { record: vec!["pg1".to_owned()], ..pointing_at("pg2") };
        assert_eq!(behind.wrong(), ["the record points at pg1, and pg2 takes the writes"]);
        let both = vec!["pg1".to_owned(), "pg2".to_owned()];
        let closing = Truth { targets: both, routes: Vec::new(), ..pointing_at("pg2") };
        assert_eq!(
            closing.wrong(),
            [
                "the target group holds pg1 and pg2, and pg2 takes the writes",
                "the load balancer sends new connections to no member, and pg2 takes the writes"
            ]
        );
    }

    #[test]
    fn two_writers_or_none_are_wrong_whatever_points_where() {
        let none = Truth { writers: Vec::new(), ..pointing_at("pg2") };
        assert_eq!(none.wrong(), ["no member take writes, and it should be one"]);
        let two = Truth { writers: vec!["pg1".to_owned(), "pg2".to_owned()], ..pointing_at("pg2") };
        assert_eq!(two.wrong(), ["pg1 and pg2 take writes, and it should be one"]);
        assert!(!two.is_set());
    }

    fn register(at: Millis, address: &str, ending: Ending) -> Write {
        let action = Action::Register { group: "group".to_owned(), targets: vec![address.to_owned()] };
        Write { at, by: String::new(), agent: String::new(), action, ending }
    }

    #[test]
    fn a_write_for_a_primary_of_before_is_a_stray() {
        let promotions = [(0, "10.0.0.1".to_owned()), (500, "10.0.0.2".to_owned())];
        let writes = [
            register(100, "10.0.0.1", Ending::Done),
            register(600, "10.0.0.1", Ending::Refused("ThrottlingException".to_owned())),
            register(700, "10.0.0.2", Ending::Done),
        ];
        assert_eq!(strays(&writes, &promotions), Vec::<String>::new());
        let late = [register(600, "10.0.0.1", Ending::AnswerLost(None))];
        assert_eq!(
            strays(&late, &promotions),
            ["at 600 ms: RegisterTargets 10.0.0.1, while 10.0.0.2 was the newest primary"]
        );
    }
}
