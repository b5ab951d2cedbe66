//! Allocates through Rust: collections, closures, formatting, panics that are caught, threads, C in between.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

unsafe extern "C" {
    fn qsort(base: *mut c_void, count: usize, size: usize, compare: extern "C" fn(*const c_void, *const c_void) -> c_int);
}

extern "C" fn compare(left: *const c_void, right: *const c_void) -> c_int {
    let (left, right) = unsafe { (*left.cast::<i32>(), *right.cast::<i32>()) };
    let text = format!("{left} {right}");
    (left - right).signum() * (text.len() > 2) as c_int
}

struct Guard(usize);
impl Drop for Guard {
    fn drop(&mut self) {
        std::hint::black_box(vec![1u8; self.0 + 1]);
    }
}

#[inline(never)]
fn panics_at(depth: usize) -> usize {
    let guard = Guard(depth);
    let text = format!("depth {depth}");
    if depth == 0 {
        std::panic::panic_any(text);
    }
    let below = panics_at(depth - 1);
    std::mem::drop(guard);
    below + text.len()
}

#[inline(never)]
fn dive(depth: usize) -> Box<dyn Fn(usize) -> String> {
    let text = "x".repeat(depth + 1);
    if depth == 0 {
        return Box::new(move |n| format!("{text}{n}"));
    }
    let inner = dive(depth - 1);
    Box::new(move |n| inner(n) + &text)
}

fn work(rounds: usize) -> usize {
    let mut sum = 0;
    let mut words: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for round in 0..rounds {
        words.entry(format!("key {}", round % 97)).or_default().push("value".repeat(round % 5));
        let squares: HashMap<usize, String> = (0..12).map(|n| (n, (n * n).to_string())).collect();
        sum += squares.values().map(|text| text.chars().rev().collect::<String>().len()).sum::<usize>();
        sum += dive(round % 40)(round).len();
        let mut numbers: Vec<i32> = (0..15).map(|n| (n * 7919 + round as i32) % 100).collect();
        unsafe { qsort(numbers.as_mut_ptr().cast(), numbers.len(), 4, compare) };
        numbers.sort_by_key(|n| n.to_string());
        if round % 20 == 0 {
            let caught = catch_unwind(AssertUnwindSafe(|| panics_at(round % 30)));
            sum += caught.is_err() as usize;
        }
        if round % 200 == 0 {
            sum += dive(150 + round % 300)(1).len();
        }
    }
    sum + words.len()
}

fn main() {
    std::panic::set_hook(Box::new(|info| {
        std::hint::black_box(info.to_string());
    }));
    let rounds: usize = std::env::args().nth(2).and_then(|text| text.parse().ok()).unwrap_or(100);
    let mut sum = work(rounds);
    let threads: Vec<_> = (0..3).map(|n| std::thread::Builder::new().name(format!("t{n}")).spawn(move || work(rounds / 4)).unwrap()).collect();
    sum += threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>();
    std::hint::black_box(sum);
}
