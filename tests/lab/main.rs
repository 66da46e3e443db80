//! The lab: the product against real etcd, PostgreSQL and Patroni and an emulated AWS.
//! `tests/run lab` starts it, in a network of its own with nothing but loopback.

#![expect(
    clippy::disallowed_methods,
    reason = "the lab runs in real time, and has its folders from tests/run"
)]
#![expect(clippy::print_stderr, reason = "the lab prints progress and figures")]

mod adoption;
mod aws;
mod callback;
mod clients;
mod cloudformation;
mod command;
mod cpu_share;
mod deployed;
mod deployment;
mod discovery;
mod doctor;
mod drill;
mod etcd;
mod event_log;
mod failover;
#[path = "../benchmarks/figure.rs"]
mod figure;
mod figures;
mod fleet;
mod forwarder;
mod function;
mod haproxy;
mod harness;
mod healthy;
mod iam;
mod infra;
mod lab;
mod lambda;
mod lambda_figures;
mod latency;
mod mailbox;
mod member;
mod moto;
mod network;
mod patroni;
mod postmaster;
mod probing;
mod prometheus;
mod promptness;
mod readers;
mod recording;
mod records;
mod regions;
mod service;
mod sites;
mod stage;
mod state_table;
mod stretched;
mod terminator;
mod terraform;
mod versions;
mod vip;
mod wait;
mod walkthrough;
mod warm;
mod weighted;
mod wire;

use std::process::ExitCode;

use libtest_mimic::Arguments;

use crate::stage::Stage;

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("{error:#}");
        ExitCode::FAILURE
    })
}

fn run() -> anyhow::Result<ExitCode> {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);

    let stage = Stage::new()?;
    let trials = [
        harness::trials,
        adoption::trials,
        failover::trials,
        callback::trials,
        clients::trials,
        readers::trials,
        records::trials,
        warm::trials,
        weighted::trials,
        sites::trials,
        discovery::trials,
        stretched::trials,
        iam::trials,
        state_table::trials,
        doctor::trials,
        lambda::trials,
        terraform::trials,
        cloudformation::trials,
        walkthrough::trials,
        wire::trials,
        drill::trials,
        haproxy::trials,
        prometheus::trials,
        healthy::trials,
        figures::trials,
        lambda_figures::trials,
        promptness::trials,
        probing::trials,
    ];
    let trials = trials.iter().flat_map(|trials| trials(&stage)).collect();
    if !arguments.list {
        stage.start_lab()?;
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    stage.stop_lab()?;
    Ok(conclusion.exit_code())
}
