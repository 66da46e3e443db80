//! A Patroni cluster and an AWS account behind real sockets on loopback, in real time.
//!
//! The models decide, and their clock is this machine's; the sockets carry out what they decide. A member that is
//! down refuses connections, one that hangs accepts them and never answers.

mod control;
mod port;
mod setup;
mod site;
mod write;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

pub use self::setup::{CREDENTIALS, Setup};
pub use self::site::{Asked, News, OBSERVER, Site};
pub use self::write::{Action, RecordWrite, Write};

use self::port::Port;
use super::exchange::{Reply, Request};
use super::server::Handler;
use crate::Millis;
use crate::patroni::MemberId;
use crate::patroni::rest::Silence;

/// How often time advances without a request.
const TICK: Duration = Duration::from_millis(5);
/// What a slow reader of the news may be behind.
const NEWS_KEPT: usize = 4096;

/// The sandbox. Dropping it closes its sockets, as soon as the runtime gets to it.
pub struct Sandbox {
    shared: Arc<Shared>,
    aws: SocketAddr,
    control: SocketAddr,
    tasks: JoinSet<()>,
}

/// What the sockets share.
struct Shared {
    site: Mutex<Site>,
    began: Instant,
    speed: u32,
    /// For each member, whether its port is open.
    gates: Vec<watch::Sender<bool>>,
}

impl Sandbox {
    /// Binds every port and starts, as tasks of the runtime that this is called in.
    ///
    /// # Errors
    /// If loopback has no ports left.
    pub fn start(setup: Setup) -> io::Result<Self> {
        let speed = setup.speed;
        let ports = (0..setup.members).map(|_| Port::reserve()).collect::<io::Result<Vec<Port>>>()?;
        let (aws, control) = (Port::reserve()?, Port::reserve()?);
        let addresses: Vec<SocketAddr> = ports.iter().map(Port::address).collect();
        let site = Site::new(setup, &addresses, broadcast::channel(NEWS_KEPT).0).map_err(io::Error::other)?;
        let gates = ports.iter().map(|_| watch::channel(true).0).collect();
        let shared = Arc::new(Shared { site: Mutex::new(site), began: Instant::now(), speed, gates });
        let mut sandbox = Self {
            shared: shared.clone(),
            aws: aws.address(),
            control: control.address(),
            tasks: JoinSet::new(),
        };
        for (index, (port, gate)) in ports.into_iter().zip(&shared.gates).enumerate() {
            sandbox.serve(port, gate.subscribe(), move |site, request| {
                site.ask_member(MemberId(index), request)
            })?;
        }
        sandbox.serve(aws, watch::channel(true).1, Site::ask_aws)?;
        sandbox.serve(control, watch::channel(true).1, control::answer)?;
        sandbox.tasks.spawn(advance(shared));
        Ok(sandbox)
    }

    fn serve(
        &mut self,
        port: Port,
        gate: watch::Receiver<bool>,
        answer: impl Fn(&mut Site, &Request) -> (Duration, Reply) + Send + Sync + 'static,
    ) -> io::Result<()> {
        let shared = self.shared.clone();
        let handler: Arc<Handler> = Arc::new(move |request| shared.with(|site| answer(site, &request)));
        let listener = port.listen()?;
        self.tasks.spawn(port.keep(listener, gate, handler));
        Ok(())
    }

    /// The world as it is now, locked meanwhile.
    pub fn with<T>(&self, act: impl FnOnce(&mut Site) -> T) -> T {
        self.shared.with(act)
    }

    /// What happens from now on. A reader that falls far behind misses some; [`Site`] keeps it all.
    #[must_use]
    pub fn news(&self) -> broadcast::Receiver<News> {
        self.shared.site.lock().unwrap_or_else(PoisonError::into_inner).subscribe()
    }

    /// Milliseconds since the world began.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.shared.now()
    }

    /// Waits until `is_so` holds of the world, and gives what it found; `None` if it takes longer than `lease_wait`.
    pub async fn until<T>(
        &self,
        lease_wait: Duration,
        mut is_so: impl FnMut(&mut Site) -> Option<T>,
    ) -> Option<T> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let looking = async {
            loop {
                ticks.tick().await;
                if let Some(found) = self.with(&mut is_so) {
                    return found;
                }
            }
        };
        tokio::time::timeout(lease_wait, looking).await.ok()
    }

    /// Where AWS answers: the endpoint of every service.
    #[must_use]
    pub fn aws_url(&self) -> String {
        format!("http://{}", self.aws)
    }

    /// Where the sandbox itself takes orders; `GET /` says which.
    #[must_use]
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// A whole configuration of `repoint` for this sandbox, with its state in `state_file`.
    #[must_use]
    pub fn configuration(&self, state_file: &str) -> String {
        let endpoint = self.aws_url();
        self.with(|site| setup::configuration(site, &endpoint, state_file))
    }
}

impl Shared {
    fn now(&self) -> Millis {
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        elapsed.saturating_mul(self.speed.into())
    }

    fn lock(&self) -> MutexGuard<'_, Site> {
        let mut site = self.site.lock().unwrap_or_else(PoisonError::into_inner);
        site.advance(self.now());
        site
    }

    fn with<T>(&self, act: impl FnOnce(&mut Site) -> T) -> T {
        let mut site = self.lock();
        let answer = act(&mut site);
        site.send_news();
        for (index, gate) in self.gates.iter().enumerate() {
            let is_open = site.cluster.reach(MemberId(index), OBSERVER) != Err(Silence::Refused);
            gate.send_if_modified(|was_open| std::mem::replace(was_open, is_open) != is_open);
        }
        answer
    }
}

/// Lets time pass.
async fn advance(shared: Arc<Shared>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        shared.with(|_| ());
    }
}
