#![expect(unsafe_code, reason = "reads entries of a table that writers may replace")]
//! From the hash of a trace to its number, in eight bytes an entry.
//!
//! ```text
//!   63                    32 31       0
//!   | high half of the hash | number |     0: nobody's
//! ```
//!
//! What half a hash leaves open the owner decides, who knows the whole hash of each number. Numbers are dense and hashes
//! are not: what is looked at again and again takes half of the cache lines that whole hashes would take here, and a
//! million traces a quarter of the memory, which costs more to touch than a look-up does.
//!
//! Reading takes no lock. A table that is too full is replaced by one twice as large, made anew from the hashes of all
//! numbers; the memory of the old one goes back to the kernel, and who still looks there finds nothing, and asks again
//! under the lock.
//!
//! # Safety
//! The word that is published is the address of a page, with the logarithm of the number of entries in its low bits. The
//! addresses are never handed out again, and read as entries or as zeros. An entry is written whole.

use crate::arena::Arena;
use crate::space::OutOfMemory;
use crate::sys;
use core::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// Entries of a new table: a page of them.
const START: usize = 512;

/// The index. Whoever changes it holds its owner's lock.
#[derive(Debug)]
pub(crate) struct Index {
    arena: &'static Arena,
    table: AtomicUsize,
}

/// The entries of one table.
#[derive(Clone, Copy)]
struct Entries {
    first: *const AtomicU64,
    mask: usize,
}

impl Entries {
    #[inline(always)]
    fn at(&self, index: usize) -> &AtomicU64 {
        // SAFETY: there are `mask + 1` entries; see the head of this file.
        unsafe { &*self.first.add(index & self.mask) }
    }

    fn put(&self, hash: u64, number: u32) {
        let mut index = place(hash);
        while self.at(index).load(Relaxed) != 0 {
            index += 1;
        }
        self.at(index).store(hash >> 32 << 32 | u64::from(number), Release);
    }
}

impl Index {
    pub(crate) const fn on(arena: &'static Arena) -> Self {
        Self { arena, table: AtomicUsize::new(0) }
    }

    #[inline(always)]
    fn entries(&self) -> Option<Entries> {
        let word = self.table.load(Acquire);
        let log = word % sys::PAGE;
        (word != 0).then_some(Entries { first: (word - log) as *const AtomicU64, mask: (1 << log) - 1 })
    }

    /// Finds the number for `hash`; `is_its` tells whether a number is the one.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, is_its: impl Fn(u32) -> bool) -> Option<u32> {
        let entries = self.entries()?;
        let mut index = place(hash);
        loop {
            let entry = entries.at(index).load(Acquire);
            if (entry ^ hash) >> 32 == 0 && is_its(entry as u32) {
                return Some(entry as u32);
            }
            if entry == 0 {
                return None;
            }
            index += 1;
        }
    }

    /// Puts the next number in: `number` is one more than there are, and `hash_of` knows the hashes of all.
    pub(crate) fn insert(&self, number: u32, hash_of: impl Fn(u32) -> u64) -> Result<(), OutOfMemory> {
        match self.entries() {
            // Three quarters: eight entries share a cache line, so that looking at a few more costs little.
            Some(entries) if number as usize <= (entries.mask + 1) / 4 * 3 => {
                entries.put(hash_of(number), number)
            }
            old => self.renew(old, number, hash_of)?,
        }
        Ok(())
    }

    #[cold]
    fn renew(
        &self,
        old: Option<Entries>,
        count: u32,
        hash_of: impl Fn(u32) -> u64,
    ) -> Result<(), OutOfMemory> {
        let len = old.map_or(START, |old| 2 * (old.mask + 1));
        let address = self.arena.take(len * size_of::<u64>())?;
        if old.is_none() {
            // SAFETY: the piece was just taken.
            unsafe { Arena::touch(address, len * size_of::<u64>()) };
        }
        let entries = Entries { first: address as *const AtomicU64, mask: len - 1 };
        (1..=count).for_each(|number| entries.put(hash_of(number), number));
        self.table.store(address | len.trailing_zeros() as usize, Release);
        if let Some(old) = old {
            // SAFETY: nothing of the runtime relies on what the old entries say. Where the kernel keeps them, they are
            // still right.
            let _ = unsafe { sys::discard(old.first as usize, (old.mask + 1) * size_of::<u64>()) };
        }
        Ok(())
    }
}

/// Where to look first; the tag has the bits that this leaves out.
#[inline(always)]
fn place(hash: u64) -> usize {
    (hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed::arena;

    /// Hashes whose high halves are few, so that every tag is one of many.
    fn hash_of(number: u32) -> u64 {
        let mixed = u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 61) << 32 | u64::from(number)
    }

    #[test]
    fn numbers_are_found_by_whole_hashes_while_the_index_grows() {
        const COUNT: u32 = 300_000;
        arena!(ARENA);
        let index = Index::on(&ARENA);
        let find = |hash: u64| index.find(hash, |number| hash_of(number) == hash);
        assert_eq!(find(hash_of(1)), None);
        for number in 1..=COUNT {
            index.insert(number, hash_of).expect("memory");
            assert_eq!(find(hash_of(number)), Some(number));
            assert_eq!(find(hash_of(number + 1)), None);
        }
        for number in 1..=COUNT {
            assert_eq!(find(hash_of(number)), Some(number));
        }
    }

    #[test]
    fn who_reads_while_it_grows_finds_what_is_there_or_nothing() {
        const COUNT: u32 = 200_000;
        arena!(ARENA);
        let index = Index::on(&ARENA);
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1..=COUNT {
                    index.insert(number, hash_of).expect("memory");
                    done.store(number as usize, Release);
                }
            });
            let mut found = 0_u32;
            while done.load(Acquire) < COUNT as usize {
                let number = 1 + done.load(Acquire) as u32 / 2;
                let hash = hash_of(number);
                if let Some(told) = index.find(hash, |number| hash_of(number) == hash) {
                    assert_eq!(told, number);
                    found += 1;
                }
            }
            assert!(found > 0);
        });
    }
}
