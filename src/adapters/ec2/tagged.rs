//! Instances by a tag: where members may be.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use aws_sdk_ec2::types::{Filter, Instance, InstanceNetworkInterface, Reservation};
use futures::future::try_join_all;

use super::{DESCRIBE, Ec2, VALUES, is_running};
use crate::adapters::aws::{Call, failure};
use repoint_domain::observed::Read;
use repoint_domain::rates::RateKey;

/// The most instances of a page. A request that names a number is limited as a paginated one (EC2 API, "Request throttling").
const PAGE: i32 = 1000;

impl Ec2 {
    /// The first address of each running instance that has a tag of that key with one of the values, by the value.
    ///
    /// # Errors
    /// AWS's error, or a timeout.
    pub async fn tagged(
        &self,
        region: &str,
        key: &str,
        values: &BTreeSet<String>,
    ) -> Read<BTreeMap<String, BTreeSet<IpAddr>>> {
        let values: Vec<&String> = values.iter().collect();
        let found = try_join_all(values.chunks(VALUES).map(|some| self.with_tag(region, key, some))).await?;
        let mut all: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
        for (value, address) in found.into_iter().flatten() {
            all.entry(value).or_default().insert(address);
        }
        Ok(all)
    }

    async fn with_tag(&self, region: &str, key: &str, values: &[&String]) -> Read<Vec<(String, IpAddr)>> {
        let client = self.client(region)?;
        let rate = RateKey::Ec2(region.to_owned());
        let mut found = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let _leave = self.calls.read(&rate).await;
            let literal = values.iter().map(|value| literal(value)).collect();
            let page = client
                .describe_instances()
                .filters(Filter::builder().name(format!("tag:{key}")).set_values(Some(literal)).build())
                .filters(Filter::builder().name("instance-state-name").values("running").build())
                .max_results(PAGE)
                .set_next_token(next.take())
                .customize()
                .interceptor(Call::new(&self.calls, DESCRIBE).on(&rate))
                .send()
                .await
                .map_err(|error| failure(DESCRIBE, "*", &error))?;
            for instance in page.reservations().iter().flat_map(Reservation::instances) {
                let tag = instance.tags().iter().find(|tag| tag.key() == Some(key));
                let value = tag.and_then(|tag| tag.value());
                let wanted = values.iter().find(|wanted| value == Some(wanted.as_str()));
                if let Some((value, address)) =
                    wanted.zip(first_address(instance)).filter(|_| is_running(instance))
                {
                    found.push(((*value).clone(), address));
                }
            }
            next = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
            if next.is_none() {
                return Ok(found);
            }
        }
    }
}

/// The address that an instance has for itself: the primary private IPv4 address, or else the first IPv6 address.
fn first_address(instance: &Instance) -> Option<IpAddr> {
    let v6 = || {
        instance
            .network_interfaces()
            .iter()
            .flat_map(InstanceNetworkInterface::ipv6_addresses)
            .next()?
            .ipv6_address()
    };
    instance.private_ip_address().or_else(v6)?.parse().ok()
}

/// A value without wildcards (EC2 User Guide, "Filter resources using the console": `\` escapes `*`, `?` and itself).
fn literal(value: &str) -> String {
    let escaped = |character: char| match character {
        '*' | '?' | '\\' => format!("\\{character}"),
        other => other.to_string(),
    };
    value.chars().map(escaped).collect()
}
