#![expect(unsafe_code, reason = "reads entries of a table that writers may replace")]
//! A map from one word to one word that is read without a lock and grows without end.
//!
//! It serves the rule cache (pc to unwind rule) and the depot (hash of an outer part to its words). Reading is one probe in
//! the common case. Writers take the lock, but for those who do not mind when what they store is lost ([`Table::add`]). A
//! full table is copied into one twice as large, and the old one stays where it is, because a reader may still be looking:
//! all old ones together are smaller than the current one.
//!
//! # Safety
//! The published address is that of a `Head` with its entries, written before it was published and never freed. Entries
//! are pairs of atomics; a value is stored before its key.

use crate::arena::Arena;
use crate::lock::{HeldLightly, Lock};
use crate::space::OutOfMemory;
use core::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// Entries of a new table.
const START: usize = 512;

#[repr(C)]
struct Head {
    mask: usize,
    used: AtomicUsize,
}

impl Head {
    /// Counts one more entry, if there is room for it at half load.
    fn reserve(&self) -> bool {
        let has_room = self.used.fetch_add(1, Relaxed) * 2 <= self.mask;
        if !has_room {
            self.used.fetch_sub(1, Relaxed);
        }
        has_room
    }
}

#[repr(C)]
struct Entry {
    key: AtomicU64,
    value: AtomicU64,
}

/// The map. Keys and values are not zero.
#[derive(Debug)]
pub(crate) struct Table {
    arena: &'static Arena,
    pub(crate) lock: Lock,
    head: AtomicUsize,
}

impl Table {
    pub(crate) const fn on(arena: &'static Arena) -> Self {
        Self { arena, lock: Lock::new(), head: AtomicUsize::new(0) }
    }

    #[inline(always)]
    fn entry(head: &Head, index: usize) -> &Entry {
        // SAFETY: `mask + 1` entries follow the head; see the head of this file.
        unsafe { &*(head as *const Head).add(1).cast::<Entry>().add(index & head.mask) }
    }

    #[inline(always)]
    fn current(&self) -> Option<&'static Head> {
        let address = self.head.load(Acquire);
        // SAFETY: see the head of this file.
        unsafe { (address as *const Head).as_ref() }
    }

    /// Finds the value of `key`.
    #[inline(always)]
    pub(crate) fn find(&self, key: u64) -> Option<u64> {
        let head = self.current()?;
        let mut index = place(key);
        loop {
            let entry = Self::entry(head, index);
            let found = entry.key.load(Acquire);
            if found == key {
                return Some(entry.value.load(Relaxed));
            }
            if found == 0 {
                return None;
            }
            index += 1;
        }
    }

    /// Finds the value of `key`, or stores the one that `make` gives, at most once a key.
    pub(crate) fn find_or_insert(
        &self,
        key: u64,
        make: impl FnOnce() -> Result<u64, OutOfMemory>,
    ) -> Result<u64, OutOfMemory> {
        let _held = self.lock.hold();
        if let Some(value) = self.find(key) {
            return Ok(value);
        }
        let head = self.room()?;
        let value = make()?;
        Self::put(head, key, value);
        Ok(value)
    }

    /// Stores the value of a key that is new, in a table that only holders of one lock of its owner write to.
    pub(crate) fn insert(&self, _: &HeldLightly<'_>, key: u64, value: u64) -> Result<(), OutOfMemory> {
        Self::put(self.room()?, key, value);
        Ok(())
    }

    /// Stores the value of `key` without the lock, unless there is no room. When several do so at the same time there may be
    /// more entries of one key than one, and when the table grows meanwhile there may be none.
    pub(crate) fn add(&self, key: u64, value: u64) -> Result<(), OutOfMemory> {
        match self.current().filter(|head| head.reserve()) {
            Some(head) => Self::put(head, key, value),
            None => drop(self.find_or_insert(key, || Ok(value))?),
        }
        Ok(())
    }

    /// The first free place is taken by its value: whoever comes in between, also as a signal handler, takes the next one.
    fn put(head: &Head, key: u64, value: u64) {
        let mut index = place(key);
        while Self::entry(head, index).value.compare_exchange(0, value, Relaxed, Relaxed).is_err() {
            index += 1;
        }
        Self::entry(head, index).key.store(key, Release);
    }

    /// The current table, in which a place for one more entry is reserved. The caller holds the lock.
    fn room(&self) -> Result<&'static Head, OutOfMemory> {
        let old = self.current();
        if let Some(head) = old
            && head.reserve()
        {
            return Ok(head);
        }
        let entries = old.map_or(START, |head| (head.mask + 1) * 2);
        let bytes = size_of::<Head>() + entries * size_of::<Entry>();
        let address = self.arena.take(bytes)?;
        if old.is_none() {
            // SAFETY: the piece was just taken.
            unsafe { Arena::touch(address, bytes) };
        }
        // SAFETY: the piece is large enough, zeroed, and ours alone until it is published.
        let head = unsafe {
            (address as *mut Head).write(Head { mask: entries - 1, used: AtomicUsize::new(0) });
            &*(address as *const Head)
        };
        if let Some(old) = old {
            for index in 0..=old.mask {
                let entry = Self::entry(old, index);
                let key = entry.key.load(Acquire);
                if key != 0 {
                    head.used.fetch_add(1, Relaxed);
                    Self::put(head, key, entry.value.load(Relaxed));
                }
            }
        }
        head.used.fetch_add(1, Relaxed);
        self.head.store(address, Release);
        Ok(head)
    }

    /// Forgets everything.
    pub(crate) fn forget_all(&self) {
        let _held = self.lock.hold();
        self.head.store(0, Release);
    }

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        self.current().map_or(0, |head| head.used.load(Relaxed))
    }
}

/// Where to look first. Keys are addresses or hashes; the multiplication spreads both.
#[inline(always)]
fn place(key: u64) -> usize {
    (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed::arena;

    /// Keys as they come: addresses that are close together, and hashes.
    fn key(index: u64) -> u64 {
        if index.is_multiple_of(2) {
            0x7f00_0000_0000 + index * 4
        } else {
            index.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        }
    }

    #[test]
    fn a_million_entries_are_found_again() {
        const COUNT: u64 = 1_000_000;
        arena!(ARENA);
        static TABLE: Table = Table::on(&ARENA);
        assert_eq!((TABLE.find(1), TABLE.len()), (None, 0));
        for index in 1..=COUNT {
            assert_eq!(TABLE.find_or_insert(key(index), || Ok(index)), Ok(index));
        }
        assert_eq!(TABLE.len() as u64, COUNT);
        for index in 1..=COUNT {
            assert_eq!(TABLE.find(key(index)), Some(index));
            assert_eq!(TABLE.find(key(index + COUNT)), None);
        }
        assert_eq!(TABLE.find_or_insert(key(7), || panic!("made twice")), Ok(7));
        assert_eq!(TABLE.find_or_insert(key(2 * COUNT), || Err(OutOfMemory)), Err(OutOfMemory));
        assert_eq!(TABLE.find(key(2 * COUNT)), None);
        TABLE.forget_all();
        assert_eq!((TABLE.find(key(7)), TABLE.len()), (None, 0));
    }

    #[test]
    fn what_is_added_without_the_lock_is_never_another_keys() {
        const COUNT: u64 = 60_000;
        const THREADS: u64 = 4;
        arena!(ARENA);
        static TABLE: Table = Table::on(&ARENA);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || {
                    for step in 0..COUNT {
                        let index = 1 + (step + thread * COUNT / THREADS) % COUNT;
                        match TABLE.find(key(index)) {
                            Some(value) => assert_eq!(value, index),
                            None => TABLE.add(key(index), index).expect("memory"),
                        }
                    }
                });
            }
        });
        let found = (1..=COUNT).filter_map(|index| Some((index, TABLE.find(key(index))?)));
        let found = found.inspect(|(index, value)| assert_eq!(index, value)).count() as u64;
        // Those that were on their way while the table grew may be missing.
        assert!(found > COUNT * 9 / 10, "{found}");
        TABLE.add(key(7), 7).expect("memory");
        assert_eq!(TABLE.find(key(7)), Some(7));
    }

    #[test]
    fn readers_see_each_entry_whole_while_the_table_grows() {
        const COUNT: u64 = 60_000;
        const THREADS: u64 = 4;
        arena!(ARENA);
        static TABLE: Table = Table::on(&ARENA);
        let made = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let made = &made;
                scope.spawn(move || {
                    // Each begins elsewhere, so that all of them find, make, and race for entries.
                    for step in 0..COUNT {
                        let index = 1 + (step + thread * COUNT / THREADS) % COUNT;
                        let value = TABLE.find(key(index)).unwrap_or_else(|| {
                            let make = || {
                                made.fetch_add(1, Relaxed);
                                Ok(index)
                            };
                            TABLE.find_or_insert(key(index), make).expect("memory")
                        });
                        assert_eq!(value, index);
                    }
                });
            }
        });
        assert_eq!((made.into_inner() as u64, TABLE.len() as u64), (COUNT, COUNT));
    }
}
