//! What a check is.

use super::facts::Facts;
use super::subject::{Balancer, Cluster, File, Function, Group, Listener, Member, Record, Site, Topic};
pub use crate::state::Severity;
use crate::values::failure::Failure;

/// One thing that can be wrong with a set-up.
pub struct Check {
    /// Its name, in reports and in `[[doctor.ignore]]`: lower case, with underscores.
    pub id: &'static str,
    /// How much it matters, unless a judgement says otherwise.
    pub severity: Severity,
    /// What is wrong: the heading of its entry in the guide.
    pub title: &'static str,
    /// Why that hurts: whole sentences.
    pub why: &'static str,
    /// The page that says so, or that describes the setting.
    pub link: &'static str,
    /// What it is about, and how it judges that.
    pub judge: Judge,
}

/// What a check is about: it is asked about each one.
#[derive(Clone, Copy)]
pub enum Judge {
    /// The whole configuration: the schedules, the state table, this node.
    Setup(fn(&Facts) -> Judgement),
    /// A configured cluster.
    Cluster(fn(&Cluster<'_>) -> Judgement),
    /// A site of a cluster: one Patroni cluster.
    Site(fn(&Site<'_>) -> Judgement),
    /// A member of a site.
    Member(fn(&Member<'_>) -> Judgement),
    /// A target group.
    Group(fn(&Group<'_>) -> Judgement),
    /// A load balancer that forwards to a configured target group.
    Balancer(fn(&Balancer<'_>) -> Judgement),
    /// A listener that forwards to a configured target group.
    Listener(fn(&Listener<'_>) -> Judgement),
    /// A record set.
    Record(fn(&Record<'_>) -> Judgement),
    /// A configuration file of Patroni on this machine (with `--local`).
    File(fn(&File<'_>) -> Judgement),
    /// A topic: one of the alerts, or the one that calls the Lambda.
    Topic(fn(&Topic<'_>) -> Judgement),
    /// A Lambda function that triggers call.
    Function(fn(&Function<'_>) -> Judgement),
}

/// What is wrong, which may be nothing; or why that is not known.
pub type Judgement = Result<Vec<Wrong>, NotChecked>;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What was read, such as `load_balancing.cross_zone.enabled is false`.
    pub found: String,
    /// What to do: a command, or a setting.
    pub remedy: String,
    /// Where it differs from the check's.
    pub severity: Option<Severity>,
}

impl Wrong {
    /// Of the check's own severity.
    pub fn new(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { found: found.into(), remedy: remedy.into(), severity: None }
    }

    /// The same, of that severity.
    #[must_use]
    pub fn with(self, severity: Severity) -> Self {
        Self { severity: Some(severity), ..self }
    }
}

/// Why something could not be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotChecked {
    /// A call failed: a right is missing, or there was no answer.
    Failed(Failure),
    /// What was read does not say it; why.
    Unknown(String),
}

impl From<&Failure> for NotChecked {
    fn from(failure: &Failure) -> Self {
        Self::Failed(failure.clone())
    }
}

/// Nothing is wrong, or the check does not apply.
///
/// # Errors
/// None: it has the type of a judgement.
pub fn fine() -> Judgement {
    Ok(Vec::new())
}

/// One thing is wrong.
///
/// # Errors
/// None: it has the type of a judgement.
pub fn wrong(found: impl Into<String>, remedy: impl Into<String>) -> Judgement {
    Ok(vec![Wrong::new(found, remedy)])
}

/// It is not known.
///
/// # Errors
/// Always: that is the judgement.
pub fn unknown(why: impl Into<String>) -> Judgement {
    Err(NotChecked::Unknown(why.into()))
}

/// What is wrong; where nothing is, why something was not judged, if so.
///
/// # Errors
/// If nothing is wrong with what was judged, and there is a gap.
pub fn wrong_or(wrong: Vec<Wrong>, gap: Option<NotChecked>) -> Judgement {
    match gap {
        Some(gap) if wrong.is_empty() => Err(gap),
        _ => Ok(wrong),
    }
}
