//! Keeps blocks alive in every way that safe Rust has, and ends while a thread sleeps.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

struct Session {
    user: Box<User>,
}

struct User {
    _id: [u64; 7],
}

struct Link {
    next: Option<Box<Link>>,
    tail: Option<Box<Tail>>,
}

struct Tail(#[allow(dead_code)] [u64; 13]);

struct Guest(#[allow(dead_code)] [u64; 9]);

struct Note(#[allow(dead_code)] [u64; 11]);

static SESSIONS: LazyLock<Mutex<HashMap<u32, Session>>> = LazyLock::new(Mutex::default);
static CHAIN: OnceLock<Box<Link>> = OnceLock::new();

thread_local! {
    static NOTES: RefCell<Vec<Box<Note>>> = const { RefCell::new(Vec::new()) };
}

fn open_session() {
    let user = Box::new(User { _id: [7; 7] });
    SESSIONS.lock().unwrap().insert(1, Session { user });
    assert_eq!(SESSIONS.lock().unwrap()[&1].user._id[0], 7);
}

fn build_chain(length: u64) {
    let mut head = Link { next: None, tail: Some(Box::new(Tail([5; 13]))) };
    for _ in 1..length {
        head = Link { next: Some(Box::new(head)), tail: None };
    }
    CHAIN.get_or_init(|| Box::new(head));
    assert!(CHAIN.get().unwrap().next.is_some() && CHAIN.get().unwrap().tail.is_none());
}

#[inline(never)]
fn keep_guest(ready: &Sender<()>) {
    let guest = Box::new(Guest([3; 9]));
    NOTES.with_borrow_mut(|notes| notes.push(Box::new(Note([4; 11]))));
    ready.send(()).unwrap();
    thread::sleep(Duration::from_secs(1000));
    drop(guest);
}

fn main() {
    open_session();
    build_chain(100);
    let (ready, is_ready) = channel();
    thread::Builder::new().name("porter".to_string()).spawn(move || keep_guest(&ready)).unwrap();
    is_ready.recv().unwrap();
    // The thread goes to sleep.
    thread::sleep(Duration::from_millis(100));
}
