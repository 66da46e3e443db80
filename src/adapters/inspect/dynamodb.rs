//! The state table.

use aws_sdk_dynamodb::types::MultiRegionConsistency;

use super::{Inspect, not_listed, text};
use repoint_domain::doctor::facts::table::Table;
use repoint_domain::observed::Read;
use repoint_domain::values::table::TableName;

const TABLE: &str = "dynamodb:DescribeTable";

impl Inspect {
    /// The table of that name.
    ///
    /// # Errors
    /// AWS's error, or a timeout.
    pub async fn table(&self, name: &TableName) -> Read<Table> {
        let resource = format!("table {name}");
        let request = self.dynamodb.describe_table().table_name(name.as_str());
        let answer = send!(self, self.settings_key(), TABLE, &resource, request)?;
        let table = answer.table().ok_or_else(|| not_listed(TABLE, &resource))?;
        let kind_of = |name: &str| {
            let mut attributes = table.attribute_definitions().iter();
            let its = attributes.find(|attribute| attribute.attribute_name() == name);
            text(its.map(|attribute| attribute.attribute_type().as_str()))
        };
        let keys = table.key_schema().iter();
        let key = |part: &aws_sdk_dynamodb::types::KeySchemaElement| {
            let name = part.attribute_name();
            (name.to_owned(), part.key_type().as_str().to_owned(), kind_of(name))
        };
        Ok(Table {
            name: text(table.table_name()),
            status: text(table.table_status().map(|status| status.as_str())),
            key: keys.map(key).collect(),
            is_deletion_protected: table.deletion_protection_enabled() == Some(true),
            replicas: table.replicas().iter().map(|replica| text(replica.region_name())).collect(),
            is_strongly_consistent: table.multi_region_consistency() == Some(&MultiRegionConsistency::Strong),
        })
    }
}
