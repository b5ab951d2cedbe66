//! Pointers that lead back and keep nothing alive: what they close is no cycle, and what is lost is told as the tree that
//! it is.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use crate::lose;

#[derive(Default)]
struct Page {
    parent: RefCell<Weak<Page>>,
    children: RefCell<Vec<Rc<Page>>>,
}

//= 4 x Rc<Page>
//= Vec<Rc<Page>>
#[test]
fn a_tree_whose_parents_are_weak() {
    let root = Rc::new(Page::default());
    for _ in 0..3 {
        let child = Rc::new(Page::default());
        *child.parent.borrow_mut() = Rc::downgrade(&root);
        root.children.borrow_mut().push(child);
    }
    lose(root);
}

struct Myself {
    me: Weak<Myself>,
    numbers: Vec<u32>,
}

//= Rc<Myself>
//= Vec<u32>
#[test]
fn a_value_that_knows_itself() {
    let value = Rc::new_cyclic(|me| Myself { me: me.clone(), numbers: vec![1] });
    assert_eq!(value.me.strong_count() + value.numbers.len(), 2);
    lose(value);
}

type Action = Box<dyn Fn() -> usize + Send>;

struct Button {
    actions: Mutex<Vec<Action>>,
}

//= Arc<Button>
//= Vec<Box<dyn Fn() -> usize + Send>>
//= Box<closure at src/weak.rs:+3>
#[test]
fn a_closure_that_captures_its_owner_weakly() {
    let button = Arc::new(Button { actions: Mutex::default() });
    let weak = Arc::downgrade(&button);
    let action = move || weak.strong_count();
    button.actions.lock().unwrap().push(Box::new(action));
    assert_eq!(button.actions.lock().unwrap()[0](), 1);
    lose(button);
}

struct Both {
    weak: RefCell<Weak<Both>>,
    strong: RefCell<Option<Rc<Both>>>,
}

//= 2 x Rc<Both>
//~ Both.strong
//~ Both.strong
#[test]
fn a_cycle_beside_which_a_weak_pointer_lies() {
    let both = || Rc::new(Both { weak: RefCell::default(), strong: RefCell::default() });
    let (a, b) = (both(), both());
    *b.weak.borrow_mut() = Rc::downgrade(&a);
    *b.strong.borrow_mut() = Some(Rc::clone(&a));
    assert!(b.weak.borrow().upgrade().is_some());
    *a.strong.borrow_mut() = Some(b);
}

struct Window {
    bytes: [u8; 24],
    at: Cell<*const u8>,
}

//= Box<Window>
#[test]
fn a_value_that_points_into_itself() {
    let window = Box::new(Window { bytes: [1; 24], at: Cell::new(std::ptr::null()) });
    window.at.set(&window.bytes[8]);
    lose(window);
}

async fn wait() -> usize {
    let page = [1_u64; 8];
    let read = std::hint::black_box(&page[3..]);
    std::future::pending::<()>().await;
    read.len()
}

//= Box<async fn wait>
#[test]
fn a_future_that_borrows_from_itself() {
    let mut future: Pin<Box<dyn Future<Output = usize>>> = Box::pin(wait());
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    lose(future);
}

struct Station {
    before: Cell<*const Station>,
    next: RefCell<Option<Box<Station>>>,
}

//= 2 x Box<Station>
//~ Station.next
//~ Station.before
#[test]
fn a_raw_pointer_may_own() {
    let station = |before| Box::new(Station { before: Cell::new(before), next: RefCell::default() });
    let first = station(std::ptr::null());
    let second = station(&raw const *first);
    assert!(first.before.get().is_null() && !second.before.get().is_null());
    *first.next.borrow_mut() = Some(second);
    lose(first);
}

#[repr(align(64))]
struct Line {
    number: u64,
}

//= Vec<Line>
//= Rc<Line>
#[test]
fn what_a_stack_has_left_between_fields_is_no_pointer() {
    let mut lines = vec![Line { number: 1 }, Line { number: 2 }];
    let line = Rc::new(Line { number: 3 });
    assert_eq!(lines[0].number + lines[1].number + line.number, 6);
    let (first, alone) = (lines.as_mut_ptr(), Rc::as_ptr(&line).cast_mut());
    // Whoever moves a value moves what lies in its padding, too.
    unsafe {
        first.cast::<[*mut Line; 8]>().write([1 as _, first, alone, first, first, alone, first, first]);
        alone.cast::<*mut Line>().add(3).write(alone);
    }
    lose((lines, line));
}

struct Numbered {
    address: Cell<u64>,
}

//= Rc<Numbered>
#[test]
fn a_value_that_knows_its_own_address_as_a_number() {
    let value = Rc::new(Numbered { address: Cell::new(0) });
    value.address.set(Rc::as_ptr(&value).addr() as u64);
    lose(value);
}
