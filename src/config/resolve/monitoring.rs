//! The sections `[http]` and `[metrics]`.

use std::net::SocketAddr;
use std::path::Path;

use super::Resolver;
use crate::config::file::File;
use crate::config::{Http, Metrics};

impl Resolver<'_> {
    pub(super) fn http(&mut self, file: &File) -> Http {
        let given = self.text(&["REPOINT_HTTP_LISTEN"], file.http.listen.as_ref());
        let parse = |text: &str| {
            text.parse::<SocketAddr>()
                .map_err(|_| "it must be an IP address and a port, for example 127.0.0.1:9598")
        };
        Http { listen: given.and_then(|given| self.parsed(&given, "http.listen", parse)) }
    }

    pub(super) fn metrics(&mut self, file: &File) -> Metrics {
        const KEY: &str = "metrics.textfile";
        let given = self.text(&["REPOINT_METRICS_TEXTFILE"], file.metrics.textfile.as_ref());
        let textfile = given.and_then(|given| {
            let is_read = |text: &str| match Path::new(text).extension() {
                Some(end) if end == "prom" => Ok(()),
                _ => Err("its name must end in `.prom`: node_exporter reads no other file"),
            };
            self.parsed(&given, KEY, is_read)?;
            Some(self.path_of(&given, KEY))
        });
        Metrics { textfile }
    }
}
