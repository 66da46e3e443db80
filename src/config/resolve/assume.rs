//! The roles that are assumed, and the one partition that everything is of.

use toml::Spanned;

use super::{Place, Resolver};
use crate::config::file::{Cluster, Record, TargetGroup};
use repoint_domain::values::arn::RoleArn;
use repoint_domain::values::assume::{AssumedRole, external_id};
use repoint_domain::values::record::RecordPlace;

impl Resolver<'_> {
    /// The role of a cluster's endpoints that name none of their own.
    pub(super) fn role_of_cluster(&mut self, cluster: &Cluster) -> Option<AssumedRole> {
        self.assumed("cluster", cluster.role_arn.as_ref(), cluster.external_id.as_ref())
    }

    /// A group's own role, or else its cluster's.
    pub(super) fn role_of_group(
        &mut self,
        group: &TargetGroup,
        inherited: Option<&AssumedRole>,
    ) -> Option<AssumedRole> {
        let own = self.assumed("cluster.target_group", group.role_arn.as_ref(), group.external_id.as_ref());
        own.or_else(|| inherited.cloned())
    }

    /// A record's own role, or else its cluster's.
    pub(super) fn role_of_record(
        &mut self,
        record: &Record,
        inherited: Option<&AssumedRole>,
    ) -> Option<AssumedRole> {
        let own = self.assumed("cluster.record", record.role_arn.as_ref(), record.external_id.as_ref());
        own.or_else(|| inherited.cloned())
    }

    fn assumed(
        &mut self,
        section: &str,
        role: Option<&Spanned<String>>,
        external: Option<&Spanned<String>>,
    ) -> Option<AssumedRole> {
        let role_key = format!("{section}.role_arn");
        let external_key = format!("{section}.external_id");
        if let (None, Some(external)) = (role, external) {
            self.push_error(&external.span(), &external_key, "it needs `role_arn` beside it");
        }
        let role = role?;
        let external_id = external.and_then(|text| self.spanned(text, &external_key, external_id));
        let arn = self.spanned(role, &role_key, RoleArn::parse)?;
        self.is_of_partition(arn.partition(), &Place::File(role.span()), &role_key);
        Some(AssumedRole { arn, external_id })
    }

    /// Record sets of one name are read together, whatever their types, so they have one role.
    pub(super) fn has_one_role(&mut self, place: &RecordPlace, role: Option<&AssumedRole>, record: &Record) {
        let line = self.source.line(&record.name.span());
        let (first, first_line) = self
            .roles_of_names
            .entry((place.zone.clone(), place.name.clone()))
            .or_insert((role.cloned(), line));
        if first.as_ref() != role {
            let message = format!(
                "the record in line {first_line} has the same name and another role: they are read together, so \
                 give both the same `role_arn` and `external_id`"
            );
            let span = record.role_arn.as_ref().map_or_else(|| record.name.span(), Spanned::span);
            self.push_error(&span, "cluster.record.role_arn", message);
        }
    }

    /// No credentials are valid in two partitions, and no role can be assumed across (see [`repoint_domain::values::partition`]).
    pub(super) fn is_of_partition(&mut self, partition: &str, place: &Place, key: &str) {
        let (first, first_place) = self.partition.get_or_insert_with(|| {
            let words = match place {
                Place::File(span) => format!("line {}", self.source.line(span)),
                Place::Variable(name) => format!("environment variable {name}"),
            };
            (partition.to_owned(), words)
        });
        if first != partition {
            let message = format!(
                "it is of the partition `{partition}`, and {first_place} is of `{first}`: credentials of one partition are \
                 not valid in another, so make a configuration for each"
            );
            let problem = self.problem(place, key, message);
            self.problems.push(problem);
        }
    }
}
