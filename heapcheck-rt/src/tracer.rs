#![expect(unsafe_code, reason = "shares memory with a task of its own and reads registers with ptrace")]
//! Stops threads that no signal reaches: a helper task that traces them (ptrace(2)).
//!
//! A thread cannot trace threads of its own process, so the helper is a process of its own which shares the memory
//! (clone(2): `CLONE_VM` without `CLONE_THREAD`). Every request comes from that one task, because the kernel ties a
//! traced thread to it. It stays attached until the world runs again; its end detaches whatever is left, so neither a
//! helper that dies (seccomp may kill it at its first request) nor a stopper that dies leaves a thread stopped.
//!
//! ```text
//!   stopper                                helper
//!   start: clone ------------------------> waits for a command
//!   attach: targets, command += 1, wake -> seize + interrupt each, wait, read registers
//!           waits for reply <------------- reply = command, wake
//!   drop: command += 1, wake ------------> detach each with the signal it was about to get, end
//! ```
//!
//! # Safety
//! The two sides touch the targets in turns only: the stopper before a command and after its reply (or after the
//! helper ended), the helper in between. The helper has the stopper's `fs`, so nothing it calls may touch
//! thread-local storage: it makes system calls and writes to the shared piece, no more.

use crate::arch;
use crate::arena::{Arena, Buf};
use crate::limits::{STOP_RUNNABLE_NS, STOP_SILENCE_NS, TRACER_STACK_BYTES, VECTOR_BYTES};
use crate::space::{Grow, OutOfMemory};
use crate::sys::{self, Errno};
use crate::tasks::{is_under_way, status_of};
use crate::taskstat::TaskStatus;
use core::sync::atomic::{
    AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

const CLONE_VM: usize = 0x100;
const CLONE_FS: usize = 0x200;
const CLONE_FILES: usize = 0x400;
const CLONE_UNTRACED: usize = 0x80_0000;
const WAIT_ALL: usize = 0x4000_0000;
const WAIT_NOT: usize = 1;
const PTRACE_DETACH: usize = 17;
const PTRACE_GETREGSET: usize = 0x4204;
const PTRACE_SEIZE: usize = 0x4206;
const PTRACE_INTERRUPT: usize = 0x4207;
const NT_PRSTATUS: usize = 1;
const NT_X86_XSTATE: usize = 0x202;
const PR_GET_DUMPABLE: usize = 3;
const PR_SET_DUMPABLE: usize = 4;
const PR_SET_PTRACER: usize = 0x5961_6d61;

/// Words of `user_regs_struct` (linux/arch/x86/include/asm/user_64.h): r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx
/// rdx rsi rdi orig_rax rip cs eflags rsp ...
pub(crate) const REGISTER_WORDS: usize = 27;

/// How a target stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Not asked yet.
    Wanted,
    /// Asked to stop; it has not answered.
    Asked,
    /// Stopped, registers read.
    Stopped,
    /// It ended.
    Ended,
    /// The kernel does not let us; the number of the error.
    Refused(i32),
}

/// A thread to trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) tid: i32,
    pub(crate) fate: Fate,
    /// The signal it was about to get when it stopped; it gets it when it goes on.
    signal: i32,
    pub(crate) registers: [usize; REGISTER_WORDS],
    /// A piece of [`VECTOR_BYTES`] for its vector registers, and how much of it is filled.
    pub(crate) vector: usize,
    pub(crate) vector_bytes: usize,
}

/// What both sides see; it lies at the low end of the helper's stack.
#[repr(C)]
struct Shared {
    command: AtomicU32,
    reply: AtomicU32,
    /// Zero in `first` asks for the end.
    targets: AtomicUsize,
    count: AtomicUsize,
    first: AtomicUsize,
    leave: AtomicU32,
    parent: AtomicU32,
}

/// The helper, seen from the stopper. Dropping it lets its threads go on and waits for its end.
#[derive(Debug)]
pub(crate) struct Tracer {
    arena: &'static Arena,
    piece: usize,
    task: i32,
    targets: Buf<Target>,
    alive: bool,
}

impl Tracer {
    /// Starts the helper. All signals are blocked in the caller, and so in the helper.
    pub(crate) fn start(arena: &'static Arena) -> Result<Self, Errno> {
        let piece = arena.take(TRACER_STACK_BYTES).map_err(|_| Errno(sys::ENOMEM))?;
        let shared = shared_at(piece);
        for word in [&shared.command, &shared.reply, &shared.leave] {
            word.store(0, Relaxed);
        }
        shared.parent.store(sys::process_id() as u32, Relaxed);
        let flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_UNTRACED;
        // SAFETY: the piece outlives the helper: `drop` waits for its end before giving it back. `serve` keeps the
        // rule about thread-local storage.
        let task = unsafe {
            arch::clone_task(flags, piece + TRACER_STACK_BYTES, core::ptr::null_mut(), serve, piece)
        };
        if task < 0 {
            // SAFETY: nobody else ever saw the piece.
            unsafe { arena.give_back(piece, TRACER_STACK_BYTES) };
            return Err(Errno(-task as i32));
        }
        Ok(Self { arena, piece, task: task as i32, targets: Buf::new(arena), alive: true })
    }

    /// Remembers a thread for the next [`Tracer::attach`].
    pub(crate) fn add(&mut self, tid: i32) -> Result<(), OutOfMemory> {
        let vector = self.arena.take(VECTOR_BYTES)?;
        let registers = [0; REGISTER_WORDS];
        self.targets.push(Target { tid, fate: Fate::Wanted, signal: 0, registers, vector, vector_bytes: 0 })
    }

    /// Stops the threads that were added since the last call, as far as they can be.
    pub(crate) fn attach(&mut self) {
        let first = self.targets.as_slice().iter().position(|target| target.fate == Fate::Wanted);
        let (Some(first), true) = (first, self.alive) else { return };
        // The kernel checks two things at the moment of attaching: that the process may be dumped, and, with Yama, that
        // it named its tracer (ptrace(2)). A value of 2 cannot be set back, so that is left alone.
        let undumpable = sys::process_control(PR_GET_DUMPABLE, 0) == Ok(0);
        if undumpable {
            let _ = sys::process_control(PR_SET_DUMPABLE, 1);
        }
        self.ask(first);
        let refused = |target: &Target| target.fate == Fate::Refused(sys::EPERM);
        if self.targets.as_slice()[first..].iter().any(refused)
            && sys::process_control(PR_SET_PTRACER, self.task as usize).is_ok()
        {
            for target in self.targets.as_mut_slice()[first..].iter_mut().filter(|target| refused(target)) {
                target.fate = Fate::Wanted;
            }
            self.ask(first);
            let _ = sys::process_control(PR_SET_PTRACER, 0);
        }
        if undumpable {
            let _ = sys::process_control(PR_SET_DUMPABLE, 0);
        }
        if !self.alive {
            for target in self.targets.as_mut_slice() {
                target.fate = Fate::Refused(sys::ESRCH);
            }
        }
    }

    /// Has the helper stop the threads from `first` on. It looks for a moment only; on a crowded machine a thread that wants
    /// to run may get its turn, and stop, much later. The status of the threads is read here: they are not the helper's.
    fn ask(&mut self, first: usize) {
        let mut open = usize::MAX;
        let mut deadline = 0;
        loop {
            self.command(first, false);
            let mut asked = self.targets.as_slice()[first..].iter().filter(|it| it.fate == Fate::Asked);
            let (left, now) = (asked.clone().count(), sys::monotonic_ns());
            if left < open {
                (open, deadline) = (left, now + STOP_RUNNABLE_NS);
            }
            // One that has stopped since the last look is seen in the next one.
            let may_stop = |status: TaskStatus, tid| status.state == b't' || is_under_way(tid, status);
            let is_expected =
                |target: &Target| status_of(target.tid).is_some_and(|status| may_stop(status, target.tid));
            if !self.alive || now > deadline || !asked.any(is_expected) {
                return;
            }
        }
    }

    /// The threads that were added.
    pub(crate) fn targets(&self) -> &[Target] {
        self.targets.as_slice()
    }

    /// Hands the helper a command and waits for its reply or its end.
    fn command(&mut self, first: usize, leave: bool) {
        let shared = shared_at(self.piece);
        shared.targets.store(self.targets.as_mut_slice().as_mut_ptr() as usize, Relaxed);
        shared.count.store(self.targets.as_slice().len(), Relaxed);
        shared.first.store(first, Relaxed);
        shared.leave.store(u32::from(leave), Relaxed);
        let number = shared.command.load(Relaxed) + 1;
        shared.command.store(number, Release);
        sys::futex_wake_all(&shared.command);
        while self.alive {
            let reply = shared.reply.load(Acquire);
            if reply == number {
                break;
            }
            sys::futex_wait(&shared.reply, reply, 5_000_000);
            if shared.reply.load(Acquire) != number {
                self.alive = matches!(
                    sys::wait_for(self.task, WAIT_ALL | WAIT_NOT),
                    Ok((0, _)) | Err(Errno(sys::EINTR))
                );
            }
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.command(0, true);
        while self.alive {
            self.alive = sys::wait_for(self.task, WAIT_ALL) == Err(Errno(sys::EINTR));
        }
        // SAFETY: the helper has ended, so nobody uses its stack or the pieces for vector registers.
        unsafe {
            for target in self.targets.as_slice() {
                self.arena.give_back(target.vector, VECTOR_BYTES);
            }
            self.arena.give_back(self.piece, TRACER_STACK_BYTES);
        }
    }
}

fn shared_at(piece: usize) -> &'static Shared {
    // SAFETY: the piece begins with a `Shared` of atomics, for which zeros are a value, and lives until the helper and
    // the `Tracer` are gone; both use the reference no longer than that.
    unsafe { &*(piece as *const Shared) }
}

/// The helper's life.
extern "C" fn serve(piece: usize) {
    let shared = shared_at(piece);
    let mut done = 0;
    loop {
        let command = shared.command.load(Acquire);
        if command == done {
            sys::futex_wait(&shared.command, command, 100_000_000);
            // A stopper that was killed gives no more commands.
            if sys::parent_id() as u32 != shared.parent.load(Relaxed) {
                return;
            }
            continue;
        }
        // SAFETY: between the command and the reply the targets are ours, see the head of this file.
        let targets = unsafe {
            let first = shared.targets.load(Relaxed) as *mut Target;
            if first.is_null() {
                &mut []
            } else {
                core::slice::from_raw_parts_mut(first, shared.count.load(Relaxed))
            }
        };
        let leave = shared.leave.load(Relaxed) != 0;
        if leave {
            targets.iter().for_each(detach);
        } else if let Some(fresh) = targets.get_mut(shared.first.load(Relaxed)..) {
            attach_all(fresh);
        }
        done = command;
        shared.reply.store(done, Release);
        sys::futex_wake_all(&shared.reply);
        if leave {
            return;
        }
    }
}

fn attach_all(targets: &mut [Target]) {
    for target in targets.iter_mut().filter(|target| target.fate == Fate::Wanted) {
        // SAFETY: neither request reads or writes memory.
        let asked = unsafe {
            sys::trace(PTRACE_SEIZE, target.tid, 0, 0)
                .and_then(|_| sys::trace(PTRACE_INTERRUPT, target.tid, 0, 0))
        };
        target.fate = match asked {
            Ok(_) => Fate::Asked,
            Err(Errno(sys::ESRCH)) => Fate::Ended,
            Err(Errno(error)) => Fate::Refused(error),
        };
    }
    let mut deadline = sys::monotonic_ns() + STOP_SILENCE_NS;
    loop {
        let mut open = 0;
        for target in targets.iter_mut().filter(|target| target.fate == Fate::Asked) {
            observe(target);
            if target.fate == Fate::Asked {
                open += 1;
            } else {
                deadline = sys::monotonic_ns() + STOP_SILENCE_NS;
            }
        }
        if open == 0 || sys::monotonic_ns() > deadline {
            return;
        }
        sys::sleep_ns(20_000);
    }
}

/// Looks whether a thread has stopped. It may have stopped for a signal instead of for us: then it gets that signal
/// when it goes on, and stays stopped all the same.
fn observe(target: &mut Target) {
    match sys::wait_for(target.tid, WAIT_ALL | WAIT_NOT) {
        Ok((0, _)) | Err(Errno(sys::EINTR)) => {}
        Ok((_, status)) if status & 0x7f == 0x7f => {
            let event = status >> 16;
            target.signal = if event == 0 { status >> 8 & 0xff } else { 0 };
            target.fate = Fate::Stopped;
            read_registers(target);
        }
        _ => target.fate = Fate::Ended,
    }
}

fn read_registers(target: &mut Target) {
    let mut general = [target.registers.as_mut_ptr() as usize, size_of_val(&target.registers)];
    let mut vector = [target.vector, VECTOR_BYTES];
    // SAFETY: each request fills at most the bytes that its iovec names, which are the target's own.
    unsafe {
        if let Err(error) =
            sys::trace(PTRACE_GETREGSET, target.tid, NT_PRSTATUS, general.as_mut_ptr() as usize)
        {
            target.fate = Fate::Refused(error.0);
        }
        if sys::trace(PTRACE_GETREGSET, target.tid, NT_X86_XSTATE, vector.as_mut_ptr() as usize).is_ok() {
            target.vector_bytes = vector[1];
        }
    }
}

fn detach(target: &Target) {
    if target.fate == Fate::Stopped {
        // SAFETY: the request reads and writes no memory.
        let _ = unsafe { sys::trace(PTRACE_DETACH, target.tid, 0, target.signal as usize) };
    }
}
