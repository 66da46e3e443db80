//! Simulated nights from the command line; see [`USAGE`].

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use repoint_sandbox::simulation::{Ending, Figures, Night, Scenario, shrink, spend};

const USAGE: &str = "\
usage: simulate --seeds FROM..TO    spend these nights, on all cores, until a law is broken
       simulate --seed SEED         spend one night and tell its story

A night that goes wrong is made as short as it can be, and then told.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--seed", seed] => seed.parse().map_or_else(|_| usage(), |seed| tell(&Scenario::new(seed))),
        ["--seeds", range] => {
            let ends = range.split_once("..");
            let ends = ends.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
            ends.map_or_else(usage, |(from, to)| nights(from, to))
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

/// Nights on all cores, until one goes wrong.
fn nights(from: u64, to: u64) -> ExitCode {
    let next = AtomicU64::new(from);
    let worker = || {
        let mut figures = Figures::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= to {
                return (figures, None);
            }
            match spend(&Scenario::new(seed), false).ending {
                Ending::Well(more) => figures = figures + more,
                Ending::Badly(broken) => {
                    next.store(to, Ordering::Relaxed);
                    return (figures, Some((seed, broken)));
                }
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    let sum = done.iter().fold(Figures::default(), |sum, (figures, _)| sum + *figures);
    println!(
        "{} nights ended well: {} passes, {} changes of endpoints, {} messages",
        sum.nights, sum.passes, sum.deeds, sum.messages
    );
    let first = done.into_iter().filter_map(|(_, bad)| bad).min_by_key(|(seed, _)| *seed);
    match first {
        None => ExitCode::SUCCESS,
        Some((seed, broken)) => {
            println!("seed {seed}: {broken}; again with `simulate --seed {seed}`");
            tell(&Scenario::new(seed))
        }
    }
}

/// One night, told; a bad one at its shortest.
fn tell(scenario: &Scenario) -> ExitCode {
    let shortest = shrink(scenario);
    let Night { ending, journal } = spend(&shortest, true);
    println!(
        "seed {}: {} members, {} reconcilers, {:?}",
        shortest.seed, shortest.members, shortest.reconcilers, shortest.shape
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
