//! Whose call it was: what has to be known to say which policy has to allow it, and whose credentials to mend.
//!
//! The clients note it on every answer that is an error, where [`failure`](super::failure) finds it.

use aws_sdk_route53::config::http::HttpResponse;

const PARTITION: &str = "x-repoint-partition";
const ROLE: &str = "x-repoint-role";
const CREDENTIALS: &str = "x-repoint-credentials";

/// The owner of a client's credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The partition that the calls are made in.
    pub partition: String,
    /// Which policy of `repoint iam` it has, as `--role` takes it; absent where there is one only.
    pub role: Option<String>,
    /// Where the credentials come from, in words.
    pub credentials: Option<String>,
}

impl Owner {
    /// Notes it on an answer.
    pub fn note(&self, response: &mut HttpResponse) {
        let headers = response.headers_mut();
        let notes = [
            (PARTITION, Some(self.partition.clone())),
            (ROLE, self.role.clone()),
            (CREDENTIALS, self.credentials.clone()),
        ];
        for (name, note) in notes {
            // What no header takes, such as a path with a line break in it, is left out.
            let note = note.filter(|note| note.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            drop(note.map(|note| headers.insert(name, note)));
        }
    }

    /// What was noted.
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
