#![forbid(unsafe_code)]
//! Tells a person what a check found: as a text, or leak by leak to whoever asked for that, as facts and without names.
//! What is in the same process can find names itself, with more patience than the runtime has.

use crate::contract::{CYCLE, DIRECT, GROWING, INDIRECT, Lost, Print, Tell, UNFREED};
use crate::plain::{self, Checked, Facts};
use crate::record::LeakKind;
use crate::request::Request;
use crate::sink::{Sink, SinkError};
use crate::state::DEPOT;
use crate::text::Text;
use core::ffi::c_void;

/// A caller of ours as a sink.
pub(crate) struct Printer {
    pub(crate) print: Print,
    pub(crate) context: usize,
}

impl Sink for Printer {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        (self.print)(self.context as *mut c_void, bytes.as_ptr(), bytes.len());
        Ok(())
    }
}

/// Tells what a check found to whoever its request names.
pub(crate) fn tell(text: &mut Text<'_>, request: &Request, checked: &Checked<'_>, facts: &impl Facts) {
    match (request.terms.tell, request.terms.print) {
        (Some(tell), Some((_, context))) => {
            tell_each((tell, context), checked, facts);
            plain::write_rest(text, checked);
        }
        _ => plain::write_check(text, checked, facts),
    }
}

/// Tells the leaks that the plain report would show.
fn tell_each((tell, context): (Tell, usize), checked: &Checked<'_>, facts: &impl Facts) {
    for leak in checked.shown() {
        let (thread, trace) = (facts.thread_name(leak.thread), DEPOT.trace(leak.trace));
        let lost = Lost {
            size: size_of::<Lost>() as u64,
            kind: kind_of(leak.kind),
            is_cut: u32::from(trace.cut),
            blocks: leak.blocks,
            bytes: leak.bytes,
            retained_blocks: leak.retained_blocks,
            retained_bytes: leak.retained_bytes,
            thread: thread.as_ptr(),
            thread_bytes: thread.len(),
            stack: trace.pcs.as_ptr(),
            stack_frames: trace.pcs.len(),
        };
        tell(context as *mut c_void, &raw const lost);
    }
}

fn kind_of(kind: LeakKind) -> u32 {
    match kind {
        // What is doubtful is not shown.
        LeakKind::Direct | LeakKind::Doubtful => DIRECT,
        LeakKind::Indirect => INDIRECT,
        LeakKind::Cycle => CYCLE,
        LeakKind::Unfreed => UNFREED,
        LeakKind::Growing => GROWING,
    }
}
