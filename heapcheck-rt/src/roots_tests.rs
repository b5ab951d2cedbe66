#![expect(unsafe_code, reason = "reads the roots it finds, and asks libc where stacks are")]
//! Words in every place a pointer can hide, looked for in the roots of the real process.

use crate::arena::Arena;
use crate::intervals::Span;
use crate::maps::Maps;
use crate::modules::Modules;
use crate::rootkinds::{RootKind, RootKinds};
use crate::roots::{Caller, RootRange, Roots, ThreadFacts, ThreadState, World, collect};
use crate::space::Grow;
use crate::stop::{Methods, STOP_SIGNAL, stop};
use crate::sys::libc::{
    dlsym, pthread_attr_destroy, pthread_attr_getstack, pthread_getattr_np, pthread_key_create, pthread_self,
    pthread_setspecific,
};
use crate::tasks::status_of;
use crate::testbed::{arena, one_at_a_time};
use crate::{arch, sys};
use core::cell::Cell;
use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};

unsafe extern "C" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
}

fn facts() -> ThreadFacts {
    let (mut attributes, mut stack_lo, mut size) = ([0u64; 16], 0, 0);
    // SAFETY: each call fills what its man page says; pthread_attr_t is 56 bytes.
    unsafe {
        assert_eq!(pthread_getattr_np(pthread_self(), &mut attributes), 0);
        assert_eq!(pthread_attr_getstack(&attributes, &mut stack_lo, &mut size), 0);
        pthread_attr_destroy(&mut attributes);
    }
    let pointer = arch::thread_pointer();
    ThreadFacts {
        tid: sys::thread_id(),
        pointer,
        stack_lo,
        stack_hi: stack_lo + size,
        state: ThreadState::Live,
    }
}

/// Where a thread keeps its words.
#[derive(Clone, Copy)]
struct Places {
    facts: ThreadFacts,
    on_stack: usize,
    below_stack: usize,
    in_tls: usize,
    dynamic: Option<usize>,
}

const KEY_WORD: usize = 0x6b65_795f_776f_7264;

fn stay(places: &Sender<Places>, key: Option<u32>, dynamic: usize, wait: impl FnOnce()) {
    thread_local!(static WORD: Cell<usize> = const { Cell::new(0) });
    let on_stack = Cell::new(1usize);
    WORD.set(2);
    // SAFETY: the key exists; `dynamic` is zero or `void *__cxa_get_globals(void)`.
    let dynamic = unsafe {
        if let Some(key) = key {
            assert_eq!(pthread_setspecific(key, KEY_WORD as *const c_void), 0);
        }
        (dynamic != 0).then(|| core::mem::transmute::<usize, extern "C" fn() -> usize>(dynamic)())
    };
    let here = arch::stack_pointer();
    let in_tls = WORD.with(|word| word.as_ptr() as usize);
    let address = on_stack.as_ptr() as usize;
    let below_stack = here - 0x4000;
    let _ = places.send(Places { facts: facts(), on_stack: address, below_stack, in_tls, dynamic });
    wait();
    on_stack.set(3);
}

/// Loads a library that is not part of the program and has thread-local storage, and finds a function that shows it.
fn dynamic_storage() -> usize {
    // SAFETY: both names end with a zero byte; the library stays.
    unsafe {
        let library = dlopen(c"libstdc++.so.6".as_ptr(), 2);
        if library.is_null() { 0 } else { dlsym(library, c"__cxa_get_globals".as_ptr()) as usize }
    }
}

/// What one collection takes from outside.
#[derive(Clone, Copy)]
struct Given<'a> {
    kinds: RootKinds,
    threads: &'a [ThreadFacts],
    regions: &'a [(usize, usize)],
    pending: &'a [usize],
}

/// Stops, collects, and looks at the roots while the world is stopped. `look` must not allocate.
fn with_roots<T>(arena: &'static Arena, own: Span, given: Given<'_>, look: impl FnOnce(&Roots) -> T) -> T {
    let modules = Modules::take(arena, own).expect("modules");
    let caller = Caller { tid: sys::thread_id(), sp: arch::stack_pointer(), registers: arch::callee_saved() };
    let stopped = stop(arena, &|| STOP_SIGNAL, Methods::ALL, &[]).expect("stop");
    let maps = Maps::read(arena).expect("maps");
    let Given { kinds, threads, regions, pending } = given;
    let ours = [(own.start, own.end)];
    let world = World {
        kinds,
        stopped: &stopped,
        caller,
        modules: &modules,
        maps: &maps,
        threads,
        regions,
        pending,
        ours: &ours,
    };
    let roots = collect(&world, arena).expect("roots");
    let seen = look(&roots);
    drop(stopped);
    seen
}

fn has(ranges: &[RootRange], address: usize) -> Option<(RootKind, u32)> {
    let range = ranges.iter().find(|range| range.span.contains(address))?;
    Some((range.tag.kind, range.tag.owner))
}

fn own(region: &crate::region::Region) -> Span {
    let (start, end) = region.bounds();
    Span::new(start, end)
}

#[test]
fn every_word_of_a_live_thread_is_found_by_its_kind_and_by_no_other() {
    let _world = one_at_a_time();
    arena!(ARENA);
    let dynamic = dynamic_storage();
    if dynamic == 0 {
        eprintln!(
            "skipped in part: no libstdc++.so.6 to load, so dynamic thread-local storage is not looked for"
        );
    }
    let mut key = 0;
    // SAFETY: `key` is there to be written.
    assert_eq!(unsafe { pthread_key_create(&mut key, None) }, 0);
    let (send, receive) = channel();
    let (quit, quits) = channel::<()>();
    let quits = std::sync::Arc::new(std::sync::Mutex::new(quits));
    let waiting = std::sync::Arc::new(AtomicUsize::new(0));
    let handles: Vec<_> = (0..3)
        .map(|_| {
            let (send, quits) = (send.clone(), std::sync::Arc::clone(&quits));
            let waiting = std::sync::Arc::clone(&waiting);
            std::thread::spawn(move || {
                stay(&send, Some(key), dynamic, || {
                    waiting.fetch_add(1, SeqCst);
                    let _ = quits.lock().expect("quits").recv();
                });
            })
        })
        .collect();
    let places: Vec<Places> = handles.iter().map(|_| receive.recv().expect("places")).collect();
    // Each waits where it will stay: nothing lies as deep on its stack as what it has chosen to be below.
    let is_asleep = |places: &Places| status_of(places.facts.tid).is_some_and(|status| status.state == b'S');
    while waiting.load(SeqCst) < places.len() || !places.iter().all(is_asleep) {
        std::thread::yield_now();
    }
    let mut threads: Vec<ThreadFacts> = places.iter().map(|places| places.facts).collect();
    threads.push(facts());
    let page = sys::map(sys::PAGE).expect("page");
    static GLOBAL: AtomicUsize = AtomicUsize::new(7);
    let global = GLOBAL.as_ptr() as usize;
    let region = [(page + 64, page + 128)];
    let given = Given { kinds: RootKinds::ALL, threads: &threads, regions: &region, pending: &[0x77] };
    let seen = |kinds: RootKinds, address: usize| {
        with_roots(&ARENA, own(&REGION), Given { kinds, ..given }, |roots| {
            (has(roots.strong.as_slice(), address), has(roots.weak.as_slice(), address))
        })
    };
    let check = |address: usize, kind: RootKind, owner: Option<i32>| {
        let (strong, weak) = seen(RootKinds::ALL, address);
        assert_eq!(strong.map(|found| found.0), Some(kind));
        assert!(owner.is_none_or(|tid| strong.map(|found| found.1) == Some(tid as u32)));
        assert_eq!(weak, None, "{kind:?} is weak as well");
        assert_eq!(
            seen(RootKinds::ALL.without(kind), address),
            (None, None),
            "{kind:?} is found without its kind"
        );
    };
    check(global, RootKind::Globals, None);
    for places in &places {
        let tid = Some(places.facts.tid);
        check(places.in_tls, RootKind::Tls, tid);
        check(places.facts.pointer + 0x310, RootKind::Keys, tid);
        check(places.on_stack, RootKind::Stacks, tid);
        assert_eq!(seen(RootKinds::ALL, places.below_stack), (None, None), "below the stack pointer");
        if let Some(address) = places.dynamic {
            check(address, RootKind::Dtv, tid);
        }
    }
    // The keys' values lie in the descriptor.
    let found = with_roots(&ARENA, own(&REGION), given, |roots| {
        let keys = roots.strong.as_slice().iter().filter(|range| range.tag.kind == RootKind::Keys);
        keys.flat_map(|range| (range.span.start..range.span.end).step_by(8))
            // SAFETY: roots are readable, and the world is stopped.
            .filter(|at| unsafe { (*at as *const usize).read() } == KEY_WORD)
            .count()
    });
    assert_eq!(found, places.len());
    assert_eq!(seen(RootKinds::ALL, page + 64).0.map(|found| found.0), Some(RootKind::Regions));
    assert_eq!(seen(RootKinds::ALL, page + 256).1.map(|found| found.0), Some(RootKind::Maps));
    assert_eq!(seen(RootKinds::ALL.without(RootKind::Maps), page + 256), (None, None));
    let pending = with_roots(&ARENA, own(&REGION), given, |roots| {
        roots.words.as_slice().iter().any(|word| word.word == 0x77 && word.tag.kind == RootKind::Pending)
    });
    assert!(pending);
    for _ in &handles {
        let _ = quit.send(());
    }
    for handle in handles {
        handle.join().expect("join");
    }
    // SAFETY: nobody uses the page any more.
    let _ = unsafe { sys::unmap(page, sys::PAGE) };
}

#[test]
fn every_range_can_be_read_and_none_is_ours() {
    let _world = one_at_a_time();
    arena!(ARENA);
    let threads = [facts()];
    let given =
        Given { kinds: RootKinds::ALL, threads: &threads, regions: &[(0x1000, 0x2000)], pending: &[] };
    let own = own(&REGION);
    let (sum, ours) = with_roots(&ARENA, own, given, |roots| {
        let ranges = || roots.strong.as_slice().iter().chain(roots.weak.as_slice());
        let words = ranges().flat_map(|range| (range.span.start..range.span.end).step_by(8));
        // SAFETY: that is the claim.
        let sum = words.fold(0usize, |sum, at| sum.wrapping_add(unsafe { (at as *const usize).read() }));
        // What ptrace tells of vector registers lies in our arena. It has to tell it of a thread of libtest that has just begun,
        // when that does not get as far as to take signals.
        let is_ours =
            |range: &&RootRange| own.contains(range.span.start) && range.tag.kind != RootKind::Registers;
        (sum, ranges().filter(is_ours).count())
    });
    assert_ne!(sum, 0);
    assert_eq!(ours, 0);
}

#[test]
fn what_a_thread_left_behind_is_no_root() {
    let _world = one_at_a_time();
    arena!(ARENA);
    let (send, receive) = channel();
    let body = move || stay(&send, None, 0, || ());
    let handle = std::thread::Builder::new().stack_size(256 << 10).spawn(body).expect("thread");
    let places = receive.recv().expect("places");
    handle.join().expect("join");
    while status_of(places.facts.tid).is_some() {
        std::thread::yield_now();
    }
    let gone = ThreadFacts { state: ThreadState::Exited, ..places.facts };
    let late = places.facts;
    let known = [facts(), gone];
    let just_ended = [facts(), late];
    let unknown = [facts()];
    let seen = |threads: &[ThreadFacts], address: usize| {
        let given = Given { kinds: RootKinds::ALL, threads, regions: &[], pending: &[] };
        with_roots(&ARENA, own(&REGION), given, |roots| {
            (has(roots.strong.as_slice(), address), has(roots.weak.as_slice(), address))
        })
    };
    for address in [places.on_stack, places.in_tls, places.facts.pointer + 0x310] {
        if seen(&unknown, address) == (None, None) {
            eprintln!("skipped: libc does not keep the stack of a thread that has ended");
            return;
        }
        assert_eq!(seen(&known, address), (None, None));
        assert_eq!(seen(&just_ended, address), (None, None));
    }
}

#[test]
fn a_thread_on_a_stack_that_nobody_announced_is_scanned_there_and_on_its_own() {
    let _world = one_at_a_time();
    arena!(ARENA);
    let (send, receive) = channel();
    let (quit, quits) = channel::<()>();
    let handle = std::thread::spawn(move || {
        let word = Cell::new(1usize);
        let _ = send.send((facts(), word.as_ptr() as usize));
        let _ = quits.recv();
        word.set(2);
    });
    let (real, on_stack) = receive.recv().expect("facts");
    let elsewhere = sys::map(4 * sys::PAGE).expect("pages");
    let lied = ThreadFacts { stack_lo: elsewhere, stack_hi: elsewhere + 4 * sys::PAGE, ..real };
    let nothing = ThreadFacts { stack_lo: 0, stack_hi: 0, ..real };
    let seen = |facts: ThreadFacts, address: usize| {
        let threads = [facts];
        let given = Given { kinds: RootKinds::ALL, threads: &threads, regions: &[], pending: &[] };
        with_roots(&ARENA, own(&REGION), given, |roots| has(roots.strong.as_slice(), address))
    };
    let expected = Some((RootKind::Stacks, real.tid as u32));
    let found = [seen(lied, on_stack), seen(lied, elsewhere + 8), seen(nothing, on_stack)];
    let _ = quit.send(());
    handle.join().expect("join");
    assert_eq!(found, [expected; 3]);
    // SAFETY: nobody uses the pages any more.
    let _ = unsafe { sys::unmap(elsewhere, 4 * sys::PAGE) };
}
