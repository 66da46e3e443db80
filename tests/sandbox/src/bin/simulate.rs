//! Simulated nights from the command line; see [`USAGE`].

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]

use std::process::ExitCode;

use repoint_sandbox::simulation::{Ending, Night, Scenario, nights, shrink, spend};

const USAGE: &str = "\
usage: simulate --seeds FROM..TO    spend these nights, on all cores, until a law is broken
       simulate --seed SEED         spend one night and tell its story

A night that goes wrong is made as short as it can be, and then told.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--seed", seed] => seed.parse().map_or_else(|_| usage(), |seed| notify(&Scenario::new(seed))),
        ["--seeds", range] => {
            let ends = range.split_once("..");
            let ends = ends.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
            ends.map_or_else(usage, |(from, to)| many(from, to))
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

fn many(from: u64, to: u64) -> ExitCode {
    let (sum, bad) = nights(from..to);
    println!("{sum}");
    match bad {
        None => ExitCode::SUCCESS,
        Some((seed, broken)) => {
            println!("seed {seed}: {broken}; again with `simulate --seed {seed}`");
            notify(&Scenario::new(seed))
        }
    }
}

/// One night, told; a bad one at its shortest.
fn notify(scenario: &Scenario) -> ExitCode {
    let shortest = shrink(scenario);
    let Night { ending, journal, .. } = spend(&shortest, true);
    println!(
        "seed {}: {} members, {} reconcilers, {:?}, {:?}",
        shortest.seed, shortest.members, shortest.reconcilers, shortest.shape, shortest.beside
    );
    for (at, line) in &journal {
        println!("{:>5}.{:03} s  {line}", at / 1000, at % 1000);
    }
    match ending {
        Ending::Well(_) => {
            println!("it ended well");
            ExitCode::SUCCESS
        }
        Ending::Badly(broken) => {
            println!("{broken}, after these events:");
            for (at, event) in &shortest.events {
                println!("  {:>5}.{:03} s  {event}", at / 1000, at % 1000);
            }
            ExitCode::FAILURE
        }
    }
}
