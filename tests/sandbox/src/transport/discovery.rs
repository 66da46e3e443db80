//! Discovery: the instances that have the cluster's tag.

use std::collections::BTreeSet;

use async_trait::async_trait;
use repoint::ports::Discovery;
use repoint_domain::observed::Read;
use repoint_domain::spec::{Discover, Source};
use repoint_domain::values::cluster::ApiUrl;
use repoint_domain::values::failure::{Failure, Kind};

use super::Link;
use super::failure::failure;

const INSTANCES: &str = "ec2:DescribeInstances";

#[async_trait]
impl Discovery for Link {
    async fn seeds(&self, discover: &Discover) -> Read<BTreeSet<ApiUrl>> {
        let (source, port) = (discover.source.clone(), discover.port);
        let resource = source.to_string();
        self.call(INSTANCES, &resource.clone(), None, move |world, now| {
            let Source::Instances { tag, .. } = &source else {
                return Err(Failure::new(Kind::NotFound, "DNS", resource, "no such host"));
            };
            let filters = [
                (format!("tag:{}", tag.key), vec![tag.value.clone()]),
                ("instance-state-name".to_owned(), vec!["running".to_owned()]),
            ];
            let page = world.account.describe_instances(now, &[], &filters, None, None);
            let (instances, _) = page.map_err(|error| failure(INSTANCES, "*", &error))?;
            let addresses = instances.iter().filter_map(|instance| instance.private_ip);
            let urls = addresses.filter_map(|ip| ApiUrl::parse(&format!("http://{ip}:{port}")).ok());
            let found: BTreeSet<ApiUrl> = urls.collect();
            if found.is_empty() {
                return Err(Failure::new(Kind::NotFound, INSTANCES, resource, "none is running"));
            }
            Ok(found)
        })
        .await
    }
}
