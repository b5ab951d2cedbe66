#![forbid(unsafe_code)]
//! Wrong frees: what was freed, where, and where it came from. The block is left as it is.

use crate::capture::Caller;
use crate::depot::Traces;
use crate::emit;
use crate::heap::span::Spans;
use crate::record::{Fault, FaultKind};
use crate::state::{LATELY, RULES, SETTINGS, SPANS};
use crate::thread::Thread;
use core::sync::atomic::Ordering::Relaxed;

/// Reports a free of something that is not the beginning of a live block.
#[cold]
#[inline(never)]
pub(crate) fn bad_free<const S: bool>(thread: &mut Thread, traces: Traces<'_, S>, address: usize, caller: Caller) {
    let free_trace = thread.capture.full(&RULES, traces, caller, SETTINGS.depth.load(Relaxed));
    let mut fault = Fault {
        kind: FaultKind::InvalidFree,
        thread: thread.number,
        free_trace,
        alloc_trace: 0,
        first_free_trace: 0,
        addr: address as u64,
        size_bytes: 0,
    };
    explain(&SPANS, traces, address, &mut fault);
    emit::fault(&fault);
}

fn explain<const S: bool>(spans: &Spans, traces: Traces<'_, S>, address: usize, fault: &mut Fault) {
    if !spans.covers(address) {
        return;
    }
    let Some(slot) = spans.slot_of(address) else { return explain_large(traces, address, fault) };
    let meta = spans.meta(slot.id);
    fault.alloc_trace = meta.trace();
    if let Some(live) = meta.live() {
        fault.kind = FaultKind::InteriorFree;
        fault.size_bytes = live.size as u64;
    } else if let Some((pc, trace)) = meta.freed()
        && slot.base == address
    {
        fault.kind = FaultKind::DoubleFree;
        fault.first_free_trace = first_free(traces, pc, trace);
    }
}

/// The block was large and is free: its memory is a part of another block by now, or of none.
fn explain_large<const S: bool>(traces: Traces<'_, S>, address: usize, fault: &mut Fault) {
    let Some(freed) = LATELY.find(address) else { return };
    fault.kind = FaultKind::DoubleFree;
    fault.alloc_trace = freed.alloc_trace;
    fault.first_free_trace = first_free(traces, freed.free_pc, freed.free_trace);
}

/// Without a trace of the first free, its caller is all that is known.
fn first_free<const S: bool>(traces: Traces<'_, S>, pc: usize, trace: u32) -> u32 {
    if trace != 0 { trace } else { traces.intern_one(pc) }
}
