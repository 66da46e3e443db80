//! The rules for Prometheus and the dashboards for Grafana ask for what repoint reports.

mod dashboards;
mod queries;
mod rules;
