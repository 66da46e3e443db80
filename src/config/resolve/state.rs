//! The section `[state]`.

use super::{Given, Place, Resolver};
use crate::config::file::File;
use crate::config::{State, StateStore};
use repoint_domain::values::table::TableName;

/// Where programs keep persistent data (Filesystem Hierarchy Standard, `/var/lib`).
const STATE_FILE: &str = "/var/lib/repoint/state.json";

impl Resolver<'_> {
    pub(super) fn state(&mut self, file: &File) -> State {
        let file = &file.state;
        let path = self.text(&["REPOINT_STATE_FILE"], file.file.as_ref());
        let table = self.text(&["REPOINT_STATE_DYNAMODB_TABLE"], file.dynamodb_table.as_ref());
        for (key, given) in [("state.file", &path), ("state.dynamodb_table", &table)] {
            if let Some(empty) = given.as_ref().filter(|given| given.value.trim().is_empty()) {
                let problem = self.problem(&empty.place, key, "it is empty");
                self.problems.push(problem);
            }
        }
        let store = match (path, table) {
            (Some(path), Some(table)) => match (&path.place, &table.place) {
                (Place::File(_), Place::Variable(_)) => self.state_table(&table),
                (Place::Variable(_), Place::File(_)) => self.state_file(&path),
                _ => {
                    let message = "there is one state store: set `file` or `dynamodb_table`, not both";
                    let problem = self.problem(&path.place, "state.file", message);
                    self.problems.push(problem);
                    self.state_table(&table)
                }
            },
            (None, Some(table)) => self.state_table(&table),
            (Some(path), None) => self.state_file(&path),
            (None, None) => StateStore::File(STATE_FILE.into()),
        };
        let required = self.boolean("REPOINT_STATE_REQUIRED", file.required.as_ref(), true);
        State { store, required }
    }

    /// A name that is none is a problem, and the file stands for it meanwhile.
    fn state_table(&mut self, given: &Given<String>) -> StateStore {
        match TableName::parse(&given.value) {
            Ok(table) => StateStore::DynamoDb(table),
            Err(error) => {
                if !given.value.trim().is_empty() {
                    let message = format!("`{}`: {error}", given.value);
                    let problem = self.problem(&given.place, "state.dynamodb_table", &message);
                    self.problems.push(problem);
                }
                StateStore::File(STATE_FILE.into())
            }
        }
    }

    fn state_file(&mut self, given: &Given<String>) -> StateStore {
        StateStore::File(self.path_of(given, "state.file"))
    }
}
