//! The roles that are assumed, and the one partition of all resources.

use toml::Spanned;

use super::{Place, Resolver};
use crate::config::file::Cluster;
use repoint_domain::values::arn::RoleArn;
use repoint_domain::values::assume::{AssumedRole, external_id};

impl Resolver<'_> {
    /// The default role of a cluster's endpoints.
    pub(super) fn role_of_cluster(&mut self, cluster: &Cluster) -> Option<AssumedRole> {
        self.assumed("cluster", cluster.role_arn.as_ref(), cluster.external_id.as_ref())
    }

    /// The role of one section.
    pub(in crate::config) fn assumed(
        &mut self,
        section: &str,
        role: Option<&Spanned<String>>,
        external: Option<&Spanned<String>>,
    ) -> Option<AssumedRole> {
        let role_key = format!("{section}.role_arn");
        let external_key = format!("{section}.external_id");
        if let (None, Some(external)) = (role, external) {
            self.push_error(&external.span(), &external_key, "it requires `role_arn`");
        }
        let role = role?;
        let external_id = external.and_then(|text| self.spanned(text, &external_key, external_id));
        let arn = self.spanned(role, &role_key, RoleArn::parse)?;
        self.is_of_partition(arn.partition(), &Place::File(role.span()), &role_key);
        Some(AssumedRole { arn, external_id })
    }

    /// No credentials are valid in two partitions, and a role cannot be assumed from another partition (see
    /// [`repoint_domain::values::partition`]).
    pub(in crate::config) fn is_of_partition(&mut self, partition: &str, place: &Place, key: &str) {
        let (first, first_place) = self.partition.get_or_insert_with(|| {
            let words = match place {
                Place::File(span) => format!("line {}", self.source.line(span)),
                Place::Variable(name) => format!("environment variable {name}"),
            };
            (partition.to_owned(), words)
        });
        if first != partition {
            let message = format!(
                "it belongs to the partition `{partition}`, and {first_place} to `{first}`: credentials of one partition are \
                 not valid in another, so use a separate configuration for each"
            );
            let problem = self.problem(place, key, message);
            self.problems.push(problem);
        }
    }
}
