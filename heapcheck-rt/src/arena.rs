#![expect(unsafe_code, reason = "hands out memory of the reservation")]
//! Memory for the runtime itself: pieces of it, and a growable vector of plain values.
//!
//! Nothing here comes from the program's heap. Pieces are powers of two, and those below a page share pages: most of the
//! dozen lists of a check are short, and a page that is touched costs more than a short list does. A piece given back waits
//! in a list of its size, its first word pointing to the next. Pieces of 64 KiB and more give their memory back to the
//! kernel.
//!
//! # Safety
//! Every piece lies inside the arena part of the reservation, is handed out to one owner at a time, and reads as zeros.

use crate::lock::{HeldLightly, Lock, Quiet};
use crate::region::Part;
use crate::space::{Grow, OutOfMemory, Slot};
use crate::sys;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Size classes of pieces: 512 bytes, 1 KiB, ... Sixty-four GiB is the largest.
const CLASSES: usize = 28;

/// Bytes of the smallest piece.
const SMALLEST: usize = 512;

/// A table of this size is used all over: fewer, larger pages cost less than half to touch and to look up.
const HUGE_FROM: usize = 4 << 20;

/// From this size on a free piece keeps no memory.
const DISCARD_BYTES: usize = 64 << 10;

/// The arena.
#[derive(Debug)]
pub(crate) struct Arena {
    part: &'static Part,
    pub(crate) lock: Lock,
    /// Whether whoever takes pieces lets signals wait anyway.
    is_quiet: bool,
    top: AtomicUsize,
    /// What is left of the page that small pieces come from: its first address, and the one behind it.
    crumbs: [AtomicUsize; 2],
    free: [AtomicUsize; CLASSES],
}

impl Arena {
    /// An arena on a part of the reservation, which may be set up later.
    pub(crate) const fn on(part: &'static Part) -> Self {
        Self {
            part,
            lock: Lock::new(),
            is_quiet: false,
            top: AtomicUsize::new(0),
            crumbs: [const { AtomicUsize::new(0) }; 2],
            free: [const { AtomicUsize::new(0) }; CLASSES],
        }
    }

    /// The same, for those alone who let signals wait.
    pub(crate) const fn quietly_on(part: &'static Part) -> Self {
        Self { is_quiet: true, ..Self::on(part) }
    }

    /// Holds the lock while signals wait.
    fn hold(&self) -> (HeldLightly<'_>, Option<Quiet>) {
        let quiet = (!self.is_quiet).then(Quiet::begin);
        (self.lock.hold_lightly(), quiet)
    }

    /// Takes a piece of at least `bytes`, full of zeros; of a page and more it begins with a page.
    pub(crate) fn take(&self, bytes: usize) -> Result<usize, OutOfMemory> {
        let (class, size) = class_of(bytes)?;
        let _held = self.hold();
        let first = self.free[class].load(Relaxed);
        if first != 0 {
            // SAFETY: a free piece's first word is the link, written by `give_back`.
            let next = unsafe { (first as *const usize).read() };
            self.free[class].store(next, Relaxed);
            // SAFETY: the piece is free, and `size` bytes long.
            unsafe {
                if size >= DISCARD_BYTES {
                    (first as *mut usize).write(0);
                } else {
                    (first as *mut u8).write_bytes(0, size);
                }
            }
            return Ok(first);
        }
        if size >= sys::PAGE {
            return self.take_fresh(size);
        }
        let [first, end] = &self.crumbs;
        if first.load(Relaxed) + size > end.load(Relaxed) {
            let page = self.take_fresh(sys::PAGE)?;
            first.store(page, Relaxed);
            end.store(page + sys::PAGE, Relaxed);
        }
        Ok(first.fetch_add(size, Relaxed))
    }

    /// Takes whole pages that nobody has had.
    fn take_fresh(&self, bytes: usize) -> Result<usize, OutOfMemory> {
        let piece = self.top.load(Relaxed).max(self.part.start());
        let end = piece.checked_add(bytes).ok_or(OutOfMemory)?;
        self.part.open_to(end)?;
        self.top.store(end, Relaxed);
        Ok(piece)
    }

    /// Makes a piece that is about to be written here and there ready for that: a page that is read before it is written
    /// costs half as much again.
    ///
    /// # Safety
    /// The piece was just taken for so many bytes.
    pub(crate) unsafe fn touch(piece: usize, bytes: usize) {
        for at in (piece..piece + bytes).step_by(sys::PAGE) {
            // SAFETY: the byte is the caller's and zero.
            unsafe { (at as *mut u8).write_volatile(0) };
        }
    }

    /// Takes back a piece that [`Arena::take`] gave for `bytes`.
    ///
    /// # Safety
    /// Nobody uses the piece any more.
    pub(crate) unsafe fn give_back(&self, piece: usize, bytes: usize) {
        let Ok((class, size)) = class_of(bytes) else { return };
        // SAFETY: the piece is ours again; large ones drop their content, so only the link is not zero.
        unsafe {
            // The kernel keeps the content of locked memory (madvise(2), EINVAL).
            if size >= DISCARD_BYTES && sys::discard(piece, size).is_err() {
                (piece as *mut u8).write_bytes(0, size);
            }
            let _held = self.hold();
            (piece as *mut usize).write(self.free[class].load(Relaxed));
            self.free[class].store(piece, Relaxed);
        }
    }
}

fn class_of(bytes: usize) -> Result<(usize, usize), OutOfMemory> {
    let size = bytes.max(SMALLEST).checked_next_power_of_two().ok_or(OutOfMemory)?;
    let class = size.trailing_zeros() as usize - SMALLEST.trailing_zeros() as usize;
    if class < CLASSES { Ok((class, size)) } else { Err(OutOfMemory) }
}

/// What is made of numbers alone, all zero when all of its bits are.
pub(crate) trait Zero: Copy {}

impl Zero for u8 {}
impl Zero for u32 {}
impl Zero for u64 {}
impl Zero for Slot {}

/// A vector of plain values in the arena. It gives its memory back when dropped.
#[derive(Debug)]
pub(crate) struct Buf<T: Copy> {
    arena: &'static Arena,
    address: usize,
    bytes: usize,
    len: usize,
    items: PhantomData<T>,
}

impl<T: Copy> Buf<T> {
    /// An empty vector, which owns nothing yet.
    pub(crate) const fn new(arena: &'static Arena) -> Self {
        Self { arena, address: 0, bytes: 0, len: 0, items: PhantomData }
    }

    fn make_room(&mut self, items: usize) -> Result<(), OutOfMemory> {
        let wanted = items.checked_mul(size_of::<T>()).ok_or(OutOfMemory)?;
        if wanted <= self.bytes {
            return Ok(());
        }
        let bytes = wanted.max(self.bytes * 2).max(SMALLEST).next_power_of_two();
        let address = self.arena.take(bytes)?;
        if self.address != 0 {
            // SAFETY: both pieces are ours, disjoint, and hold at least `len` items.
            unsafe {
                core::ptr::copy_nonoverlapping(self.address as *const T, address as *mut T, self.len);
                self.arena.give_back(self.address, self.bytes);
            }
        }
        self.address = address;
        self.bytes = bytes;
        Ok(())
    }

    /// So many items of zeros, of which none is touched yet.
    pub(crate) fn zeros(arena: &'static Arena, len: usize) -> Result<Self, OutOfMemory>
    where
        T: Zero,
    {
        let mut buf = Self::new(arena);
        buf.make_room(len)?;
        if buf.bytes >= HUGE_FROM {
            sys::want_huge_pages(buf.address, buf.bytes);
        }
        buf.len = len;
        Ok(buf)
    }

    /// The same, where all of them are about to be looked at: touched when they are few.
    pub(crate) fn zeros_at_hand(arena: &'static Arena, len: usize) -> Result<Self, OutOfMemory>
    where
        T: Zero,
    {
        let buf = Self::zeros(arena, len)?;
        let bytes = len * size_of::<T>();
        if bytes <= DISCARD_BYTES {
            // SAFETY: the piece is as long at least, and nobody else's.
            unsafe { Arena::touch(buf.address, bytes) };
        }
        Ok(buf)
    }

    /// Forgets the items, keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Appends all of `items`.
    pub(crate) fn extend(&mut self, items: &[T]) -> Result<(), OutOfMemory> {
        self.make_room(self.len + items.len())?;
        // SAFETY: there is room for `items` behind the first `len`, and the piece is ours alone.
        unsafe {
            let end = (self.address as *mut T).add(self.len);
            core::ptr::copy_nonoverlapping(items.as_ptr(), end, items.len());
        }
        self.len += items.len();
        Ok(())
    }
}

impl<T: Copy> Grow<T> for Buf<T> {
    fn push(&mut self, item: T) -> Result<(), OutOfMemory> {
        self.extend(core::slice::from_ref(&item))
    }

    fn pop(&mut self) -> Option<T> {
        let item = self.as_slice().last().copied()?;
        self.len -= 1;
        Some(item)
    }

    fn resize(&mut self, len: usize, item: T) -> Result<(), OutOfMemory> {
        self.make_room(len)?;
        let filled = self.len;
        self.len = len;
        if len > filled {
            // SAFETY: room for `len` items was made; those from `filled` on are written before anybody reads them.
            unsafe {
                for index in filled..len {
                    (self.address as *mut T).add(index).write(item);
                }
            }
        }
        Ok(())
    }

    fn as_slice(&self) -> &[T] {
        if self.address == 0 {
            return &[];
        }
        // SAFETY: the first `len` items were written, and nobody else knows the piece.
        unsafe { core::slice::from_raw_parts(self.address as *const T, self.len) }
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        if self.address == 0 {
            return &mut [];
        }
        // SAFETY: as in `as_slice`, and `self` is borrowed for writing.
        unsafe { core::slice::from_raw_parts_mut(self.address as *mut T, self.len) }
    }
}

impl<T: Copy> Drop for Buf<T> {
    fn drop(&mut self) {
        if self.address != 0 {
            // SAFETY: the piece was taken for exactly these bytes, and dies with this vector.
            unsafe { self.arena.give_back(self.address, self.bytes) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testbed::arena;

    fn random(state: &mut u64) -> usize {
        // xorshift64*
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize
    }

    #[test]
    fn a_buffer_holds_what_a_vec_holds() {
        arena!(ARENA);
        let mut state = 3;
        for _ in 0..40 {
            let (mut buf, mut vec) = (Buf::<u64>::new(&ARENA), Vec::new());
            for _ in 0..300 {
                let item = random(&mut state) as u64;
                match random(&mut state) % 8 {
                    0..3 => {
                        buf.push(item).expect("memory");
                        vec.push(item);
                    }
                    3 => assert_eq!(buf.pop(), vec.pop()),
                    4 => {
                        let len = random(&mut state) % (1 + 3 * vec.len() / 2 + 10);
                        buf.resize(len, item).expect("memory");
                        vec.resize(len, item);
                    }
                    5 if vec.len() < 100_000 => {
                        let items = vec![item; random(&mut state) % 3000];
                        buf.extend(&items).expect("memory");
                        vec.extend(&items);
                    }
                    6 if random(&mut state).is_multiple_of(30) => {
                        buf.clear();
                        vec.clear();
                    }
                    _ => {
                        if let Some(first) = buf.as_mut_slice().first_mut() {
                            *first = item;
                            vec[0] = item;
                        }
                    }
                }
                assert_eq!(buf.as_slice(), vec);
            }
        }
    }

    #[test]
    fn a_piece_is_full_of_zeros_each_time_it_is_taken_and_nobody_elses() {
        arena!(ARENA);
        let mut state = 9;
        let mut held: Vec<(usize, usize)> = Vec::new();
        for round in 0..3000 {
            if held.len() > 20 || (round % 3 == 0 && !held.is_empty()) {
                let (piece, bytes) = held.swap_remove(random(&mut state) % held.len());
                // SAFETY: the piece is held, and given up here.
                unsafe { ARENA.give_back(piece, bytes) };
                continue;
            }
            let bytes = 1 + random(&mut state) % (sys::PAGE << (random(&mut state) % 7));
            let piece = ARENA.take(bytes).expect("memory");
            assert!(
                piece.is_multiple_of(bytes.next_power_of_two().clamp(SMALLEST, sys::PAGE))
                    || bytes <= sys::PAGE / 2
            );
            assert!(piece.is_multiple_of(SMALLEST));
            assert!(held.iter().all(|(other, len)| piece + bytes <= *other || other + len <= piece));
            // SAFETY: the piece was just taken.
            let content = unsafe { core::slice::from_raw_parts_mut(piece as *mut u8, bytes) };
            assert!(content.iter().all(|byte| *byte == 0), "round {round}: {bytes} bytes");
            content.fill(0xa5);
            held.push((piece, bytes));
        }
    }

    #[test]
    fn locked_memory_is_cleared_too() {
        const BYTES: usize = 128 << 10;
        const MLOCK: usize = 149;
        arena!(ARENA);
        let piece = ARENA.take(BYTES).expect("memory");
        // SAFETY: the piece is ours; mlock(2) changes none of its content.
        let locked = unsafe {
            (piece as *mut u8).write_bytes(0xa5, BYTES);
            let locked = crate::arch::syscall(MLOCK, [piece, BYTES, 0, 0, 0, 0]) == 0;
            ARENA.give_back(piece, BYTES);
            locked
        };
        if !locked {
            println!("skipped: memory may not be locked here");
        }
        assert_eq!(ARENA.take(BYTES), Ok(piece));
        // SAFETY: as above.
        let content = unsafe { core::slice::from_raw_parts(piece as *const u8, BYTES) };
        assert!(content.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        arena!(ARENA);
        assert_eq!(ARENA.take(usize::MAX), Err(OutOfMemory));
        assert_eq!(ARENA.take(1 << 40), Err(OutOfMemory));
        let mut buf = Buf::<u64>::new(&ARENA);
        assert_eq!(buf.resize(usize::MAX / 4, 0), Err(OutOfMemory));
        assert_eq!(buf.as_slice(), []);
        assert_eq!(buf.push(1), Ok(()));
    }
}
