//! The owner of a call: which policy has to allow it, and which credentials to renew.
//!
//! The clients add it to every error response, where [`failure`](super::failure) finds it.

use aws_sdk_route53::config::http::HttpResponse;

const PARTITION: &str = "x-repoint-partition";
const ROLE: &str = "x-repoint-role";
const CREDENTIALS: &str = "x-repoint-credentials";

/// The owner of a client's credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The partition in which the calls are made.
    pub partition: String,
    /// The policy of `repoint iam`, as its `--role` takes it; `None` if there is only one policy.
    pub role: Option<String>,
    /// The source of the credentials, for messages.
    pub credentials: Option<String>,
}

impl Owner {
    /// Adds it to a response.
    pub fn note(&self, response: &mut HttpResponse) {
        let headers = response.headers_mut();
        let notes = [
            (PARTITION, Some(self.partition.clone())),
            (ROLE, self.role.clone()),
            (CREDENTIALS, self.credentials.clone()),
        ];
        for (name, note) in notes {
            // A value that no header accepts, such as a path with a line break, is left out.
            let note = note.filter(|note| note.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            drop(note.map(|note| headers.insert(name, note)));
        }
    }

    /// Reads it from a response.
    #[must_use]
    pub fn of(response: &HttpResponse) -> Self {
        let note = |name| response.headers().get(name).map(str::to_owned);
        Self {
            partition: note(PARTITION).unwrap_or_default(),
            role: note(ROLE),
            credentials: note(CREDENTIALS),
        }
    }
}
