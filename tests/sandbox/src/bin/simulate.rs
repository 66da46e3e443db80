//! Runs simulated nights: `simulate --seeds 0..20000`, or one of them with its story: `simulate --seed 4711`.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use repoint_sandbox::simulation::{Ending, Scenario, shrink, spend};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--seed", seed] => seed.parse().map_or_else(|_| usage(), tell),
        ["--seeds", range] => {
            let ends =
                range.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
            ends.map_or_else(usage, |(from, to)| run(from, to))
        }
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!(
        "usage: simulate --seeds FROM..TO    nights on all cores; the first bad one is told and shrunk"
    );
    eprintln!("       simulate --seed SEED         one night, with its journal; a bad one is shrunk");
    ExitCode::from(2)
}

/// Nights on all cores, until one goes wrong.
fn run(from: u64, to: u64) -> ExitCode {
    let next = AtomicU64::new(from);
    let stop = AtomicBool::new(false);
    let (passes, deeds, messages) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let bad = std::sync::Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= to {
                        return;
                    }
                    match spend(&Scenario::new(seed), false).ending {
                        Ending::Well(figures) => {
                            passes.fetch_add(
                                u64::try_from(figures.passes).unwrap_or_default(),
                                Ordering::Relaxed,
                            );
                            deeds.fetch_add(figures.deeds, Ordering::Relaxed);
                            messages.fetch_add(
                                u64::try_from(figures.messages).unwrap_or_default(),
                                Ordering::Relaxed,
                            );
                        }
                        Ending::Badly(broken) => {
                            eprintln!("seed {seed}: {broken:?}");
                            let mut bad = bad.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                            bad.push(seed);
                            if bad.len() > 20 {
                                stop.store(true, Ordering::Relaxed);
                            }
                        }
                    }
                }
            });
        }
    });
    println!(
        "{} passes, {} deeds, {} messages",
        passes.into_inner(),
        deeds.into_inner(),
        messages.into_inner()
    );
    let bad = bad.into_inner().unwrap_or_default();
    if bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One night, told.
fn tell(seed: u64) -> ExitCode {
    let scenario = Scenario::new(seed);
    let night = spend(&scenario, true);
    let Ending::Badly(_) = night.ending else {
        for (at, line) in &night.journal {
            println!("{:>9.3} s  {line}", *at as f64 / 1000.0);
        }
        println!("{:?}", night.ending);
        return ExitCode::SUCCESS;
    };
    let short = shrink(&scenario);
    let night = spend(&short, true);
    for (at, line) in &night.journal {
        println!("{:>9.3} s  {line}", *at as f64 / 1000.0);
    }
    println!("{short:#?}");
    println!("{:?}", night.ending);
    ExitCode::FAILURE
}
