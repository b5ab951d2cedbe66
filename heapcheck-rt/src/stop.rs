#![expect(unsafe_code, reason = "reads contexts that parked threads published")]
//! Stops every other thread of the process, and lets them go on.
//!
//! Three means, in this order, each only for the threads that the one before does not reach:
//!
//! 1. **A signal.** Its handler publishes the interrupted context and sleeps. Works under debuggers, in containers,
//!    with ptrace denied. The list of threads is read again until it shows nobody new: stopped threads make no threads.
//! 2. **ptrace**, see [`crate::tracer`], for threads that block the signal. What a thread blocks stands in
//!    `/proc/self/task/T/status`, so nobody waits in vain, and no signal is left pending in a thread that would meet it
//!    later, after our handler is gone.
//! 3. **Nothing**: the thread runs on, its whole stack is a root, and the report says so.
//!
//! The handler runs on the thread's alternate stack if it has one (`SA_ONSTACK`): stacks of a few KiB, as coroutines
//! and other languages' threads use, have no room for the kernel's frame of up to 11 KiB (AMX), and whoever has such
//! stacks has an alternate one. A thread that is on its alternate stack already gets the frame below its stack
//! pointer, with or without the flag. The exception is `exit` on another thread than the first: std's unmaps the
//! alternate stack that the first thread is still registered with, and the kernel would end the process. On a normal stack the frame lies below the red zone, where no live value is.
//!
//! The action of the signal is ours only while it can be needed: it is set back at the end, unless a signal that was
//! sent has not arrived (a thread inside vfork, for example); then the handler stays, since the default action of a
//! real-time signal would end the process.
//!
//! # Preconditions
//! The caller holds every lock of the runtime, so no stopped thread does; the arena is usable by the stopper alone.
//! The caller blocks nothing: all signals are blocked here, for the stopper, until the world runs again.
//!
//! # Safety
//! Contexts are read while the generation is ours; only dropping [`Stopped`] changes it.

use crate::arena::{Arena, Buf};
use crate::intervals::Span;
use crate::limits::{STOP_BLOCKED_NS, STOP_PASSES_MAX, STOP_RUNNABLE_NS, STOP_SILENCE_NS};
use crate::lock::Held;
use crate::park::{self, GENERAL, WORLD};
use crate::saved::{self, Saved};
use crate::space::{Grow, OutOfMemory};
use crate::sys;
use crate::tasks::{self, is_under_way, last_sp, status_of};
use crate::taskstat::TaskStatus;
use crate::tracer::{Fate, Tracer};
use core::sync::atomic::Ordering::{Acquire, SeqCst};

/// Which means may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Methods {
    pub(crate) signal: bool,
    pub(crate) ptrace: bool,
    pub(crate) stack: bool,
    /// Whether the signal may use the threads' alternate stacks.
    pub(crate) alternate: bool,
}

impl Methods {
    /// All of them.
    pub(crate) const ALL: Self = Self { signal: true, ptrace: true, stack: true, alternate: true };
}

/// The default signal, `SIGRTMAX - 2`.
pub(crate) const STOP_SIGNAL: i32 = 62;

/// `SIGURG`: the one signal that debuggers pass on without stopping and that programs ignore unless told otherwise. It
/// coalesces, so it is used only under a tracer; a thread that misses it is stopped in another way.
pub(crate) const QUIET_SIGNAL: i32 = 23;

/// How a thread was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// By the signal.
    Signal,
    /// By ptrace.
    Ptrace,
    /// Not at all: all of its stack counts.
    WholeStack,
    /// Not at all, and its stack does not count because that is switched off.
    Nothing,
}

/// A thread of the stopped world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StoppedThread {
    pub(crate) tid: i32,
    pub(crate) method: Method,
    /// Its stack pointer; for one that runs on, where it lately was, or zero.
    pub(crate) sp: usize,
    /// Its next instruction and its frame pointer; zeros when the thread runs on.
    pub(crate) pc: usize,
    pub(crate) bp: usize,
    /// The general registers, in no particular order; zeros when the thread runs on.
    pub(crate) registers: [usize; GENERAL],
    /// What was saved of its other registers: nothing when the thread runs on.
    pub(crate) saved: Saved,
}

/// Why the world could not be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopError {
    /// The stop signal is not a real-time signal: others coalesce, and one sent earlier by somebody else could hide ours.
    BadSignal(i32),
    /// The arena is full.
    OutOfMemory,
}

impl From<OutOfMemory> for StopError {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// How far we are with a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Seen in the list.
    Seen,
    /// It blocks the signal, so far.
    Blocking,
    /// The signal was sent; its slot will be filled.
    Sent,
    /// The signal was sent and does not arrive.
    Silent,
    /// No signal can be sent to it.
    Unreachable,
    /// The tracer has it, or has given it up.
    Traced,
    /// It has published.
    Parked,
    /// It has ended.
    Ended,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    tid: i32,
    stage: Stage,
    sent: bool,
}

/// The stopped world. While this lives nothing moves but the caller and the threads that say so in their method.
#[derive(Debug)]
pub(crate) struct Stopped {
    threads: Buf<StoppedThread>,
    stopper: Stopper,
}

impl Stopped {
    /// The other threads, as they were found. The caller is not among them.
    pub(crate) fn threads(&self) -> &[StoppedThread] {
        self.threads.as_slice()
    }

    /// Whether every thread that exists was seen: false when `/proc` could not be read.
    pub(crate) fn is_complete(&self) -> bool {
        self.stopper.saw_all
    }
}

/// Stops the world, with the signal that `choose` answers when there is a thread to send it to: many a process has one
/// thread. `known` are threads that somebody knows of, for the case that `/proc` is not there.
pub(crate) fn stop(
    arena: &'static Arena,
    choose: &dyn Fn() -> i32,
    methods: Methods,
    known: &[i32],
) -> Result<Stopped, StopError> {
    let held = WORLD.lock.hold();
    let mut stopper = Stopper {
        arena,
        signal: 0,
        methods,
        me: sys::thread_id(),
        process: sys::process_id(),
        mask: sys::set_signal_mask(u64::MAX),
        action: None,
        generation: 0,
        entries: Buf::new(arena),
        entry_bytes: Buf::new(arena),
        tracer: None,
        saw_all: true,
        held,
    };
    // From here on dropping `stopper` undoes whatever was done.
    stopper.begin();
    stopper.stop_all(choose, known)?;
    let threads = stopper.collect()?;
    Ok(Stopped { threads, stopper })
}

#[derive(Debug)]
struct Stopper {
    arena: &'static Arena,
    /// 0 until there is somebody to send it to.
    signal: i32,
    methods: Methods,
    me: i32,
    process: i32,
    mask: u64,
    /// The action that the signal had, while ours is in its place.
    action: Option<sys::SignalAction>,
    generation: u32,
    entries: Buf<Entry>,
    entry_bytes: Buf<u8>,
    tracer: Option<Tracer>,
    saw_all: bool,
    held: Held<'static>,
}

/// How long to wait for answers before looking whether somebody ended instead of answering.
const ANSWER_NS: u64 = 1_000_000;

impl Stopper {
    fn begin(&mut self) {
        // Handlers of the stop before this may not have left yet; until they do they block the signal.
        let deadline = sys::monotonic_ns() + STOP_SILENCE_NS;
        while WORLD.inside.load(SeqCst) != 0 && sys::monotonic_ns() < deadline {
            sys::yield_now();
        }
        WORLD.answered.store(0, SeqCst);
        WORLD.wanted.store(0, SeqCst);
        self.generation = WORLD.generation.load(SeqCst) + 1;
        WORLD.generation.store(self.generation, SeqCst);
    }

    /// Chooses the signal, and puts our action in the place of the one it had.
    fn take_signal(&mut self, choose: &dyn Fn() -> i32) -> Result<(), StopError> {
        let signal = choose();
        if !(34..=64).contains(&signal) && signal != QUIET_SIGNAL {
            return Err(StopError::BadSignal(signal));
        }
        self.signal = signal;
        if self.methods.signal {
            let place = if self.methods.alternate { sys::SA_ONSTACK } else { 0 };
            self.action = sys::install_handler(self.signal, park::park, place | sys::SA_RESTART).ok();
        }
        Ok(())
    }

    fn stop_all(&mut self, choose: &dyn Fn() -> i32, known: &[i32]) -> Result<(), StopError> {
        for tid in known {
            self.see(*tid, &mut 0)?;
        }
        let mut blocking_since = None;
        for _ in 0..STOP_PASSES_MAX {
            let fresh = self.look()?;
            if self.signal == 0 && !self.entries.as_slice().is_empty() {
                self.take_signal(choose)?;
            }
            let moved = self.engage()?;
            self.await_answers();
            if fresh || moved {
                continue;
            }
            if self.count(Stage::Blocking) > 0 {
                let now = sys::monotonic_ns();
                if now - *blocking_since.get_or_insert(now) < STOP_BLOCKED_NS {
                    sys::sleep_ns(50_000);
                    continue;
                }
            }
            if !self.trace_the_rest()? {
                return Ok(());
            }
        }
        self.saw_all = false;
        Ok(())
    }

    fn count(&self, stage: Stage) -> usize {
        self.entries.as_slice().iter().filter(|entry| entry.stage == stage).count()
    }

    /// Reads the list of threads and says whether it shows somebody new. Those we know come in the order in which we
    /// know them.
    fn look(&mut self) -> Result<bool, OutOfMemory> {
        let known = self.entries.as_slice().len();
        let mut bytes = core::mem::replace(&mut self.entry_bytes, Buf::new(self.arena));
        let mut cursor = 0;
        let outcome = tasks::each_thread(&mut bytes, |tid| self.see(tid, &mut cursor));
        self.entry_bytes = bytes;
        self.saw_all &= outcome?;
        Ok(self.entries.as_slice().len() > known)
    }

    fn see(&mut self, tid: i32, cursor: &mut usize) -> Result<(), OutOfMemory> {
        let entries = self.entries.as_slice();
        let is_it = |entry: &Entry| entry.tid == tid;
        if tid == self.me {
            return Ok(());
        }
        if let Some(place) = entries[(*cursor).min(entries.len())..].iter().position(is_it) {
            *cursor += place + 1;
            return Ok(());
        }
        if entries[..(*cursor).min(entries.len())].iter().any(is_it) {
            return Ok(());
        }
        self.entries.push(Entry { tid, stage: Stage::Seen, sent: false })?;
        *cursor = self.entries.as_slice().len();
        Ok(())
    }

    /// Sends the signal to whom it was not sent yet, and says whether anybody got one.
    fn engage(&mut self) -> Result<bool, OutOfMemory> {
        let mut moved = false;
        for index in 0..self.entries.as_slice().len() {
            let Entry { tid, stage, sent } = self.entries.as_slice()[index];
            if !matches!(stage, Stage::Seen | Stage::Blocking) {
                continue;
            }
            let stage = match status_of(tid) {
                // An unreadable status says nothing about the thread; the signal will show whether it exists.
                Some(status) if status.has_ended() => Stage::Ended,
                Some(status) if status.blocks(self.signal) => Stage::Blocking,
                _ if self.action.is_none() => Stage::Unreachable,
                _ => {
                    WORLD.make_slot(self.arena, index)?;
                    self.send(tid, index)
                }
            };
            moved |= stage == Stage::Sent;
            let sent = sent || stage == Stage::Sent;
            self.entries.as_mut_slice()[index] = Entry { tid, stage, sent };
        }
        Ok(moved)
    }

    fn send(&self, tid: i32, index: usize) -> Stage {
        let word = u64::from(self.generation) << 32 | index as u64;
        match sys::queue_signal(self.process, tid, self.signal, word) {
            Ok(()) => Stage::Sent,
            Err(sys::Errno(sys::ESRCH)) => Stage::Ended,
            Err(_) => Stage::Unreachable,
        }
    }

    /// Waits until everybody who was sent the signal has published, has ended, or cannot be expected to answer.
    fn await_answers(&mut self) {
        let mut last = sys::monotonic_ns();
        let mut before = WORLD.answered.load(SeqCst);
        loop {
            let wanted = self.update();
            if self.count(Stage::Sent) == 0 {
                return;
            }
            // The handler counts first and looks at `wanted` then; here it is the other way round, so one of us sees.
            WORLD.complete.store(0, SeqCst);
            WORLD.wanted.store(wanted, SeqCst);
            if WORLD.answered.load(SeqCst) < wanted {
                sys::futex_wait(&WORLD.complete, 0, ANSWER_NS);
            } else {
                // Somebody who was given up has answered after all, which spoils the count; the slots decide.
                sys::sleep_ns(ANSWER_NS / 20);
            }
            let (now, answered) = (sys::monotonic_ns(), WORLD.answered.load(SeqCst));
            if answered != before {
                (before, last) = (answered, now);
            } else if now - last > STOP_SILENCE_NS {
                self.ask_why(now - last < STOP_RUNNABLE_NS);
            } else {
                self.drop_ended();
            }
        }
    }

    /// Marks who has published, and returns how many have or are expected to.
    fn update(&mut self) -> u32 {
        let mut wanted = 0;
        for (index, entry) in self.entries.as_mut_slice().iter_mut().enumerate() {
            if entry.sent && entry.stage != Stage::Parked {
                let generation = WORLD.slot(index).map_or(0, |slot| slot.generation.load(Acquire));
                if generation == self.generation {
                    entry.stage = Stage::Parked;
                }
            }
            wanted += u32::from(matches!(entry.stage, Stage::Sent | Stage::Parked));
        }
        wanted
    }

    /// Forgets threads that ended with the signal pending.
    fn drop_ended(&mut self) {
        let process = self.process;
        for entry in self.entries.as_mut_slice().iter_mut().filter(|entry| entry.stage == Stage::Sent) {
            let exists = sys::signal_thread(process, entry.tid, 0).is_ok();
            if !exists || status_of(entry.tid).is_some_and(TaskStatus::has_ended) {
                entry.stage = Stage::Ended;
            }
        }
    }

    /// Gives up the threads that have no reason to answer: those that cannot run.
    fn ask_why(&mut self, patient: bool) {
        let signal = self.signal;
        for entry in self.entries.as_mut_slice().iter_mut().filter(|entry| entry.stage == Stage::Sent) {
            entry.stage = match status_of(entry.tid) {
                Some(status) if status.has_ended() => Stage::Ended,
                Some(status) if patient && !status.blocks(signal) && is_under_way(entry.tid, status) => {
                    Stage::Sent
                }
                _ => Stage::Silent,
            };
        }
    }

    /// Hands the threads that the signal does not reach to the tracer, and says whether there were any.
    fn trace_the_rest(&mut self) -> Result<bool, OutOfMemory> {
        let is_left =
            |entry: &Entry| matches!(entry.stage, Stage::Blocking | Stage::Silent | Stage::Unreachable);
        if !self.methods.ptrace || !self.entries.as_slice().iter().any(is_left) {
            return Ok(false);
        }
        if self.tracer.is_none() {
            self.tracer = Tracer::start(self.arena).ok();
        }
        let Some(tracer) = &mut self.tracer else { return Ok(false) };
        for entry in self.entries.as_mut_slice().iter_mut().filter(|entry| is_left(entry)) {
            tracer.add(entry.tid)?;
            entry.stage = Stage::Traced;
        }
        tracer.attach();
        Ok(true)
    }

    /// Copies out what is known of every thread.
    fn collect(&mut self) -> Result<Buf<StoppedThread>, OutOfMemory> {
        self.update();
        let mut threads = Buf::new(self.arena);
        for (index, entry) in self.entries.as_slice().iter().enumerate() {
            let found = match entry.stage {
                Stage::Ended => continue,
                Stage::Parked => WORLD.slot(index).map(|slot| {
                    // SAFETY: `update` has seen our generation in the slot.
                    let (registers, pc, saved) = unsafe { park::read_context(slot) };
                    let sp = registers[GENERAL - 1];
                    let bp = registers[park::FRAME_POINTER];
                    StoppedThread { tid: entry.tid, method: Method::Signal, sp, pc, bp, registers, saved }
                }),
                Stage::Traced => match self.traced(entry.tid) {
                    Some(thread) => Some(thread),
                    None if status_of(entry.tid).is_none_or(TaskStatus::has_ended) => continue,
                    None => None,
                },
                _ => None,
            };
            let method = if self.methods.stack { Method::WholeStack } else { Method::Nothing };
            let running = || StoppedThread {
                tid: entry.tid,
                method,
                sp: last_sp(entry.tid).unwrap_or(0),
                pc: 0,
                bp: 0,
                registers: [0; GENERAL],
                saved: Saved::NOTHING,
            };
            threads.push(found.unwrap_or_else(running))?;
        }
        Ok(threads)
    }

    fn traced(&self, tid: i32) -> Option<StoppedThread> {
        let targets = self.tracer.as_ref()?.targets();
        let target = targets.iter().find(|target| target.tid == tid && target.fate == Fate::Stopped)?;
        let sp = target.registers[19];
        let mut registers = [0; GENERAL];
        registers[..15].copy_from_slice(&target.registers[..15]);
        registers[15] = sp;
        let span = Span::new(target.vector, target.vector + target.vector_bytes);
        // SAFETY: the kernel has written the piece, in the same format as to a handler's frame.
        let saved = unsafe { saved::read(span) };
        // user_regs_struct (sys/user.h): r15 r14 r13 r12 rbp, and rip at 16.
        let (bp, pc) = (target.registers[4], target.registers[16]);
        Some(StoppedThread { tid, method: Method::Ptrace, sp, pc, bp, registers, saved })
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.update();
        let all_arrived = self
            .entries
            .as_slice()
            .iter()
            .all(|entry| !entry.sent || matches!(entry.stage, Stage::Parked | Stage::Ended));
        // First the action, then the threads: a signal of the program that waits in a parked thread gets its own handler.
        if let Some(action) = self.action.take()
            && all_arrived
        {
            let _ = sys::replace_action(self.signal, &action);
        }
        WORLD.generation.store(self.generation + 1, SeqCst);
        sys::futex_wake_all(&WORLD.generation);
        self.tracer = None;
        sys::set_signal_mask(self.mask);
    }
}

#[cfg(test)]
mod crew;
#[cfg(test)]
mod tests;
