#![forbid(unsafe_code)]
//! Large blocks that were freed lately. The memory of such a block and the metadata that went with it are given back at once, and
//! without this a second free of it would be one of nobody's block.

use crate::limits::LATELY_MAX;
use core::sync::atomic::{
    AtomicU32, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// A block that was freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Freed {
    pub(crate) address: usize,
    pub(crate) alloc_trace: u32,
    pub(crate) free_trace: u32,
    /// Behind the call that freed it.
    pub(crate) free_pc: usize,
}

/// One of them.
#[derive(Debug)]
struct Slot {
    /// All bits of the address turned, because what lies there next is not to be held by it where the runtime is a part of the
    /// program, whose memory is scanned. 0 while the rest changes.
    turned_address: AtomicUsize,
    alloc_trace: AtomicU32,
    free_trace: AtomicU32,
    free_pc: AtomicUsize,
}

/// The last ones. Threads that change one slot at the same time leave a mixture, which is rarer than it matters.
#[derive(Debug)]
pub(crate) struct Lately {
    next: AtomicUsize,
    slots: [Slot; LATELY_MAX],
}

impl Lately {
    pub(crate) const fn new() -> Self {
        Self {
            next: AtomicUsize::new(0),
            slots: [const {
                Slot {
                    turned_address: AtomicUsize::new(0),
                    alloc_trace: AtomicU32::new(0),
                    free_trace: AtomicU32::new(0),
                    free_pc: AtomicUsize::new(0),
                }
            }; LATELY_MAX],
        }
    }

    pub(crate) fn add(&self, freed: Freed) {
        let slot = &self.slots[self.next.fetch_add(1, Relaxed) % LATELY_MAX];
        slot.turned_address.store(0, Release);
        slot.alloc_trace.store(freed.alloc_trace, Relaxed);
        slot.free_trace.store(freed.free_trace, Relaxed);
        slot.free_pc.store(freed.free_pc, Relaxed);
        slot.turned_address.store(!freed.address, Release);
    }

    /// The last block that was freed at `address`.
    pub(crate) fn find(&self, address: usize) -> Option<Freed> {
        let next = self.next.load(Acquire);
        let mut latest_first = (1..=LATELY_MAX).map(|back| &self.slots[next.wrapping_sub(back) % LATELY_MAX]);
        latest_first.find(|slot| slot.turned_address.load(Acquire) == !address).map(|slot| Freed {
            address,
            alloc_trace: slot.alloc_trace.load(Relaxed),
            free_trace: slot.free_trace.load(Relaxed),
            free_pc: slot.free_pc.load(Relaxed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_found_and_of_one_address_the_latest() {
        let lately = Lately::new();
        assert_eq!(lately.find(0x1000), None);
        let freed = |number: usize| Freed {
            address: 0x1000 * (number % (LATELY_MAX + 10) + 1),
            alloc_trace: number as u32,
            free_trace: number as u32 + 1,
            free_pc: number + 2,
        };
        (0..=3 * LATELY_MAX).for_each(|number| lately.add(freed(number)));
        for number in 2 * LATELY_MAX + 1..=3 * LATELY_MAX {
            assert_eq!(lately.find(freed(number).address), Some(freed(number)));
        }
        assert_eq!(lately.find(freed(2 * LATELY_MAX).address), None);
    }
}
