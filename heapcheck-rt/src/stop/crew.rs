//! Threads to be stopped: each says when it is where it stays, so that no test has to guess how long that takes.

use super::{STOP_SIGNAL, Stopped, StoppedThread};
use crate::sys;
use crate::tasks::status_of;
use core::ffi::c_int;
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering::SeqCst};
use std::process::{Child, Command};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

pub(super) const MAGIC: usize = 0x5ca1_ab1e_0dd5_ba11;

/// What a thread of a crew and the test tell each other.
#[derive(Default)]
pub(super) struct Post {
    pub(super) quit: AtomicBool,
    /// Its number, as soon as it is where it stays.
    pub(super) tid: AtomicI32,
}

impl Post {
    pub(super) fn is_left(&self) -> bool {
        self.quit.load(SeqCst)
    }

    pub(super) fn is_taken(&self) {
        self.tid.store(sys::thread_id(), SeqCst);
    }
}

/// Threads of one kind that stay at their posts until they are told to leave.
pub(super) struct Crew {
    posts: Arc<Vec<Post>>,
    handles: Vec<JoinHandle<()>>,
}

impl Crew {
    /// Starts as many threads and waits until each is where it stays: `work` says so by [`Post::is_taken`].
    pub(super) fn start(count: usize, work: fn(&Post)) -> Self {
        let posts: Arc<Vec<Post>> = Arc::new((0..count).map(|_| Post::default()).collect());
        let handles = (0..count)
            .map(|index| {
                let posts = Arc::clone(&posts);
                let body = move || work(&posts[index]);
                std::thread::Builder::new().stack_size(64 << 10).spawn(body).expect("thread")
            })
            .collect();
        while posts.iter().any(|post| post.tid.load(SeqCst) == 0) {
            std::thread::yield_now();
        }
        Self { posts, handles }
    }

    pub(super) fn tid(&self, index: usize) -> i32 {
        self.posts[index].tid.load(SeqCst)
    }

    pub(super) fn find(&self, stopped: &Stopped, index: usize) -> Option<StoppedThread> {
        let tid = self.tid(index);
        stopped.threads().iter().find(|thread| thread.tid == tid).copied()
    }

    /// Waits until the threads have left the handler of the last stop, during which the signal is blocked.
    pub(super) fn await_open_ears(&self) {
        let is_deaf = |post: &Post| {
            let status = status_of(post.tid.load(SeqCst)).expect("status");
            status.blocks(STOP_SIGNAL)
        };
        while self.posts.iter().any(is_deaf) {
            std::thread::yield_now();
        }
    }

    pub(super) fn end(self) {
        self.posts.iter().for_each(|post| post.quit.store(true, SeqCst));
        for handle in self.handles {
            handle.join().expect("join");
        }
    }
}

pub(super) fn sleeping(post: &Post) {
    post.is_taken();
    while !post.is_left() {
        sys::sleep_ns(5_000_000);
    }
}

pub(super) fn spinning(post: &Post) {
    post.is_taken();
    while !post.is_left() {
        core::hint::spin_loop();
    }
}

pub(super) fn deaf(post: &Post) {
    sys::set_signal_mask(u64::MAX);
    sleeping(post);
}

/// Spins with the magic word in a register that callees keep.
pub(super) fn holding(post: &Post) {
    let Post { quit, tid } = post;
    // SAFETY: reads the flag, writes the number, which says that the register has the word, and keeps the registers that
    // it names.
    unsafe {
        core::arch::asm!("mov dword ptr [{1}], {2:e}", "2: pause", "cmp byte ptr [{0}], 0", "je 2b",
            in(reg) quit.as_ptr(), in(reg) tid.as_ptr(), in(reg) sys::thread_id(), in("r12") MAGIC, options(nostack));
    }
}

/// Spins with the magic word in the upper half of a vector register only.
pub(super) fn holding_vector(post: &Post) {
    let Post { quit, tid } = post;
    let word = [0, MAGIC];
    // SAFETY: as in `holding`; the word in memory is complemented at once, so that only the register has it.
    unsafe {
        core::arch::asm!("movups xmm15, [{1}]", "not qword ptr [{1} + 8]", "mov dword ptr [{2}], {3:e}",
            "2: pause", "cmp byte ptr [{0}], 0", "je 2b",
            in(reg) quit.as_ptr(), in(reg) word.as_ptr(), in(reg) tid.as_ptr(), in(reg) sys::thread_id(),
            out("xmm15") _, options(nostack));
    }
}

pub(super) fn deaf_holding(post: &Post) {
    sys::set_signal_mask(u64::MAX);
    holding(post);
}

pub(super) fn deaf_holding_vector(post: &Post) {
    sys::set_signal_mask(u64::MAX);
    holding_vector(post);
}

unsafe extern "C" {
    fn nice(more: c_int) -> c_int;
    fn sched_getaffinity(task: c_int, bytes: usize, processors: *mut Processors) -> c_int;
    fn sched_setaffinity(task: c_int, bytes: usize, processors: *const Processors) -> c_int;
}

/// One bit for each processor.
type Processors = [u64; 128];

/// Processes that keep one processor busy.
pub(super) struct Crowd(Vec<Child>);

impl Crowd {
    /// Binds this thread to one of its processors, and has it share that one with `count` processes that never wait and come
    /// before it.
    pub(super) fn join(count: usize) -> Self {
        let mut processors: Processors = [0; 128];
        // SAFETY: both calls are given as many bytes as there are.
        unsafe {
            assert!(sched_getaffinity(0, size_of::<Processors>(), &mut processors) >= 0);
            let word = processors.iter().position(|word| *word != 0).expect("a processor");
            let lowest = processors[word] & processors[word].wrapping_neg();
            processors = [0; 128];
            processors[word] = lowest;
            assert_eq!(sched_setaffinity(0, size_of::<Processors>(), &processors), 0);
        }
        let spin = || Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("sh");
        let crowd = Self((0..count).map(|_| spin()).collect());
        // SAFETY: has no memory to mind. Linux takes it for the thread alone.
        unsafe { nice(10) };
        crowd
    }

    /// Waits until each has had the processor for a while.
    pub(super) fn await_rush(&self) {
        let is_awake = |child: &Child| {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("stat");
            // Behind the name in brackets: state, ten numbers, and the time in user mode in hundredths of a second.
            let (_, numbers) = stat.rsplit_once(") ").expect("a name");
            numbers.split(' ').nth(11).expect("a time") != "0"
        };
        while !self.0.iter().all(is_awake) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = (child.kill(), child.wait());
        }
    }
}
