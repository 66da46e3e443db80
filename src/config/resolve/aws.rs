//! The section `[aws]`.

use std::ops::RangeInclusive;

use super::{Place, Resolver};
use crate::config::Aws;
use crate::config::file::File;
use repoint_domain::values::partition;

/// Leaves a part of AWS's limits to other programs in the account.
const LIMIT_PERCENT: u32 = 90;
/// From the smallest share to far above any raised limit.
const LIMIT_PERCENTS: RangeInclusive<u32> = 1..=100_000;

impl Resolver<'_> {
    pub(super) fn aws(&mut self, file: &File) -> Aws {
        let region = ["REPOINT_AWS_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"];
        let region = self.text(&region, file.aws.region.as_ref());
        if let Some((given, partition)) =
            region.as_ref().and_then(|given| Some((given, partition::of_region(&given.value)?)))
        {
            self.is_of_partition(partition, &given.place, "aws.region");
        }
        // A variable of repoint takes precedence over a variable that every program reads.
        let endpoint = self.text(&["REPOINT_AWS_ENDPOINT_URL"], file.aws.endpoint_url.as_ref());
        let is_ignored = self.environment.get(&["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"]);
        let is_ignored = is_ignored.is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"));
        let of_all = || self.text(&["AWS_ENDPOINT_URL"], None).filter(|_| !is_ignored);
        let endpoint = endpoint.or_else(of_all);
        if let Some(given) = endpoint.as_ref().filter(|given| !is_url(&given.value)) {
            let message = format!("`{}` is not a URL that begins with http:// or https://", given.value);
            let problem = self.problem(&given.place, "aws.endpoint_url", message);
            self.problems.push(problem);
        }
        Aws {
            region: region.map(|given| given.value),
            endpoint_url: endpoint.map(|given| given.value),
            limit_percent: self.limit_percent(file),
        }
    }

    fn limit_percent(&mut self, file: &File) -> u32 {
        let (value, place) =
            match (self.environment.get(&["REPOINT_AWS_LIMIT_PERCENT"]), &file.aws.limit_percent) {
                (Some((name, value)), _) => (value.parse().ok(), Place::Variable(name.to_owned())),
                (None, Some(spanned)) => (Some(*spanned.get_ref()), Place::File(spanned.span())),
                (None, None) => return LIMIT_PERCENT,
            };
        value.filter(|percent| LIMIT_PERCENTS.contains(percent)).unwrap_or_else(|| {
            let (least, most) = (LIMIT_PERCENTS.start(), LIMIT_PERCENTS.end());
            let message =
                format!("it must be a whole number from {least} to {most}, a percentage of AWS's limits");
            let problem = self.problem(&place, "aws.limit_percent", message);
            self.problems.push(problem);
            LIMIT_PERCENT
        })
    }
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !text.contains(char::is_whitespace))
}
