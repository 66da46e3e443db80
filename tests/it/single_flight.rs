//! One process of many does the work; here they are tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use repoint::adapters::single_flight::join;
use tokio::sync::Notify;
use tokio::task::yield_now;

fn name(test: &str) -> String {
    format!("test {} {test}", std::process::id())
}

/// Whenever one comes, be it just when the work ends, it is begun after that, by the one or by the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wish_is_lost() {
    let begun = Arc::new(AtomicUsize::new(0));
    let one = |number: usize| {
        let begun = begun.clone();
        tokio::spawn(async move {
            for _ in 0..number % 7 {
                yield_now().await;
            }
            let before = begun.load(Ordering::SeqCst);
            match join(&name("lost")).await.unwrap() {
                Some(flight) => {
                    flight
                        .work(|| {
                            begun.fetch_add(1, Ordering::SeqCst);
                            async move {
                                for _ in 0..number % 5 {
                                    yield_now().await;
                                }
                            }
                        })
                        .await;
                    None
                }
                None => Some(before),
            }
        })
    };
    for _ in 0..50 {
        let answered = join_all((0..20).map(one)).await.into_iter().filter_map(Result::unwrap);
        let last = begun.load(Ordering::SeqCst);
        for before in answered {
            assert!(before < last, "{before} of {last} were begun when it came, and none after");
        }
    }
    assert!(begun.load(Ordering::SeqCst) < 50 * 20, "some were done for others");
}

#[tokio::test]
async fn requests_during_the_work_are_served_by_one_more_round() {
    let (begun, go_on) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let flight = join(&name("one more")).await.unwrap().unwrap();
    let (count, wait) = (begun.clone(), go_on.clone());
    let done = tokio::spawn(flight.work(move || {
        let (number, wait) = (count.fetch_add(1, Ordering::SeqCst) + 1, wait.clone());
        async move {
            if number == 1 {
                wait.notified().await;
            }
            number
        }
    }));
    while begun.load(Ordering::SeqCst) == 0 {
        yield_now().await;
    }
    for _ in 0..10 {
        assert!(join(&name("one more")).await.unwrap().is_none());
    }
    go_on.notify_one();
    assert_eq!(done.await.unwrap(), 2);
    // Who comes after the end does it.
    assert!(join(&name("one more")).await.unwrap().is_some());
}

#[tokio::test]
async fn other_work_is_done_meanwhile() {
    let _flight = join(&name("a")).await.unwrap().unwrap();
    assert!(join(&name("b")).await.unwrap().is_some());
}

/// One that was stopped answers nobody, and keeps nobody from the work.
#[tokio::test(start_paused = true)]
async fn a_leader_that_does_not_answer_is_reported() {
    let flight_of_a_hung_process = join(&name("hangs")).await.unwrap().unwrap();
    let error = join(&name("hangs")).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    drop(flight_of_a_hung_process);
    assert!(join(&name("hangs")).await.unwrap().is_some());
}
