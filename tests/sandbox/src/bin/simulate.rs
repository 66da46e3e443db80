//! Simulated runs from the command line; see [`USAGE`].

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]

use std::process::ExitCode;

use repoint_sandbox::simulation::{Ending, Run, Scenario, run, runs, shrink};

const USAGE: &str = "\
usage: simulate [--stretched] --seeds FROM..TO    run these seeds, on all cores, until an invariant is violated
       simulate [--stretched] --seed SEED         run one seed and print its event log

With --stretched each is one cluster over two Regions, which of all seeds only some are.

A run that fails is reduced to the fewest events that still fail, and then printed.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (scenario, words): (fn(u64) -> Scenario, _) = match words[..] {
        ["--stretched", ref rest @ ..] => (Scenario::stretched, rest.to_vec()),
        _ => (Scenario::new, words),
    };
    match words[..] {
        ["--seed", seed] => seed.parse().map_or_else(|_| usage(), |seed| print_run(&scenario(seed))),
        ["--seeds", range] => {
            let ends = range.split_once("..");
            let ends = ends.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
            ends.map_or_else(usage, |(from, to)| many(from, to, scenario))
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

fn many(from: u64, to: u64, scenario: fn(u64) -> Scenario) -> ExitCode {
    let (sum, bad) = runs(from..to, scenario);
    println!("{sum}");
    match bad {
        None => ExitCode::SUCCESS,
        Some((seed, violation)) => {
            println!("seed {seed}: {violation}; reproduce it with `--seed {seed}` in the place of `--seeds`");
            print_run(&scenario(seed))
        }
    }
}

/// One run, printed; a failed one at its shortest.
fn print_run(scenario: &Scenario) -> ExitCode {
    let shortest = shrink(scenario);
    let Run { ending, event_log, .. } = run(&shortest, true);
    println!(
        "seed {}: {} members, {} reconcilers, {:?}, {:?}",
        shortest.seed, shortest.members, shortest.reconcilers, shortest.shape, shortest.second_site
    );
    for (at, line) in &event_log {
        println!("{:>5}.{:03} s  {line}", at / 1000, at % 1000);
    }
    match ending {
        Ending::Passed(_) => {
            println!("passed");
            ExitCode::SUCCESS
        }
        Ending::Failed(violation) => {
            println!("{violation}, after these events:");
            for (at, event) in &shortest.events {
                println!("  {:>5}.{:03} s  {event}", at / 1000, at % 1000);
            }
            ExitCode::FAILURE
        }
    }
}
