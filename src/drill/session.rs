//! One connection to PostgreSQL, what is asked over it, and what an error means.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{Client, Connection, Error, NoTls, SimpleQueryMessage, SimpleQueryRow};

use super::endpoint::Endpoint;
use repoint_domain::drill::attempts::{ErrorKind, Server};
use repoint_domain::values::cluster::Timeline;

/// How long a connection may take to say that it ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Which server answers: whether it is a standby, whether it takes writes, its address, and the timeline that it writes on.
/// The name of a WAL file begins with the timeline, in hexadecimal digits.
const WHO: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only'), host(inet_server_addr()), \
    inet_server_port(), CASE WHEN NOT pg_is_in_recovery() THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END";

/// The same, and a transaction id, which only a server gives that takes writes: `txid_current()` is there in all versions.
const WRITE: &str = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only'), host(inet_server_addr()), \
    inet_server_port(), CASE WHEN NOT pg_is_in_recovery() THEN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END, \
    CASE WHEN NOT pg_is_in_recovery() THEN txid_current() END";

/// Why something could not be asked.
#[derive(Debug)]
pub struct Failed {
    /// The kind.
    pub kind: ErrorKind,
    /// Whether the server has said that it did not do it, so that there is no doubt.
    pub is_certain: bool,
    /// In words.
    pub message: String,
}

/// A connection.
pub struct Session {
    client: Client,
    /// What reads and writes; taken when it is left to end by itself.
    connection: Option<JoinHandle<()>>,
}

impl Drop for Session {
    /// A connection whose server is silent would otherwise stay for as long as the kernel sends again.
    fn drop(&mut self) {
        self.connection.iter().for_each(JoinHandle::abort);
    }
}

impl Session {
    /// Connects, without a limit of its own.
    ///
    /// # Errors
    /// Why that failed.
    pub async fn connect(endpoint: &Endpoint) -> Result<Self, Failed> {
        let (client, connection) = if let Some(tls) = endpoint.tls.clone() {
            let (client, connection) = endpoint.config.connect(tls).await.map_err(|error| failed(&error))?;
            (client, run(connection))
        } else {
            let (client, connection) =
                endpoint.config.connect(NoTls).await.map_err(|error| failed(&error))?;
            (client, run(connection))
        };
        Ok(Self { client, connection: Some(connection) })
    }

    /// Ends the connection in good order, in the background.
    pub fn close(mut self) {
        let Some(connection) = self.connection.take() else { return };
        // Without its client a connection says that it ends.
        drop(self);
        let abort = connection.abort_handle();
        tokio::spawn(async move {
            if timeout(FAREWELL, connection).await.is_err() {
                abort.abort();
            }
        });
    }

    /// Asks which server this is, and for a transaction id if it is to be written.
    ///
    /// # Errors
    /// Why that failed. A standby that answers is no failure here.
    pub async fn who(&self, writes: bool) -> Result<Answer, Failed> {
        let rows = self
            .client
            .simple_query(if writes { WRITE } else { WHO })
            .await
            .map_err(|error| failed(&error))?;
        let row = rows.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        row.map(Answer::of).ok_or_else(|| Failed {
            kind: ErrorKind::Other,
            is_certain: false,
            message: "the server sent no row".to_owned(),
        })
    }

    /// Does something, and returns the rows.
    ///
    /// # Errors
    /// Why that failed.
    pub async fn query(&self, statement: &str) -> Result<Vec<SimpleQueryRow>, Failed> {
        let messages = self.client.simple_query(statement).await.map_err(|error| failed(&error))?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.collect())
    }
}

/// Which server answered.
pub struct Answer {
    /// Its address, and its timeline if it is no standby.
    pub server: Server,
    /// Why it takes no writes.
    pub not_writable: Option<ErrorKind>,
}

impl Answer {
    fn of(row: &SimpleQueryRow) -> Self {
        let (is_standby, is_read_only) = (row.get(0) == Some("t"), row.get(1) == Some("on"));
        // Over a Unix socket, such as a pooler's, there is no address.
        let address = match (row.get(2), row.get(3)) {
            (Some(host), Some(port)) if host.contains(':') => format!("[{host}]:{port}"),
            (Some(host), Some(port)) => format!("{host}:{port}"),
            _ => "unknown".to_owned(),
        };
        let timeline = row.get(4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).map(Timeline);
        let not_writable = if is_standby {
            Some(ErrorKind::Standby)
        } else {
            is_read_only.then(|| ErrorKind::Sql("25006".to_owned()))
        };
        Self { server: Server { address, timeline }, not_writable }
    }
}

fn run<S, T>(connection: Connection<S, T>) -> JoinHandle<()>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    // Its errors come to the client, too.
    tokio::spawn(async move { drop(connection.await) })
}

fn failed(error: &Error) -> Failed {
    let message = match (error.as_db_error(), error.source()) {
        (Some(db), _) => db.message().to_owned(),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    };
    let kind = kind(error);
    // Class 57 ends a session, perhaps after the commit: while it waits for a synchronous standby. 40003 says that it does
    // not know.
    let is_certain = matches!(&kind, ErrorKind::Sql(state) if !state.starts_with("57") && state != "40003");
    Failed { kind, is_certain, message }
}

fn kind(error: &Error) -> ErrorKind {
    if let Some(state) = error.code() {
        return ErrorKind::Sql(state.code().to_owned());
    }
    if error.is_closed() {
        return ErrorKind::Closed;
    }
    let mut cause = error.source();
    while let Some(one) = cause {
        if let Some(io) = one.downcast_ref::<io::Error>() {
            return of_io(io);
        }
        if one.is::<rustls::Error>() {
            return ErrorKind::Tls;
        }
        cause = one.source();
    }
    let said = error.to_string();
    if said.contains("TLS") {
        ErrorKind::Tls
    } else if said.contains("timeout") {
        ErrorKind::Timeout
    } else {
        ErrorKind::Other
    }
}

fn of_io(error: &io::Error) -> ErrorKind {
    use io::ErrorKind as Io;
    if let Some(wrapped) = error.get_ref()
        && wrapped.is::<rustls::Error>()
    {
        return ErrorKind::Tls;
    }
    match error.kind() {
        Io::ConnectionRefused => ErrorKind::Refused,
        Io::ConnectionReset
        | Io::ConnectionAborted
        | Io::BrokenPipe
        | Io::UnexpectedEof
        | Io::NotConnected => ErrorKind::Closed,
        Io::TimedOut => ErrorKind::Timeout,
        Io::HostUnreachable | Io::NetworkUnreachable | Io::AddrNotAvailable => ErrorKind::Unreachable,
        // `getaddrinfo` has no kind of its own.
        _ if error.to_string().contains("failed to lookup address") => ErrorKind::NoAddress,
        _ => ErrorKind::Other,
    }
}
