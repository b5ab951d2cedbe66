#![forbid(unsafe_code)]
//! What the check of a scope takes, in microseconds: the median of many.

use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use heapcheck_rt::Scope;

static KEPT: Mutex<Vec<Box<[u64; 6]>>> = Mutex::new(Vec::new());

fn main() {
    tell("a scope with nothing live", measure(2000, || drop(black_box(vec![1u8; 100]))));
    let live = measure(300, || KEPT.lock().unwrap().push(Box::new([1; 6])));
    tell("one live block, in a process of few", live);
    KEPT.lock().unwrap().extend((0..100_000).map(|number| Box::new([number; 6])));
    let live = measure(100, || KEPT.lock().unwrap().push(Box::new([1; 6])));
    tell("one live block, in a process of 100,000", live);
    let live = measure(100, || {
        let mut kept = KEPT.lock().unwrap();
        kept.truncate(10);
        kept.extend((0..100_000).map(|number| Box::new([number; 6])));
    });
    tell("100,000 live blocks of its own", live);
    tell("nothing live, in a process of 100,000", measure(2000, || drop(black_box(vec![1u8; 100]))));
}

/// Opens a scope, works in it, and takes the time of its check and end.
fn measure(count: usize, work: impl Fn()) -> Duration {
    let mut times: Vec<Duration> = (0..count)
        .map(|_| {
            let begun = Instant::now();
            let scope = Scope::new("bench");
            let opened = begun.elapsed();
            work();
            let begun = Instant::now();
            scope.check().unwrap();
            drop(scope);
            opened + begun.elapsed()
        })
        .collect();
    times.sort();
    times[count / 2]
}

fn tell(what: &str, time: Duration) {
    println!("  {what:42} {:10.1} us", time.as_secs_f64() * 1e6);
}
