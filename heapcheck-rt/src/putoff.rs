#![forbid(unsafe_code)]
//! What signal handlers have freed while it could not be kept: they had interrupted their thread among its lists.

use crate::state::{BUSY, PAGES, SPANS, STORE};
use crate::thread::Thread;
use core::sync::atomic::Ordering::Relaxed;

/// Keeps it.
#[inline]
pub(crate) fn take_back_put_off(thread: &mut Thread) {
    if thread.has_put_off() {
        keep_put_off(thread);
    }
}

#[cold]
#[inline(never)]
fn keep_put_off(thread: &mut Thread) {
    while thread.has_put_off() {
        let quick_bytes = thread.enter_lists(BUSY);
        thread.take_put_off(|thread, address| {
            let (span, Some(slot)) = (SPANS.at(address), SPANS.slot_of(address)) else { return };
            if span.magic.load(Relaxed) == 0 {
                return PAGES.give_back_large(SPANS.number_of(address));
            }
            let class = usize::from(span.class.load(Relaxed));
            if thread.scope() != 0 {
                STORE.shelve_one(class, address, slot.id);
            } else if !thread.cache.bin(class).push(address, slot.id) {
                STORE.spill(&mut thread.cache, class, address, slot.id);
            }
        });
        thread.leave_lists(BUSY, quick_bytes);
    }
}
