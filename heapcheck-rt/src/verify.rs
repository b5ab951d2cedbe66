#![expect(unsafe_code, reason = "calls libgcc's unwinder")]
//! The verify mode: every captured trace is compared, frame by frame, with what libgcc's unwinder says.
//!
//! # Safety
//! The symbols have the types of the Itanium C++ ABI's exception handling, level I.

use crate::capture::Caller;
use crate::limits::DEPTH_MAX;
use crate::state::{DEPOT, VERIFIED};
use crate::text::Text;
use core::ffi::{CStr, c_int, c_void};
use core::sync::atomic::Ordering::Relaxed;

type Visit = extern "C" fn(*mut c_void, *mut c_void) -> c_int;
type Backtrace = unsafe extern "C" fn(Visit, *mut c_void) -> c_int;
type GetIp = unsafe extern "C" fn(*mut c_void) -> usize;

/// Frames that libgcc is asked for: ours come on top of the program's.
const FRAMES: usize = DEPTH_MAX + 32;

struct Walk {
    get_ip: GetIp,
    pcs: [usize; FRAMES],
    len: usize,
}

extern "C" fn visit(context: *mut c_void, data: *mut c_void) -> c_int {
    // SAFETY: `data` is the walk of `compare`; the context is valid during the call.
    let (walk, pc) = unsafe {
        let walk = &mut *data.cast::<Walk>();
        let pc = (walk.get_ip)(context);
        (walk, pc)
    };
    if walk.len == FRAMES {
        return 1;
    }
    walk.pcs[walk.len] = pc;
    walk.len += 1;
    0
}

/// Loads libgcc's unwinder. Called by the constructor, because loading allocates.
pub(crate) fn prepare() {
    let load = |name: &CStr| {
        let found = crate::real::find_any(name);
        if found != 0 { found } else { crate::real::load(c"libgcc_s.so.1", name) }
    };
    VERIFIED.get_ip.store(load(c"_Unwind_GetIP"), Relaxed);
    VERIFIED.backtrace.store(load(c"_Unwind_Backtrace"), Relaxed);
}

/// Compares a trace of at most `depth` frames with libgcc's.
pub(crate) fn compare(caller: Caller, trace: u32, depth: usize) {
    let (backtrace, get_ip) = (VERIFIED.backtrace.load(Relaxed), VERIFIED.get_ip.load(Relaxed));
    if backtrace == 0 || get_ip == 0 {
        return;
    }
    // SAFETY: the symbols have these types.
    let (backtrace, get_ip) = unsafe {
        (core::mem::transmute::<usize, Backtrace>(backtrace), core::mem::transmute::<usize, GetIp>(get_ip))
    };
    let mut walk = Walk { get_ip, pcs: [0; FRAMES], len: 0 };
    // SAFETY: the callback gets the walk and keeps nothing.
    unsafe { backtrace(visit, (&raw mut walk).cast()) };
    let pc = caller.pc();
    let all = &walk.pcs[..walk.len];
    let from = all.iter().position(|found| *found == pc).unwrap_or(all.len());
    let theirs = &all[from..];
    let theirs = &theirs[..theirs.iter().position(|found| *found == 0).unwrap_or(theirs.len())];
    let theirs = &theirs[..theirs.len().min(depth)];
    let ours = &*DEPOT.trace(trace).pcs;
    VERIFIED.compared.fetch_add(1, Relaxed);
    if ours != theirs && VERIFIED.differ.fetch_add(1, Relaxed) < 3 {
        show("ours  ", ours);
        show("libgcc", theirs);
    }
}

fn show(who: &str, pcs: &[usize]) {
    let mut sink = crate::record_state::FdSink(2);
    let mut text = Text::new(&mut sink);
    text.str("heapcheck: verify: ").str(who);
    for pc in pcs {
        text.str(" ").hex(*pc as u64);
    }
    text.str("\n");
}

/// Prints the counts.
pub(crate) fn report() {
    let (compared, differ) = (VERIFIED.compared.load(Relaxed), VERIFIED.differ.load(Relaxed));
    let mut sink = crate::record_state::FdSink(2);
    let mut text = Text::new(&mut sink);
    text.str("heapcheck: verify: ").dec(compared).str(" stacks compared, ").dec(differ).str(" differ\n");
}
