//! Blocks that are asked for by hand: `alloc::alloc(layout)` knows a size only.

use std::alloc::{Layout, alloc, realloc};
use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use crate::lose;

#[derive(Clone, Copy, Default)]
struct Item {
    number: u64,
    other: u32,
}

/// A vector that is short at first.
struct Small<A: Array> {
    count: usize,
    items: Items<A>,
}

trait Array {
    type Item;
    const LENGTH: usize;
}

impl<T, const LENGTH: usize> Array for [T; LENGTH] {
    type Item = T;
    const LENGTH: usize = LENGTH;
}

union Items<A: Array> {
    inline: std::mem::ManuallyDrop<MaybeUninit<A>>,
    heap: (NonNull<A::Item>, usize),
}

impl<A: Array> Small<A> {
    fn new() -> Self {
        Self { count: 0, items: Items { inline: std::mem::ManuallyDrop::new(MaybeUninit::uninit()) } }
    }

    #[inline(never)]
    fn grow(&mut self, room: usize) -> Result<(), &'static str> {
        let layout = Layout::array::<A::Item>(room).map_err(|_| "too many")?;
        let block = NonNull::new(unsafe { alloc(layout) }).ok_or("no memory")?.cast();
        if self.count <= A::LENGTH {
            let inline = unsafe { (&raw const self.items.inline).cast::<A::Item>() };
            unsafe { std::ptr::copy_nonoverlapping(inline, block.as_ptr(), self.count) };
        }
        self.items.heap = (block, room);
        Ok(())
    }
}

//= Small<[Item; 2]>
//= Small<[u16; 4]>
#[test]
fn a_vector_that_is_short_at_first() {
    let mut items = Small::<[Item; 2]>::new();
    items.grow(8).unwrap();
    let mut numbers = Small::<[u16; 4]>::new();
    numbers.grow(100).unwrap();
    assert_eq!(items.count + numbers.count, 0);
    lose((items, numbers));
}

/// A vector whose length lies in its block.
struct Thin<T> {
    header: NonNull<Header>,
    of: PhantomData<T>,
}

struct Header {
    count: usize,
    room: usize,
}

#[inline(never)]
fn header_with_room<T>(room: usize) -> NonNull<Header> {
    let (layout, _) = Layout::new::<Header>().extend(Layout::array::<T>(room).unwrap()).unwrap();
    let header = NonNull::new(unsafe { alloc(layout) }).unwrap().cast::<Header>();
    unsafe { header.write(Header { count: 0, room }) };
    header
}

impl<T> Thin<T> {
    #[inline(never)]
    fn with_room(room: usize) -> Self {
        Self { header: header_with_room::<T>(room), of: PhantomData }
    }

    #[inline(never)]
    fn grow(&mut self, room: usize) {
        let header = unsafe { self.header.as_ref() };
        let (layout, _) =
            Layout::new::<Header>().extend(Layout::array::<T>(header.room).unwrap()).unwrap();
        let size = size_of::<Header>() + room * size_of::<T>();
        self.header = unsafe { NonNull::new(realloc(self.header.as_ptr().cast(), layout, size)).unwrap().cast() };
    }
}

//= 2 x Thin<Item>
#[test]
fn a_vector_whose_length_lies_in_its_block() {
    let items = Thin::<Item>::with_room(3);
    assert_eq!(unsafe { items.header.as_ref() }.count, 0);
    lose(items);
    let mut items = Thin::<Item>::with_room(3);
    items.grow(std::hint::black_box(12));
    lose(items);
}

/// A part of a queue.
struct Part<T> {
    next: Cell<*mut Part<T>>,
    values: [MaybeUninit<T>; 15],
}

impl<T> Part<T> {
    #[inline(never)]
    fn new() -> Box<Self> {
        let block = unsafe { std::alloc::alloc_zeroed(Layout::new::<Self>()) };
        unsafe { Box::from_raw(block.cast()) }
    }
}

//= Box<Part<Item>>
#[test]
fn a_part_of_a_queue() {
    let part = Part::<Item>::new();
    assert!(part.next.get().is_null() && part.values.len() == 15);
    lose(part);
}

/// Memory for many things, which knows where its chunk begins.
struct Arena {
    chunk: Cell<NonNull<Chunk>>,
}

struct Chunk {
    first: *mut u8,
    before: *mut Chunk,
}

impl Arena {
    #[inline(never)]
    fn new_chunk(bytes: usize) -> Option<NonNull<Chunk>> {
        let begin = unsafe { alloc(Layout::from_size_align(bytes, 16).ok()?) };
        // A chunk is described at its end.
        let chunk = unsafe { begin.add(bytes - size_of::<Chunk>()).cast::<Chunk>() };
        unsafe { chunk.write(Chunk { first: begin, before: std::ptr::null_mut() }) };
        NonNull::new(chunk)
    }

    #[inline(never)]
    fn grow(&self, bytes: usize) -> Option<NonNull<u8>> {
        self.chunk.set(Self::new_chunk(bytes)?);
        let chunk = unsafe { self.chunk.get().as_ref() };
        assert!(chunk.before.is_null());
        NonNull::new(chunk.first)
    }
}

//= Arena
#[test]
fn an_arena() {
    let arena = Arena { chunk: Cell::new(NonNull::dangling()) };
    arena.grow(400).unwrap();
    lose(arena);
}

/// Makes a thing for C.
#[inline(never)]
fn make(number: u64) -> *mut Item {
    let item = unsafe { alloc(Layout::new::<Item>()).cast::<Item>() };
    unsafe { item.write(Item { number, other: 2 }) };
    item
}

//= Item
#[test]
fn a_thing_that_was_made_by_hand() {
    let item = make(3);
    assert_eq!(unsafe { (*item).number + u64::from((*item).other) }, 5);
    lose(item);
}

/// Asks for memory for whoever wants it.
struct Service {
    calls: usize,
    last: *mut Item,
}

impl Service {
    #[inline(never)]
    fn bytes(&mut self, count: usize) -> *mut u8 {
        self.calls += 1;
        unsafe { alloc(Layout::from_size_align(count, 8).unwrap()) }
    }
}

//= ?
#[test]
fn what_is_made_for_anybody_is_nobodys() {
    let mut service = Service { calls: 0, last: std::ptr::null_mut() };
    let bytes = service.bytes(48);
    assert!(service.last.is_null() && service.calls == 1);
    lose(bytes);
}
