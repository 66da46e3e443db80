//! The list of checks. A new one is a file beside these and a line here.

mod alerts_call_function;
mod alias_balancer_unhealthy;
mod alias_of_other_balancer;
mod alias_without_balancer;
mod alias_zone_wrong;
mod asynchronous_replication;
mod balancer_closed_to_clients;
mod balancer_closed_to_nodes;
mod balancer_internet_facing;
mod balancer_not_active;
mod balancer_not_protected;
mod balancer_without_security_groups;
mod balancer_zone_missing;
mod callback_missing;
mod callback_topic_filtered;
mod callback_topic_without_function;
mod callback_topic_without_redrive;
mod callback_without_daemon;
mod client_ip_preserved;
mod clock_differs;
mod clock_not_synchronised;
mod crash_recovery_long;
mod cross_zone_off;
mod dcs_members_even;
mod dcs_stale;
mod deregistered_keeps_sessions;
mod discovery_finds_others;
mod discovery_incomplete;
mod endpoint_behind;
mod failover_without_health_check;
mod failsafe_mode_off;
mod flapping;
mod function_concurrency_zero;
mod function_egress_closed;
mod function_memory_small;
mod function_network;
mod function_not_active;
mod function_outside_vpc;
mod function_timeout_short;
mod function_without_failure_destination;
mod function_without_route_to_aws;
mod function_without_route_to_patroni;
mod group_of_other_type;
mod group_unattached;
mod haproxy;
mod haproxy_check_unfit;
mod haproxy_forgets_address;
mod haproxy_keeps_old_workers;
mod haproxy_keeps_sessions;
mod haproxy_reload_opens_all;
mod health_check_disabled;
mod health_check_inverted;
mod health_check_of_one_member;
mod health_check_of_private_address;
mod health_check_slow;
mod health_check_unfit;
mod health_check_without_data;
mod health_checks;
mod keepalive_too_late;
mod listener_not_tcp;
mod listener_sticky;
mod member_address;
mod member_unplaced;
mod minimum_healthy_targets;
mod mixed_versions;
mod no_alert_topic;
mod no_candidate;
mod no_rewind;
mod no_synchronous_standby;
mod nodes_closed_to_balancer;
mod outbox_waiting;
mod own_name_on_loopback;
mod paused;
mod pending_restart;
mod proxy_protocol_on;
mod record_check_slow;
mod record_ttl_long;
mod replica_behind;
mod resource_missing;
mod restapi_unguarded;
mod schedule_event_refused;
mod schedule_missing;
mod schedule_slow;
mod scheduled_switchover;
mod schedules;
mod switchover_open;
mod table_key_wrong;
mod table_not_active;
mod table_not_consistent;
mod table_unprotected;
mod targets_unhealthy;
mod timeline_not_compared;
mod topic_key_of_other_account;
mod topic_subscription_pending;
mod topic_without_subscription;
mod ttl_long;
mod ttl_too_short;
mod unhealthy_keeps_sessions;
mod unit_not_enabled;
mod unit_not_running;
mod watchdog_failed;
mod watchdog_missing;
mod weighted_asks_role;
mod zonal_shift;
mod zone_not_in_vpc;

use super::check::Check;

/// The check of that id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.id == id).copied()
}

/// All of them, in the order of the guide.
pub const CHECKS: &[&Check] = &[
    // Target groups and load balancers
    &balancer_closed_to_clients::CHECK,
    &balancer_closed_to_nodes::CHECK,
    &balancer_internet_facing::CHECK,
    &balancer_not_active::CHECK,
    &balancer_not_protected::CHECK,
    &balancer_without_security_groups::CHECK,
    &balancer_zone_missing::CHECK,
    &client_ip_preserved::CHECK,
    &cross_zone_off::CHECK,
    &deregistered_keeps_sessions::CHECK,
    &endpoint_behind::CHECK,
    &group_of_other_type::CHECK,
    &group_unattached::CHECK,
    &health_check_slow::CHECK,
    &health_check_unfit::CHECK,
    &keepalive_too_late::CHECK,
    &listener_not_tcp::CHECK,
    &listener_sticky::CHECK,
    &member_unplaced::CHECK,
    &minimum_healthy_targets::CHECK,
    &nodes_closed_to_balancer::CHECK,
    &proxy_protocol_on::CHECK,
    &targets_unhealthy::CHECK,
    &unhealthy_keeps_sessions::CHECK,
    &weighted_asks_role::CHECK,
    &zonal_shift::CHECK,
    // Record sets
    &alias_balancer_unhealthy::CHECK,
    &alias_of_other_balancer::CHECK,
    &alias_without_balancer::CHECK,
    &alias_zone_wrong::CHECK,
    &failover_without_health_check::CHECK,
    &health_check_disabled::CHECK,
    &health_check_inverted::CHECK,
    &health_check_of_one_member::CHECK,
    &health_check_of_private_address::CHECK,
    &health_check_without_data::CHECK,
    &record_check_slow::CHECK,
    &record_ttl_long::CHECK,
    &zone_not_in_vpc::CHECK,
    // Topics, the Lambda and the state
    &alerts_call_function::CHECK,
    &callback_topic_filtered::CHECK,
    &callback_topic_without_function::CHECK,
    &callback_topic_without_redrive::CHECK,
    &function_concurrency_zero::CHECK,
    &function_egress_closed::CHECK,
    &function_memory_small::CHECK,
    &function_not_active::CHECK,
    &function_timeout_short::CHECK,
    &function_outside_vpc::CHECK,
    &function_without_failure_destination::CHECK,
    &function_without_route_to_aws::CHECK,
    &function_without_route_to_patroni::CHECK,
    &no_alert_topic::CHECK,
    &outbox_waiting::CHECK,
    &resource_missing::CHECK,
    &schedule_event_refused::CHECK,
    &schedule_missing::CHECK,
    &schedule_slow::CHECK,
    &table_key_wrong::CHECK,
    &table_not_active::CHECK,
    &table_unprotected::CHECK,
    &table_not_consistent::CHECK,
    &topic_key_of_other_account::CHECK,
    &topic_subscription_pending::CHECK,
    &topic_without_subscription::CHECK,
    // Patroni
    &asynchronous_replication::CHECK,
    &clock_differs::CHECK,
    &crash_recovery_long::CHECK,
    &dcs_stale::CHECK,
    &discovery_incomplete::CHECK,
    &discovery_finds_others::CHECK,
    &failsafe_mode_off::CHECK,
    &flapping::CHECK,
    &member_address::CHECK,
    &mixed_versions::CHECK,
    &no_candidate::CHECK,
    &no_rewind::CHECK,
    &no_synchronous_standby::CHECK,
    &paused::CHECK,
    &pending_restart::CHECK,
    &replica_behind::CHECK,
    &scheduled_switchover::CHECK,
    &switchover_open::CHECK,
    &timeline_not_compared::CHECK,
    &ttl_long::CHECK,
    &ttl_too_short::CHECK,
    &watchdog_failed::CHECK,
    // This node
    &callback_missing::CHECK,
    &callback_without_daemon::CHECK,
    &clock_not_synchronised::CHECK,
    &dcs_members_even::CHECK,
    &haproxy_keeps_old_workers::CHECK,
    &haproxy_keeps_sessions::CHECK,
    &haproxy_reload_opens_all::CHECK,
    &haproxy_forgets_address::CHECK,
    &haproxy_check_unfit::CHECK,
    &own_name_on_loopback::CHECK,
    &restapi_unguarded::CHECK,
    &unit_not_enabled::CHECK,
    &unit_not_running::CHECK,
    &watchdog_missing::CHECK,
];
