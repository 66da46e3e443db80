//! What discovery has found of the sites of one cluster.
//!
//! Invariant 2: a failure forgets nothing that was found before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::MOST_MEMBERS;
use crate::ports::MemberPorts;
use crate::runtime::deadline::by;
use repoint_domain::observed::{Discovered, Read};
use repoint_domain::spec::{Site, Source, Spec};
use repoint_domain::values::cluster::{ApiUrl, SiteName};
use repoint_domain::values::failure::{Failure, Kind};

const CALL: &str = "discovery";
/// Invariant 10: one answer of a large account takes several seconds, and there may be several pages.
const WITHIN: Duration = Duration::from_secs(30);

/// The last answers of discovery, and the requests under way.
#[derive(Debug, Default)]
pub struct Discovery {
    asking: JoinSet<(Option<SiteName>, Read<BTreeSet<ApiUrl>>)>,
    under_way: BTreeSet<Option<SiteName>>,
    /// The last answer of each site.
    pub answered: Discovered,
    /// What was last found of each.
    found: BTreeMap<Option<SiteName>, BTreeSet<ApiUrl>>,
}

impl Discovery {
    /// Asks for each site that has it and is not being asked. Whether AWS or DNS are asked for that is not decided here.
    pub fn ask(&mut self, spec: &Spec, ports: &MemberPorts) {
        for site in &spec.sites {
            let Some(discover) = site.discover.clone() else { continue };
            if self.under_way.insert(site.name.clone()) {
                let (name, discovery) = (site.name.clone(), ports.discovery.clone());
                self.asking.spawn(async move {
                    let until = Instant::now() + WITHIN;
                    let found = by(until, CALL, &discover.source, discovery.seeds(&discover)).await;
                    (name, found.and_then(|found| bounded(found, &discover.source)))
                });
            }
        }
    }

    /// Takes what has been answered.
    pub fn take(&mut self) {
        while let Some(answered) = self.asking.try_join_next() {
            self.keep(answered);
        }
    }

    /// Waits for an answer; for ever, if none is under way. Cancel-safe.
    pub async fn next(&mut self) {
        match self.asking.join_next().await {
            Some(answered) => self.keep(answered),
            None => std::future::pending().await,
        }
    }

    /// Whether a site is being asked.
    pub fn is_under_way(&self, site: &Site) -> bool {
        self.under_way.contains(&site.name)
    }

    /// Whether any is.
    pub fn is_asking(&self) -> bool {
        !self.asking.is_empty()
    }

    /// Where members of a site may be.
    pub fn found(&self, site: &Site) -> impl Iterator<Item = &ApiUrl> {
        self.found.get(&site.name).into_iter().flatten()
    }

    fn keep(&mut self, answered: Result<(Option<SiteName>, Read<BTreeSet<ApiUrl>>), tokio::task::JoinError>) {
        let (site, answer) = match answered {
            Ok(answered) => answered,
            // A panic of the task is a panic of the pass.
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => return,
            },
        };
        self.under_way.remove(&site);
        if let Ok(found) = &answer {
            self.found.insert(site.clone(), found.clone());
        }
        self.answered.insert(site, answer);
    }
}

/// Invariant 10: no more than a site may have members.
fn bounded(found: BTreeSet<ApiUrl>, source: &Source) -> Read<BTreeSet<ApiUrl>> {
    if found.len() <= MOST_MEMBERS {
        return Ok(found);
    }
    let message = format!("{} were found, and a cluster has at most {MOST_MEMBERS} members", found.len());
    Err(Failure::new(Kind::Invalid, CALL, source.to_string(), message))
}
