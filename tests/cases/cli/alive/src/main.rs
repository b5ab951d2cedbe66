//! Keeps blocks alive in every way that safe Rust has, and ends while a thread sleeps.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
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
fn keep_guest() {
    let guest = Box::new(Guest([3; 9]));
    NOTES.with_borrow_mut(|notes| notes.push(Box::new(Note([4; 11]))));
    PORTER.store(thread_number(), Ordering::SeqCst);
    thread::sleep(Duration::from_secs(1000));
    drop(guest);
}

fn main() {
    open_session();
    fill_desk();
    build_chain(100);
    thread::Builder::new().name("porter".to_string()).spawn(keep_guest).unwrap();
    // The thread goes to sleep.
    while !is_asleep(PORTER.load(Ordering::SeqCst)) {
        thread::yield_now();
    }
}

/// A global with fields, in which std's wrappers lie, too.
struct Desk {
    _open: u64,
    drawers: [Drawer; 3],
    state: State,
}

struct Drawer {
    _label: &'static str,
    papers: RefCell<Vec<Box<Paper>>>,
}

enum State {
    Empty,
    Lit { lamp: Option<Box<Lamp>> },
}

struct Paper(#[allow(dead_code)] [u64; 15]);

struct Lamp(#[allow(dead_code)] [u64; 17]);

struct Pocket {
    _size: u32,
    coins: Vec<u128>,
}

const EMPTY: Drawer = Drawer { _label: "", papers: RefCell::new(Vec::new()) };

static DESK: Mutex<Desk> =
    Mutex::new(Desk { _open: 1, drawers: [EMPTY; 3], state: State::Empty });

static LATE: LazyLock<Desk> =
    LazyLock::new(|| Desk { _open: 1, drawers: [EMPTY; 3], state: lit() });

thread_local! {
    static POCKET: RefCell<Pocket> = RefCell::new(Pocket { _size: 1, coins: Vec::new() });
}

fn lit() -> State {
    State::Lit { lamp: Some(Box::new(Lamp([6; 17]))) }
}

// Safe as only the main thread uses it.
unsafe impl Sync for Drawer {}

fn fill_desk() {
    let mut desk = DESK.lock().unwrap();
    desk.drawers[2].papers.get_mut().push(Box::new(Paper([8; 15])));
    assert!(matches!(desk.state, State::Empty));
    assert!(matches!(&LATE.state, State::Lit { lamp: Some(_) }));
    desk.state = State::Lit { lamp: None };
    POCKET.with_borrow_mut(|pocket| pocket.coins.extend([1, 2, 3]));
}

/// The thread that keeps a guest, when it is about to sleep.
static PORTER: AtomicU32 = AtomicU32::new(0);

fn thread_number() -> u32 {
    let link = std::fs::read_link("/proc/thread-self").unwrap();
    link.file_name().unwrap().to_str().unwrap().parse().unwrap()
}

fn is_asleep(thread: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat"));
    stat.is_ok_and(|stat| stat.contains(") S "))
}
