#![forbid(unsafe_code)]
//! Whose blocks count in a check, and which checks are told of.

use crate::arena::Buf;
use crate::findings::Findings;
use crate::heap::meta::{EARLY, Live};
use crate::options::Mode;
use crate::request::Request;
use crate::space::{Grow, OutOfMemory};
use crate::state::{SCOPES, SCRATCH, THREADS};
use crate::thread::{LIVE, Thread};
use core::sync::atomic::Ordering::Relaxed;

/// Whose blocks count.
pub(crate) struct Who<'a> {
    pub(crate) request: &'a Request,
    /// The numbers of other threads that are still in the scope, when what they lost does not count.
    guests: Buf<u32>,
}

impl<'a> Who<'a> {
    pub(crate) fn of(request: &'a Request) -> Result<Self, OutOfMemory> {
        let mut guests = Buf::new(&SCRATCH);
        let mut outcome = Ok(());
        let own = Thread::current().map_or(0, |thread| thread.number);
        THREADS.each(|thread| {
            let is_guest = request.terms.without_guests
                && thread.number != own
                && thread.state.load(Relaxed) == LIVE
                && SCOPES.is_within(thread.scope(), request.scope);
            if is_guest {
                outcome = outcome.and(guests.push(thread.number));
            }
        });
        outcome.map(|()| Self { request, guests })
    }

    /// Whether a block counts in this check.
    pub(crate) fn counts(&self, live: &Live) -> bool {
        self.concerns(live) && !self.is_guests(live)
    }

    /// Whether a block is of a guest and would count otherwise.
    pub(crate) fn excludes(&self, live: &Live) -> bool {
        self.concerns(live) && self.is_guests(live)
    }

    fn concerns(&self, live: &Live) -> bool {
        let is_late_enough = self.request.mode != Mode::Minimal || live.state & EARLY == 0;
        let scope = self.request.scope;
        let is_asked_for = !self.request.terms.is_late || SCOPES.has_passed(live.scope);
        is_late_enough && is_asked_for && (scope == 0 || live.scope == scope || SCOPES.counts_for(live.scope, scope))
    }

    fn is_guests(&self, live: &Live) -> bool {
        self.guests.as_slice().contains(&u32::from(live.thread))
    }
}

/// Whether a check is not told of: it will be made again, or its owner wants to hear of leaks only.
pub(crate) fn leaves_no_trace(request: &Request, findings: &Findings) -> bool {
    let is_clean = findings.totals.leaked_blocks == 0 && findings.totals.suppressed_blocks == 0;
    request.terms.is_tentative || (request.terms.is_silent_when_clean && is_clean)
}
