#![forbid(unsafe_code)]
//! Who ends the process, and from where.
//!
//! The check behind the last handler runs on top of frames of libc and of the runtime, and the place where the program was
//! left lies above them. An exit handler that calls `exit` once more is such a place, too, further down.

use crate::place::Place;
use crate::sys;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};

/// The end of the process.
pub(crate) struct Ending {
    /// The thread that began to end it first: its process and its number, or 0.
    thread: AtomicU64,
    /// Whoever waits for it to change is not to go on.
    never: AtomicU32,
    /// Where that thread did; written and read by it alone. Inverted: in a static program they lie among its variables.
    sp: AtomicUsize,
    registers: [AtomicUsize; 6],
    pc: AtomicUsize,
}

fn this_thread() -> u64 {
    (sys::process_id() as u64) << 32 | sys::thread_id() as u64
}

impl Ending {
    /// Nobody ends it.
    pub(crate) const fn new() -> Self {
        Self {
            thread: AtomicU64::new(0),
            never: AtomicU32::new(0),
            sp: AtomicUsize::new(0),
            registers: [const { AtomicUsize::new(0) }; 6],
            pc: AtomicUsize::new(0),
        }
    }

    /// Notes that this thread ends the process from `place`, unless another one does so already.
    pub(crate) fn begin(&self, place: &Place) {
        let this = this_thread();
        if self.thread.compare_exchange(0, this, AcqRel, Acquire).is_ok() || self.is_by(this) {
            self.sp.store(!place.sp, Relaxed);
            for (kept, word) in self.registers.iter().zip(place.registers) {
                kept.store(!word, Relaxed);
            }
            self.pc.store(place.pc, Relaxed);
        }
    }

    /// Where this thread has begun to end the process.
    pub(crate) fn place(&self) -> Option<Place> {
        self.is_by(this_thread()).then(|| Place {
            sp: !self.sp.load(Relaxed),
            registers: core::array::from_fn(|number| !self.registers[number].load(Relaxed)),
            pc: self.pc.load(Relaxed),
        })
    }

    /// Waits for ever where another thread of this process has begun to end it.
    pub(crate) fn leave_it_to_others(&self) {
        loop {
            let thread = self.thread.load(Acquire);
            if thread == 0 || thread >> 32 != this_thread() >> 32 || thread == this_thread() {
                return;
            }
            sys::futex_wait(&self.never, 0, 0);
        }
    }

    fn is_by(&self, thread: u64) -> bool {
        self.thread.load(Acquire) == thread
    }
}
