//! The state table.

/// A table (DynamoDB API, `DescribeTable`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// `ACTIVE`, `UPDATING`, `DELETING`, …
    pub status: String,
    /// Its key: name, kind (`HASH`, `RANGE`) and type (`S`, `N`, `B`).
    pub key: Vec<(String, String, String)>,
    /// Whether it can be deleted at all.
    pub is_deletion_protected: bool,
    /// The other Regions of a global table.
    pub replicas: Vec<String>,
    /// Whether a write is in each Region before it is answered (`MultiRegionConsistency` `STRONG`).
    pub is_strongly_consistent: bool,
}
