//! What `doctor` reads of Patroni beyond what a pass reads.

use std::time::UNIX_EPOCH;

use reqwest::StatusCode;
use serde_json::Value;

use super::{Rest, details, refused};
use crate::adapters::clock::SystemClock;
use crate::ports::{Clock as _, Patroni as _};
use repoint_domain::doctor::facts::patroni::{ClusterExtra, Health, MemberFacts, PatroniConfig};
use repoint_domain::observed::Read;
use repoint_domain::values::cluster::ApiUrl;
use repoint_domain::values::failure::{Failure, Kind};

impl Rest {
    /// Asks one member for `GET /config`: the dynamic configuration of its cluster.
    ///
    /// # Errors
    /// If it does not answer, or has none.
    pub async fn config(&self, url: &ApiUrl) -> Read<PatroniConfig> {
        let _place = self.places.acquire().await;
        let (_, config) = self.get::<Value>(url, "/config", &[StatusCode::OK]).await.read?;
        details::config(&config).map_err(|error| refused("GET /config", url, &error))
    }

    /// Asks one member for `GET /patroni` and `GET /cluster`, and if wanted for `GET /history` and, with `probe`, whether
    /// `POST /switchover` needs credentials.
    pub async fn inspect(&self, url: &ApiUrl, with_history: bool, probe: bool) -> MemberFacts {
        let place = self.places.acquire().await;
        let (health, cluster) = tokio::join!(self.health(url), self.listing(url));
        let switchover_status = if probe { Some(self.probe(url).await) } else { None };
        // It takes a place of its own.
        drop(place);
        let history = if with_history { Some(self.history(url).await) } else { None };
        MemberFacts { health, cluster, history, switchover_status }
    }

    async fn health(&self, url: &ApiUrl) -> Read<Health> {
        let answer = self.get::<Value>(url, "/patroni", &[StatusCode::OK]).await;
        let now = SystemClock.now().0 / 1000;
        let (_, health) = answer.read?;
        let date = answer.date.and_then(|date| httpdate::parse_http_date(&date).ok());
        let date = date.and_then(|date| Some(date.duration_since(UNIX_EPOCH).ok()?.as_secs()));
        details::health(&health, date, now).map_err(|error| refused("GET /patroni", url, &error))
    }

    async fn listing(&self, url: &ApiUrl) -> Read<ClusterExtra> {
        let (_, cluster) = self.get::<Value>(url, "/cluster", &[StatusCode::OK]).await.read?;
        details::cluster(&cluster).map_err(|error| refused("GET /cluster", url, &error))
    }

    /// The status of a `POST /switchover` without credentials, without a body and without its length. Patroni checks credentials
    /// first (401, 403) and then wants the length (411), and does nothing else (`api.py`, `check_access` and
    /// `_read_json_content`). Where the connection itself needs a client certificate, that is a 403.
    async fn probe(&self, url: &ApiUrl) -> Read<u16> {
        match self.anonymous.post(format!("{url}/switchover")).send().await {
            Ok(response) => Ok(response.status().as_u16()),
            Err(error) if self.reasons.has_identity && url.is_https() && !error.is_timeout() => {
                Ok(StatusCode::FORBIDDEN.as_u16())
            }
            Err(error) => {
                let why = self.reasons.of(url, &error);
                Err(Failure::new(Kind::Unavailable, "POST /switchover", url.to_string(), why))
            }
        }
    }
}
