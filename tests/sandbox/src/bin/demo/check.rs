//! Did everything end where it should? Judged by the models' truth, never by what `repoint` says of itself.
//!
//! Law: pure; what is wrong is a sentence.

use repoint_sandbox::Millis;
use repoint_sandbox::http::sandbox::{Site, Write};

/// How things really are, by the names of members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Who takes writes.
    pub writers: Vec<String>,
    /// Who is in the target group.
    pub targets: Vec<String>,
    /// What the record points at.
    pub record: Vec<String>,
    /// Whom the load balancer sends new connections to.
    pub routes: Vec<String>,
    /// Whom a client gets that asks DNS.
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

    /// Whether both endpoints are set to the one who takes writes.
    pub fn is_set(&self) -> bool {
        self.writers.len() == 1 && self.targets == self.writers && self.record == self.writers
    }

    /// Whether clients get there too: AWS takes a while to do what it was told.
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

/// Names for people.
pub fn listed(names: &[String]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join(" and ") }
}

/// Writes that point at somebody else than the newest primary of their time. `promotions` are addresses, oldest first.
pub fn strays(writes: &[Write], promotions: &[(Millis, String)]) -> Vec<String> {
    let primary_at = |at: Millis| promotions.iter().rev().find(|(since, _)| *since <= at);
    let stray = |write: &&Write| {
        let primary = primary_at(write.at).map(|(_, address)| address.as_str());
        write.is_done() && write.action.points_at().iter().any(|address| Some(*address) != primary)
    };
    let sentence = |write: &Write| {
        let primary = primary_at(write.at).map_or("nobody", |(_, address)| address);
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
                "the load balancer sends new connections to nobody, and pg2 takes the writes"
            ]
        );
    }

    #[test]
    fn two_writers_or_none_are_wrong_whatever_points_where() {
        let none = Truth { writers: Vec::new(), ..pointing_at("pg2") };
        assert_eq!(none.wrong(), ["nobody take writes, and it should be one"]);
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
