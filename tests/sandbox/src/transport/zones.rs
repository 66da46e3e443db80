//! Hosted zones.

use std::collections::BTreeSet;

use async_trait::async_trait;
use repoint::limits::LeaseGuard;
use repoint::ports::Zones;
use repoint_domain::observed::Read;
use repoint_domain::values::failure::Failure;
use repoint_domain::values::record::{
    Alias, Answer, ChangeId, Failover, Listing, RecordChange, RecordKey, RecordName, RecordPlace, RecordSet,
    RecordType, Routing, SetIdentifier, ZoneId,
};

use super::Link;
use super::failure::failure;
use crate::aws::route53::batch::{Change, ChangeAction};
use crate::aws::route53::list::ListFrom;
use crate::aws::route53::name::Name;
use crate::aws::route53::record;
use crate::simulation::Action;

const LIST: &str = "route53:ListResourceRecordSets";
const CHANGE: &str = "route53:ChangeResourceRecordSets";
const GET_CHANGE: &str = "route53:GetChange";

#[async_trait]
impl Zones for Link {
    async fn read(&self, zone: &ZoneId, places: &BTreeSet<RecordPlace>) -> Read<Listing> {
        let (id, places) = (zone.clone(), places.clone());
        self.call(LIST, zone.as_str(), None, move |world, now| {
            let page = world.account.list_resource_record_sets(now, id.as_str(), &ListFrom::default(), None);
            let page = page.map_err(|error| failure(LIST, id.as_str(), &error))?;
            let mut found: Listing = places.into_iter().map(|place| (place, Vec::new())).collect();
            for set in page.sets.iter().filter_map(|set| ours(&id, set)) {
                if let Some(sets) = found.get_mut(&set.key.place) {
                    sets.push(set);
                }
            }
            Ok(found)
        })
        .await
    }

    async fn change(
        &self,
        zone: &ZoneId,
        changes: &[RecordChange],
        guard: &LeaseGuard,
    ) -> Vec<Result<ChangeId, Failure>> {
        let (id, count) = (zone.clone(), changes.len());
        let (changes, by) = (changes.to_vec(), self.identity.clone());
        let result = self.call(CHANGE, zone.as_str(), Some(guard), move |world, now| {
            let before = changes.iter().filter_map(|change| change.before.as_ref());
            let batch: Vec<Change> = before
                .map(|set| Change { action: ChangeAction::Delete, set: theirs(set) })
                .chain(
                    changes
                        .iter()
                        .map(|change| Change { action: ChangeAction::Create, set: theirs(&change.after) }),
                )
                .collect();
            let answer = world.account.change_resource_record_sets(now, id.as_str(), &batch);
            let accepted = answer.map_err(|error| failure(CHANGE, id.as_str(), &error))?;
            world.done(now, &by, &Action::Changed(changes));
            Ok(ChangeId::new(accepted.id))
        });
        vec![result.await; count]
    }

    async fn is_insync(&self, change: &ChangeId) -> Read<bool> {
        let id = change.clone();
        self.call(GET_CHANGE, change.as_str(), None, move |world, now| {
            let info = world.account.get_change(now, id.as_str());
            info.map(|info| info.in_sync).map_err(|error| failure(GET_CHANGE, id.as_str(), &error))
        })
        .await
    }
}

/// A record set in `repoint`'s words; `None` for types that cannot point at a node.
pub(crate) fn ours(zone: &ZoneId, set: &record::RecordSet) -> Option<RecordSet> {
    let record_type = match set.key.record_type.as_str() {
        "A" => RecordType::A,
        "AAAA" => RecordType::Aaaa,
        "CNAME" => RecordType::Cname,
        _ => return None,
    };
    let routing = match (set.failover, set.weight) {
        (Some(record::Failover::Primary), _) => Routing::Failover(Failover::Primary),
        (Some(record::Failover::Secondary), _) => Routing::Failover(Failover::Secondary),
        (None, Some(_)) => Routing::Other("weighted".to_owned()),
        (None, None) => Routing::Simple,
    };
    let place = RecordPlace { zone: zone.clone(), name: RecordName::new(set.key.name.as_str()), record_type };
    Some(RecordSet {
        key: RecordKey { place, set_identifier: set.key.set_identifier.as_ref().map(SetIdentifier::new) },
        routing,
        answer: match &set.answer {
            record::Answer::Values { ttl, values } => {
                Answer::Values { ttl_seconds: *ttl, values: values.clone() }
            }
            record::Answer::Alias(alias) => Answer::Alias(Alias {
                zone: ZoneId::new(&alias.zone),
                dns_name: alias.name.clone(),
                evaluate_target_health: alias.evaluate_target_health,
            }),
        },
        health_check_id: set.health_check.clone(),
    })
}

fn theirs(set: &RecordSet) -> record::RecordSet {
    let place = &set.key.place;
    record::RecordSet {
        key: record::RecordKey {
            name: Name::new(place.name.as_str()),
            record_type: place.record_type.as_str().to_owned(),
            set_identifier: set.key.set_identifier.as_ref().map(ToString::to_string),
        },
        failover: match set.routing {
            Routing::Failover(Failover::Primary) => Some(record::Failover::Primary),
            Routing::Failover(Failover::Secondary) => Some(record::Failover::Secondary),
            Routing::Simple | Routing::Other(_) => None,
        },
        weight: None,
        answer: match &set.answer {
            Answer::Values { ttl_seconds, values } => {
                record::Answer::Values { ttl: *ttl_seconds, values: values.clone() }
            }
            Answer::Alias(alias) => record::Answer::Alias(their_alias(alias)),
        },
        health_check: set.health_check_id.clone(),
    }
}

/// An alias in the account's words.
pub(crate) fn their_alias(alias: &Alias) -> record::Alias {
    record::Alias {
        zone: alias.zone.to_string(),
        name: Name::new(&alias.dns_name).to_string(),
        evaluate_target_health: alias.evaluate_target_health,
    }
}
