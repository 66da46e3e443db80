//! `discover` of a cluster or a site: where members may be found.

use toml::Spanned;

use super::Resolver;
use crate::config::file::{self, SchemeName};
use repoint_domain::spec::{Discover, Source, Spec, Tag};
use repoint_domain::values::assume::AssumedRole;
use repoint_domain::values::cluster::Scope;
use repoint_domain::values::host::is_name;

/// Patroni's own port in its documentation and packages (`patroni.yml`, `restapi.listen`).
const PORT: u16 = 8008;
/// The longest key of a tag, in characters (EC2 User Guide, "Tag restrictions").
const LONGEST_KEY: usize = 128;
const SOURCES: &str = "it needs one of `ec2_tag`, `autoscaling_group` and `dns`";

impl Resolver<'_> {
    /// `region` and `role` are those of the site and of the cluster.
    pub(super) fn discover(
        &mut self,
        given: Option<&Spanned<file::Discover>>,
        key: &str,
        scope: &Scope,
        region: Option<&str>,
        role: Option<&AssumedRole>,
    ) -> Option<Discover> {
        let given = given?;
        let (span, given) = (given.span(), given.get_ref());
        let instances = |tag| Source::Instances {
            tag,
            region: given.region.as_ref().map(|own| own.get_ref().as_str()).or(region).map(str::to_owned),
            assume: role.cloned(),
        };
        let source = match (&given.ec2_tag, &given.autoscaling_group, &given.dns) {
            (Some(tag), None, None) => {
                let tag_key = self.spanned(tag, &format!("{key}.ec2_tag"), |text| {
                    let is_key = !text.trim().is_empty() && text.chars().count() <= LONGEST_KEY;
                    is_key
                        .then(|| text.to_owned())
                        .ok_or("it must be the key of a tag, of 1 to 128 characters")
                })?;
                instances(Tag { key: tag_key, value: scope.as_str().to_owned() })
            }
            (None, Some(group), None) => {
                let group = self.spanned(group, &format!("{key}.autoscaling_group"), |text| {
                    let is_name = !text.trim().is_empty() && !text.starts_with("arn:");
                    is_name.then(|| text.to_owned()).ok_or("it must be the name of an Auto Scaling group")
                })?;
                instances(Tag::of_group(&group))
            }
            (None, None, Some(name)) => self.spanned(name, &format!("{key}.dns"), by_name)?,
            _ => {
                self.push_error(&span, key, SOURCES);
                return None;
            }
        };
        self.is_built(&source, &span, key);
        let is_service = matches!(source, Source::Service(_));
        if let Some(port) = given.port.as_ref().filter(|port| is_service || *port.get_ref() == 0) {
            let message =
                if is_service { "SRV records have their own ports" } else { "a port must not be 0" };
            self.push_error(&port.span(), &format!("{key}.port"), message);
        }
        if let Some(own) = given.region.as_ref().filter(|_| !source.lists_all()) {
            self.push_error(&own.span(), &format!("{key}.region"), "DNS has no Regions");
        }
        Some(Discover {
            source,
            port: given.port.as_ref().map_or(PORT, |port| *port.get_ref()),
            is_https: given
                .scheme
                .as_ref()
                .map_or(self.uses_tls, |scheme| *scheme.get_ref() == SchemeName::Https),
        })
    }

    /// A build may leave out what it needs.
    fn is_built(&mut self, source: &Source, span: &std::ops::Range<usize>, key: &str) {
        let missing = match source {
            Source::Instances { .. } if !cfg!(feature = "ec2") => "EC2 (its feature `ec2`)",
            Source::Service(_) if !cfg!(feature = "srv") => {
                "SRV records (its feature `srv`); a name with addresses needs none"
            }
            _ => return,
        };
        self.push_error(span, key, format!("this build of repoint does without {missing}"));
    }
}

/// Instances that have no Region yet are in that of the target groups, if that is one, or else of `aws.region`.
pub(super) fn fill_in_regions(spec: &mut Spec, own: Option<&str>) {
    for site in &mut spec.sites {
        let Some(Source::Instances { region, .. }) = site.discover.as_mut().map(|its| &mut its.source) else {
            continue;
        };
        let here = spec.groups.iter().filter(|group| group.site.is_none() || group.site == site.name);
        let mut regions: Vec<&str> = here.map(|group| group.arn.region()).collect();
        regions.dedup();
        let only = if let [only] = regions[..] { Some(only) } else { None };
        *region = region.take().or_else(|| only.or(own).map(str::to_owned));
    }
}

/// A name of SRV records begins with an underscore (RFC 2782).
fn by_name(text: &str) -> Result<Source, &'static str> {
    let plain: Vec<&str> = text.split('.').map(|label| label.strip_prefix('_').unwrap_or(label)).collect();
    match text.strip_prefix('_') {
        Some(_) if is_name(&plain.join(".")) => Ok(Source::Service(text.to_owned())),
        None if is_name(text) => Ok(Source::Addresses(text.to_owned())),
        _ => Err("it must be a DNS name, such as pg.example.com or _patroni._tcp.example.com"),
    }
}
