#![expect(unsafe_code, reason = "hands out memory of the reservation")]
//! Memory for the runtime itself: whole pages, and a growable vector of plain values.
//!
//! Nothing here comes from the program's heap. Pieces are powers of two in pages; a piece given back waits in a list of
//! its size, its first word pointing to the next. Pieces of 64 KiB and more give their memory back to the kernel.
//!
//! # Safety
//! Every piece lies inside the arena part of the reservation, is handed out to one owner at a time, and reads as zeros.

use crate::lock::Lock;
use crate::region::Part;
use crate::space::{Grow, OutOfMemory};
use crate::sys;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Size classes of pieces: 4 KiB, 8 KiB, ... Sixty-four GiB is the largest.
const CLASSES: usize = 25;

/// From this size on a free piece keeps no memory.
const DISCARD_BYTES: usize = 64 << 10;

/// The arena.
#[derive(Debug)]
pub(crate) struct Arena {
    part: &'static Part,
    pub(crate) lock: Lock,
    top: AtomicUsize,
    free: [AtomicUsize; CLASSES],
}

impl Arena {
    /// An arena on a part of the reservation, which may be set up later.
    pub(crate) const fn on(part: &'static Part) -> Self {
        Self {
            part,
            lock: Lock::new(),
            top: AtomicUsize::new(0),
            free: [const { AtomicUsize::new(0) }; CLASSES],
        }
    }

    /// Takes a piece of at least `bytes`, full of zeros, page aligned.
    pub(crate) fn take(&self, bytes: usize) -> Result<usize, OutOfMemory> {
        let (class, size) = class_of(bytes)?;
        let _held = self.lock.hold();
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
        let piece = self.top.load(Relaxed).max(self.part.start());
        let end = piece.checked_add(size).ok_or(OutOfMemory)?;
        self.part.open_to(end)?;
        self.top.store(end, Relaxed);
        Ok(piece)
    }

    /// Takes back a piece that [`Arena::take`] gave for `bytes`.
    ///
    /// # Safety
    /// Nobody uses the piece any more.
    pub(crate) unsafe fn give_back(&self, piece: usize, bytes: usize) {
        let Ok((class, size)) = class_of(bytes) else { return };
        // SAFETY: the piece is ours again; large ones drop their content, so only the link is not zero.
        unsafe {
            if size >= DISCARD_BYTES {
                let _ = sys::discard(piece, size);
            }
            let _held = self.lock.hold();
            (piece as *mut usize).write(self.free[class].load(Relaxed));
            self.free[class].store(piece, Relaxed);
        }
    }
}

fn class_of(bytes: usize) -> Result<(usize, usize), OutOfMemory> {
    let size = bytes.max(sys::PAGE).checked_next_power_of_two().ok_or(OutOfMemory)?;
    let class = size.trailing_zeros() as usize - sys::PAGE.trailing_zeros() as usize;
    if class < CLASSES { Ok((class, size)) } else { Err(OutOfMemory) }
}

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
        let bytes = wanted.max(self.bytes * 2).max(sys::PAGE).next_power_of_two();
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
