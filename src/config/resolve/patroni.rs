//! The section `[patroni]`.

use std::path::PathBuf;
use std::time::Duration;

use super::{Given, Place, Resolver};
use crate::config::file::File;
use crate::config::pem::{self, Authorities, Identity, PairError};
use crate::config::{Login, Patroni};

/// Patroni answers without disk access; 2 s mean that the network lost packets, or that a member hangs.
const TIMEOUT: Duration = Duration::from_secs(2);

const CA: &str = "patroni.ca_file";
const CERTIFICATE: &str = "patroni.certificate_file";
const KEY: &str = "patroni.key_file";
const USERNAME: &str = "patroni.username";
const PASSWORD: &str = "patroni.password_file";

/// The contents of a file that a key or a variable names.
struct Content {
    path: PathBuf,
    bytes: Vec<u8>,
    place: Place,
}

impl Resolver<'_> {
    pub(super) fn patroni(&mut self, file: &File) -> Patroni {
        let file = &file.patroni;
        let connect_timeout = self.seconds(
            &["REPOINT_PATRONI_CONNECT_TIMEOUT_SECONDS"],
            "patroni.connect_timeout_seconds",
            file.connect_timeout_seconds.as_ref(),
        );
        let timeout = self.seconds(
            &["REPOINT_PATRONI_TIMEOUT_SECONDS"],
            "patroni.timeout_seconds",
            file.timeout_seconds.as_ref(),
        );
        let ca = self.text(&["REPOINT_PATRONI_CA_FILE"], file.ca_file.as_ref());
        let ca = ca.and_then(|given| self.authorities(given));
        let certificate = self.text(&["REPOINT_PATRONI_CERTIFICATE_FILE"], file.certificate_file.as_ref());
        let key = self.text(&["REPOINT_PATRONI_KEY_FILE"], file.key_file.as_ref());
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => self.identity(certificate, key),
            (Some(alone), None) => self.alone(&alone, CERTIFICATE, KEY),
            (None, Some(alone)) => self.alone(&alone, KEY, CERTIFICATE),
            (None, None) => None,
        };
        let username = self.text(&["REPOINT_PATRONI_USERNAME"], file.username.as_ref());
        let password = self.text(&["REPOINT_PATRONI_PASSWORD_FILE"], file.password_file.as_ref());
        let login = match (username, password) {
            (Some(username), Some(password)) => {
                Some(Login { username: username.value, password_file: self.path_of(&password, PASSWORD) })
            }
            (Some(alone), None) => self.alone(&alone, USERNAME, PASSWORD),
            (None, Some(alone)) => self.alone(&alone, PASSWORD, USERNAME),
            (None, None) => None,
        };
        Patroni {
            login,
            connect_timeout: connect_timeout.unwrap_or(TIMEOUT),
            timeout: timeout.unwrap_or(TIMEOUT),
            ca,
            identity,
            verify_hostname: self.boolean(
                "REPOINT_PATRONI_VERIFY_HOSTNAME",
                file.verify_hostname.as_ref(),
                true,
            ),
        }
    }

    /// Reads a file whose path is relative to the configuration's folder.
    fn content(&mut self, given: Given<String>, key: &str) -> Option<Content> {
        let known = self.problems.len();
        let path = self.path_of(&given, key);
        match std::fs::read(&path) {
            // Reported already.
            _ if self.problems.len() > known => None,
            Ok(bytes) => Some(Content { path, bytes, place: given.place }),
            Err(error) => {
                let message = format!("{} cannot be read: {error}", path.display());
                let problem = self.problem(&given.place, key, message);
                self.problems.push(problem);
                None
            }
        }
    }

    fn authorities(&mut self, given: Given<String>) -> Option<Authorities> {
        let content = self.content(given, CA)?;
        let certificates = pem::authorities(&content.bytes);
        let certificates = self.fitting(&content, CA, certificates)?;
        Some(Authorities { path: content.path, certificates })
    }

    fn identity(&mut self, certificate: Given<String>, key: Given<String>) -> Option<Identity> {
        let (certificate, key) = (self.content(certificate, CERTIFICATE), self.content(key, KEY));
        let (certificate, key) = (certificate?, key?);
        let chain = self.fitting(&certificate, CERTIFICATE, pem::certificates(&certificate.bytes));
        let private_key = self.fitting(&key, KEY, pem::private_key(&key.bytes));
        let pair = match pem::pair(chain?, private_key?) {
            Ok(pair) => pair,
            Err(PairError::Certificate(message)) => {
                return self.fitting(&certificate, CERTIFICATE, Err(message));
            }
            Err(PairError::Key(message)) => return self.fitting(&key, KEY, Err(message)),
        };
        Some(Identity { certificate: certificate.path, key: key.path, pair })
    }

    /// A certificate without its key is a problem, and so is a user without a password, or the one without the other.
    fn alone<T>(&mut self, given: &Given<String>, present: &str, missing: &str) -> Option<T> {
        let known = self.problems.len();
        if present != USERNAME {
            self.path_of(given, present);
        }
        if self.problems.len() == known {
            let problem = self.problem(&given.place, present, format!("it requires `{missing}`"));
            self.problems.push(problem);
        }
        None
    }

    /// A parsed file, or a problem with it.
    fn fitting<T>(&mut self, content: &Content, key: &str, made: Result<T, String>) -> Option<T> {
        made.map_err(|message| {
            let message = format!("{} {message}", content.path.display());
            let problem = self.problem(&content.place, key, message);
            self.problems.push(problem);
        })
        .ok()
    }
}
