//! Threads in every situation, stopped for real. Nothing here allocates while the world is stopped: a stopped thread may
//! hold the lock of the test program's malloc.

use super::crew::{
    Crew, Crowd, MAGIC, Post, deaf, deaf_holding, deaf_holding_vector, holding, holding_vector, sleeping,
    spinning,
};
use super::{Method, Methods, STOP_SIGNAL, StopError, Stopped, StoppedThread, stop};
use crate::arena::Arena;
use crate::park::WORLD;
use crate::tasks::status_of;
use crate::taskstat::TaskStatus;
use crate::testbed::{arena, one_at_a_time};
use crate::{arch, sys};
use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU64, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::Mutex;

fn stop_now(arena: &'static Arena, methods: Methods) -> Stopped {
    stop(arena, &|| STOP_SIGNAL, methods, &[]).expect("stop")
}

/// Whether the word is in the saved vector registers.
fn has_vector_word(thread: &StoppedThread, word: usize) -> bool {
    let mut found = false;
    thread.saved.each_part(&WORLD.saved, |part| {
        // SAFETY: the area lives while the world is stopped.
        found |= (part.start..part.end).step_by(8).any(|at| unsafe { (at as *const usize).read() } == word);
    });
    found
}

#[test]
fn a_thread_in_any_situation_is_stopped_with_its_registers() {
    #[derive(Clone, Copy, PartialEq)]
    enum Held {
        Nothing,
        General,
        Vector,
    }
    use Held::{General, Nothing, Vector};
    struct Case(&'static str, fn(&Post), Held, Methods, Method);
    const NO_SIGNAL: Methods = Methods { signal: false, ptrace: true, stack: true, alternate: true };
    const NO_PTRACE: Methods = Methods { signal: true, ptrace: false, stack: true, alternate: true };
    const NONE: Methods = Methods { signal: true, ptrace: false, stack: false, alternate: true };
    let _world = one_at_a_time();
    arena!(ARENA);
    for Case(name, work, held, methods, method) in [
        Case("sleeping", sleeping, Nothing, Methods::ALL, Method::Signal),
        Case("spinning", spinning, Nothing, Methods::ALL, Method::Signal),
        Case("holding", holding, General, Methods::ALL, Method::Signal),
        Case("holding a vector", holding_vector, Vector, Methods::ALL, Method::Signal),
        Case("deaf", deaf, Nothing, Methods::ALL, Method::Ptrace),
        Case("deaf and holding", deaf_holding, General, Methods::ALL, Method::Ptrace),
        Case("deaf and holding a vector", deaf_holding_vector, Vector, Methods::ALL, Method::Ptrace),
        Case("without the signal", holding, General, NO_SIGNAL, Method::Ptrace),
        Case("deaf without ptrace", deaf, Nothing, NO_PTRACE, Method::WholeStack),
        Case("deaf without anything", deaf, Nothing, NONE, Method::Nothing),
    ] {
        let crew = Crew::start(3, work);
        for _ in 0..3 {
            if method == Method::Signal {
                crew.await_open_ears();
            }
            let stopped = stop_now(&ARENA, methods);
            let found = [0, 1, 2].map(|index| crew.find(&stopped, index));
            let vector = found.map(|thread| thread.is_some_and(|thread| has_vector_word(&thread, MAGIC)));
            drop(stopped);
            for (thread, has_vector) in found.into_iter().zip(vector) {
                let thread = thread.expect(name);
                if thread.method == Method::WholeStack && method == Method::Ptrace && is_traced() {
                    eprintln!("skipped: {name}: somebody else traces this process");
                    continue;
                }
                assert_eq!(thread.method, method, "{name}");
                let is_held = |holder: bool| holder && matches!(method, Method::Signal | Method::Ptrace);
                assert_eq!(thread.registers.contains(&MAGIC), is_held(held == General), "{name}");
                assert!(!is_held(held == Vector) || has_vector, "{name}");
                // A thread that runs on may run just then, and has no stack pointer to show.
                assert!(thread.sp != 0 || matches!(method, Method::WholeStack | Method::Nothing), "{name}");
            }
        }
        crew.end();
    }
}

/// On a crowded machine a thread may get its turn much later than one that has no reason to answer is given up.
#[test]
fn a_thread_that_waits_for_its_turn_is_waited_for() {
    static CROWD: Mutex<Option<Crowd>> = Mutex::new(None);
    fn crowded(post: &Post) {
        *CROWD.lock().expect("crowd") = Some(Crowd::join(4));
        holding(post);
    }
    fn crowded_and_deaf(post: &Post) {
        sys::set_signal_mask(u64::MAX);
        crowded(post);
    }
    let _world = one_at_a_time();
    arena!(ARENA);
    for (work, method) in [(crowded as fn(&Post), Method::Signal), (crowded_and_deaf, Method::Ptrace)] {
        if method == Method::Ptrace && is_traced() {
            eprintln!("skipped: somebody else traces this process, so deaf threads cannot be stopped");
            continue;
        }
        let crew = Crew::start(1, work);
        let crowd = CROWD.lock().expect("crowd").take().expect("a crowd");
        crowd.await_rush();
        for round in 0..10 {
            if method == Method::Signal {
                crew.await_open_ears();
            }
            let stopped = stop_now(&ARENA, Methods::ALL);
            let thread = crew.find(&stopped, 0);
            drop(stopped);
            let thread = thread.expect("the crew");
            assert_eq!(thread.method, method, "round {round}");
            assert!(thread.registers.contains(&MAGIC), "round {round}");
        }
        drop(crowd);
        crew.end();
    }
}

fn is_traced() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
}

#[test]
fn nothing_moves_while_the_world_is_stopped_and_everything_after() {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    fn counting(post: &Post) {
        post.is_taken();
        while !post.is_left() {
            COUNT.fetch_add(1, Relaxed);
        }
    }
    fn deaf_counting(post: &Post) {
        sys::set_signal_mask(u64::MAX);
        counting(post);
    }
    let _world = one_at_a_time();
    arena!(ARENA);
    if is_traced() {
        eprintln!("skipped: somebody else traces this process, so deaf threads cannot be stopped");
        return;
    }
    let crews = [Crew::start(3, counting), Crew::start(3, deaf_counting)];
    for _ in 0..20 {
        let stopped = stop_now(&ARENA, Methods::ALL);
        let before = COUNT.load(SeqCst);
        sys::sleep_ns(3_000_000);
        let after = COUNT.load(SeqCst);
        drop(stopped);
        assert_eq!(before, after);
        while COUNT.load(SeqCst) == after {
            std::thread::yield_now();
        }
    }
    for crew in crews {
        crew.end();
    }
}

#[test]
fn threads_may_come_and_go_while_the_world_is_stopped_a_thousand_times() {
    static BORN: AtomicUsize = AtomicUsize::new(0);
    fn breeding(post: &Post) {
        post.is_taken();
        while !post.is_left() {
            let child = std::thread::Builder::new().stack_size(32 << 10).spawn(|| {
                BORN.fetch_add(1, SeqCst);
            });
            if let Ok(child) = child {
                let _ = child.join();
            }
        }
    }
    let _world = one_at_a_time();
    arena!(ARENA);
    let crew = Crew::start(4, breeding);
    for round in 0..1000 {
        let stopped = stop_now(&ARENA, Methods::ALL);
        let born = BORN.load(SeqCst);
        let complete = stopped.is_complete();
        let found = [0, 1, 2, 3].map(|index| crew.find(&stopped, index));
        if round % 10 == 0 {
            sys::sleep_ns(200_000);
        }
        let later = BORN.load(SeqCst);
        drop(stopped);
        assert!(complete);
        assert!(found.iter().all(Option::is_some), "round {round}");
        if found.iter().flatten().all(|thread| matches!(thread.method, Method::Signal | Method::Ptrace)) {
            assert_eq!(born, later, "round {round}");
        }
    }
    crew.end();
    assert!(BORN.load(SeqCst) > 0);
}

#[test]
fn the_action_of_the_signal_comes_back() {
    let _world = one_at_a_time();
    arena!(ARENA);
    extern "C" fn other(_: i32, _: usize, _: usize) {}
    let original = sys::install_handler(STOP_SIGNAL, other, 0).expect("install");
    let crew = Crew::start(2, sleeping);
    let stopped = stop_now(&ARENA, Methods::ALL);
    drop(stopped);
    let after = sys::replace_action(STOP_SIGNAL, &original).expect("replace");
    crew.end();
    assert_eq!(after.handler, other as *const () as usize);
}

#[test]
fn a_blocked_thread_has_no_signal_pending_afterwards() {
    let _world = one_at_a_time();
    arena!(ARENA);
    let crew = Crew::start(1, deaf);
    drop(stop_now(&ARENA, Methods::ALL));
    let path = format!("/proc/self/task/{}/status", crew.tid(0));
    let status = std::fs::read_to_string(path).expect("status");
    crew.end();
    let pending = status.lines().find(|line| line.starts_with("SigPnd:")).expect("pending");
    assert_eq!(pending, "SigPnd:\t0000000000000000");
}

#[test]
fn a_signal_that_is_sent_meanwhile_reaches_its_own_handler_afterwards() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn own(_: i32, _: usize, _: usize) {
        CALLS.fetch_add(1, SeqCst);
    }
    let _world = one_at_a_time();
    arena!(ARENA);
    let original = sys::install_handler(STOP_SIGNAL, own, 0).expect("install");
    let crew = Crew::start(1, sleeping);
    let stopped = stop_now(&ARENA, Methods::ALL);
    let tid = crew.tid(0);
    let stale = sys::queue_signal(sys::process_id(), tid, STOP_SIGNAL, 1 << 32);
    drop(stopped);
    assert_eq!(stale, Ok(()));
    while CALLS.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    crew.await_open_ears();
    let stopped = stop_now(&ARENA, Methods::ALL);
    let thread = crew.find(&stopped, 0);
    drop(stopped);
    let _ = sys::replace_action(STOP_SIGNAL, &original);
    crew.end();
    assert_eq!(thread.map(|thread| thread.method), Some(Method::Signal));
    assert_eq!(WORLD.generation.load(SeqCst) % 2, 0);
}

#[test]
fn a_standard_signal_is_refused() {
    let _world = one_at_a_time();
    arena!(ARENA);
    let other = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while other.load(SeqCst) {
                std::thread::yield_now()
            }
        });
        for signal in [0, 10, 33, 65] {
            assert_eq!(stop(&ARENA, &|| signal, Methods::ALL, &[]).err(), Some(StopError::BadSignal(signal)));
        }
        other.store(false, SeqCst);
    });
}

#[test]
fn without_permission_to_trace_the_whole_stack_counts() {
    let _world = one_at_a_time();
    arena!(ARENA);
    let crew = Crew::start(2, deaf);
    // A filter holds for the thread that sets it and for the tasks it makes. One refuses, one kills the helper.
    for answer in [0x0005_0001, 0x8000_0000] {
        let found = std::thread::scope(|scope| {
            let stopper = scope.spawn(|| {
                filter_ptrace(answer);
                let stopped = stop_now(&ARENA, Methods::ALL);
                [0, 1].map(|index| crew.find(&stopped, index))
            });
            stopper.join().expect("stopper")
        });
        let is_whole =
            |thread: &Option<StoppedThread>| thread.is_some_and(|it| it.method == Method::WholeStack);
        assert!(found.iter().all(is_whole), "{answer:#x}");
    }
    crew.end();
}

/// Gives ptrace(2) another answer in this thread (seccomp(2)).
fn filter_ptrace(answer: u32) {
    // load the number; if it is 101 give the answer, else allow.
    let filter: [(u16, u8, u8, u32); 4] =
        [(0x20, 0, 0, 0), (0x15, 0, 1, 101), (0x06, 0, 0, answer), (0x06, 0, 0, 0x7fff_0000)];
    let program = (filter.len() as u64, filter.as_ptr() as usize);
    sys::process_control_2(38, 1, 0).expect("no new privileges");
    sys::process_control_2(22, 2, &raw const program as usize).expect("filter");
}

#[test]
fn a_process_that_may_not_be_dumped_is_stopped_all_the_same() {
    let _world = one_at_a_time();
    arena!(ARENA);
    if is_traced() {
        eprintln!("skipped: somebody else traces this process");
        return;
    }
    let crew = Crew::start(1, deaf);
    let before = sys::process_control(3, 0);
    sys::process_control(4, 0).expect("not dumpable");
    let stopped = stop_now(&ARENA, Methods::ALL);
    let thread = crew.find(&stopped, 0);
    drop(stopped);
    let during = sys::process_control(3, 0);
    let _ = sys::process_control(4, before.unwrap_or(1));
    crew.end();
    assert_eq!(during, Ok(0));
    assert_eq!(thread.map(|thread| thread.method), Some(Method::Ptrace));
}

#[test]
fn a_thread_that_libc_does_not_know_is_stopped() {
    static QUIT: AtomicBool = AtomicBool::new(false);
    static RAW: AtomicI32 = AtomicI32::new(0);
    extern "C" fn raw(_: usize) {
        RAW.store(sys::thread_id(), SeqCst);
        while !QUIT.load(SeqCst) {
            core::hint::spin_loop();
        }
    }
    let _world = one_at_a_time();
    arena!(ARENA);
    let tid = start_raw(&ARENA, CLONE_AS_THREAD, raw);
    assert!(tid > 0);
    while RAW.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    let stopped = stop_now(&ARENA, Methods::ALL);
    let thread = stopped.threads().iter().find(|thread| thread.tid == tid as i32).copied();
    drop(stopped);
    QUIT.store(true, SeqCst);
    let thread = thread.expect("raw thread");
    assert_eq!(thread.method, Method::Signal);
    assert!(REGION.arena.start() <= thread.sp && thread.sp < REGION.arena.open_end());
}

#[test]
fn no_signal_of_the_program_is_lost_by_tracing() {
    const SIGNAL: i32 = 50;
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn own(_: i32, _: usize, _: usize) {
        CALLS.fetch_add(1, SeqCst);
    }
    fn half_deaf(post: &Post) {
        sys::set_signal_mask(1 << (STOP_SIGNAL - 1));
        spinning(post);
    }
    let _world = one_at_a_time();
    arena!(ARENA);
    let original = sys::install_handler(SIGNAL, own, 0).expect("install");
    let crew = Crew::start(1, half_deaf);
    let tid = crew.tid(0);
    let quit = AtomicBool::new(false);
    let (sent, methods) = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut sent = 0;
            while !quit.load(SeqCst) {
                sent += usize::from(sys::signal_thread(sys::process_id(), tid, SIGNAL).is_ok());
            }
            sent
        });
        let methods =
            [(); 100].map(|()| crew.find(&stop_now(&ARENA, Methods::ALL), 0).map(|thread| thread.method));
        quit.store(true, SeqCst);
        (sender.join().expect("sender"), methods)
    });
    let deadline = sys::monotonic_ns() + 300_000_000_000;
    while CALLS.load(SeqCst) < sent && sys::monotonic_ns() < deadline {
        std::thread::yield_now();
    }
    crew.end();
    let _ = sys::replace_action(SIGNAL, &original);
    assert_eq!(CALLS.load(SeqCst), sent);
    assert!(is_traced() || methods.iter().all(|method| *method == Some(Method::Ptrace)), "{methods:?}");
}

const CLONE_VM: usize = 0x100;
const CLONE_VFORK: usize = 0x4000;
/// VM, FS, FILES, SIGHAND, THREAD, SYSVSEM: a thread of this process that libc does not know.
const CLONE_AS_THREAD: usize = CLONE_VM | 0x200 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000;

/// Starts `entry` on a stack of its own in `arena`, which it never gets back.
fn start_raw(arena: &'static Arena, flags: usize, entry: extern "C" fn(usize)) -> isize {
    let stack = arena.take(64 << 10).expect("stack");
    // SAFETY: the stack is never given back; callers pass functions that touch no thread-local storage.
    unsafe { arch::clone_task(flags, stack + (64 << 10), core::ptr::null_mut(), entry, 0) }
}

#[test]
fn a_thread_inside_vfork_runs_on_and_survives_the_late_signal() {
    static IS_BORN: AtomicBool = AtomicBool::new(false);
    static MAY_END: AtomicBool = AtomicBool::new(false);
    arena!(ARENA);
    extern "C" fn child(_: usize) {
        IS_BORN.store(true, SeqCst);
        while !MAY_END.load(SeqCst) {
            sys::sleep_ns(1_000_000);
        }
    }
    fn forking(post: &Post) {
        post.is_taken();
        let task = start_raw(&ARENA, CLONE_VM | CLONE_VFORK, child);
        let _ = sys::wait_for(task as i32, 0x4000_0000);
    }
    let _world = one_at_a_time();
    let crew = Crew::start(1, forking);
    while !IS_BORN.load(SeqCst) {
        std::thread::yield_now();
    }
    let stopped = stop_now(&ARENA, Methods::ALL);
    let thread = crew.find(&stopped, 0);
    drop(stopped);
    MAY_END.store(true, SeqCst);
    crew.end();
    if is_traced() && thread.is_some_and(|thread| thread.method == Method::Signal) {
        eprintln!("skipped: a debugger lets the parent go on before its vfork child ends");
        return;
    }
    assert_eq!(thread.map(|thread| thread.method), Some(Method::WholeStack));
    assert!(thread.is_some_and(|thread| thread.sp != 0));
    drop(stop_now(&ARENA, Methods::ALL));
}

#[test]
fn a_first_thread_that_has_ended_is_not_waited_for() {
    arena!(ARENA);
    extern "C" fn rest(_: usize) {
        while !status_of(sys::process_id()).is_some_and(TaskStatus::has_ended) {
            sys::sleep_ns(1_000_000);
        }
        // The copy of a lock that a thread of the parent held would stay held here.
        WORLD.forget_others();
        // On a crowded machine something else may take its time; a thread that is waited for takes it always.
        for _ in 0..1000 {
            let start = sys::monotonic_ns();
            let seen =
                stop(&ARENA, &|| STOP_SIGNAL, Methods::ALL, &[]).map(|stopped| stopped.threads().len());
            let took = sys::monotonic_ns() - start;
            match seen {
                Ok(0) if took < 30_000_000 => sys::exit_process(77),
                Ok(0) => {}
                Ok(_) => sys::exit_process(3),
                Err(_) => sys::exit_process(4),
            }
        }
        sys::exit_process(2)
    }
    extern "C" fn first(_: usize) {
        let _ = start_raw(&ARENA, CLONE_AS_THREAD, rest);
    }
    let _world = one_at_a_time();
    // A process with a copy of our memory; its first thread starts another and ends.
    let process = start_raw(&ARENA, 0, first);
    let (_, status) = sys::wait_for(process as i32, 0x4000_0000).expect("child");
    assert_eq!(status, 77 << 8);
}

/// Not a check but a measurement: `cargo test --release -- --nocapture measure`.
#[test]
fn measure_how_long_a_stop_takes() {
    let _world = one_at_a_time();
    arena!(ARENA);
    for count in [0, 4, 64, 256] {
        let crew = Crew::start(count, sleeping);
        let mut times = Vec::with_capacity(16);
        for _ in 0..9 {
            let start = sys::monotonic_ns();
            let stopped = stop_now(&ARENA, Methods::ALL);
            let middle = sys::monotonic_ns();
            drop(stopped);
            times.push((middle - start, sys::monotonic_ns() - middle));
            sys::sleep_ns(3_000_000);
        }
        times.sort_unstable();
        println!("{count} threads: stop {} us, resume {} us", times[4].0 / 1000, times[4].1 / 1000);
        crew.end();
    }
}
