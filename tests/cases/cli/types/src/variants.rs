//! Enums: which variant a pointer lies in, by whatever rustc keeps it in.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::lose;

type Link<T> = Rc<RefCell<T>>;

#[allow(dead_code)]
enum Tagged {
    A(Link<Tagged>, u64),
    B(Link<Tagged>, u64),
    C { of: Link<Tagged>, size: u64 },
    Nothing,
}

//= 2 x Rc<RefCell<Tagged>>
//~ Tagged::B.0
//~ Tagged::C.of
#[test]
fn a_tag_of_its_own() {
    let one = Rc::new(RefCell::new(Tagged::Nothing));
    let two = Rc::new(RefCell::new(Tagged::C { of: Rc::clone(&one), size: 3 }));
    *one.borrow_mut() = Tagged::B(two, 2);
}

#[allow(dead_code)]
#[repr(i8)]
enum Negative {
    A(Link<Negative>) = -128,
    B(Link<Negative>) = -1,
    C(Link<Negative>) = 127,
    Nothing = 0,
}

//= 3 x Rc<RefCell<Negative>>
//~ Negative::B.0
//~ Negative::A.0
//~ Negative::C.0
#[test]
fn a_tag_with_a_sign() {
    let one = Rc::new(RefCell::new(Negative::Nothing));
    let two = Rc::new(RefCell::new(Negative::C(Rc::clone(&one))));
    let three = Rc::new(RefCell::new(Negative::A(two)));
    *one.borrow_mut() = Negative::B(three);
}

#[allow(dead_code)]
enum Niched {
    Named(String, Link<Niched>),
    A(Link<Niched>),
    B(u64, Link<Niched>),
    C(Link<Niched>, u64),
    Nothing,
}

//= 4 x Rc<RefCell<Niched>>
//= String
//~ Niched::C.0
//~ Niched::Named.1
//~ Niched::B.1
//~ Niched::A.0
#[test]
fn a_niche_in_the_capacity_of_a_text() {
    let one = Rc::new(RefCell::new(Niched::Nothing));
    let two = Rc::new(RefCell::new(Niched::A(Rc::clone(&one))));
    let three = Rc::new(RefCell::new(Niched::B(1, two)));
    let four = Rc::new(RefCell::new(Niched::Named("lost".to_string(), three)));
    *one.borrow_mut() = Niched::C(four, 1);
}

#[allow(dead_code)]
enum Inner {
    Left(Link<Outer>),
    Right(Link<Outer>),
}

#[allow(dead_code)]
enum Outer {
    First(Inner),
    Second(Inner),
    Both { left: Option<Inner>, right: Option<Inner> },
}

//= 2 x Rc<RefCell<Outer>>
//~ Outer::Second.0::Right.0
//~ Outer::First.0::Left.0
#[test]
fn enums_in_enums() {
    let one = Rc::new(RefCell::new(Outer::Both { left: None, right: None }));
    let two = Rc::new(RefCell::new(Outer::First(Inner::Left(Rc::clone(&one)))));
    *one.borrow_mut() = Outer::Second(Inner::Right(two));
}

//= 2 x Rc<RefCell<Outer>>
//~ Outer::Both.right::Left.0
//~ Outer::Both.left::Right.0
#[test]
fn enums_in_options_in_enums() {
    let one = Rc::new(RefCell::new(Outer::Both { left: None, right: None }));
    let two = Rc::new(RefCell::new(Outer::Both { left: Some(Inner::Right(Rc::clone(&one))), right: None }));
    *one.borrow_mut() = Outer::Both { left: None, right: Some(Inner::Left(two)) };
}

struct Shelf {
    of: RefCell<Vec<Result<Rc<Shelf>, (u8, Rc<Shelf>)>>>,
}

//= 2 x Rc<Shelf>
//= 2 x Vec<Result<Rc<Shelf>, (u8, Rc<Shelf>)>>
//~ Shelf.of
//~ [..]::Err.1
//~ Shelf.of
//~ [..]::Ok
#[test]
fn results_in_a_long_buffer() {
    let shelf = || Rc::new(Shelf { of: RefCell::default() });
    let (one, two) = (shelf(), shelf());
    *two.of.borrow_mut() = (0..400).map(|_| Ok(Rc::clone(&one))).collect();
    *one.of.borrow_mut() = (0..40).map(|_| Err((1, Rc::clone(&two)))).collect();
}

struct Job(RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>);

/// Is ready when it is asked again.
struct Later(bool);

impl Future for Later {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

async fn hold(held: Rc<Job>) {
    Later(false).await;
    lose(Rc::strong_count(&held));
}

async fn wait(waiting: Rc<Job>) {
    Later(false).await;
    lose(Rc::strong_count(&waiting));
}

async fn in_turn(first: Rc<Job>, second: Rc<Job>) {
    hold(first).await;
    wait(second).await;
}

fn run(steps: usize) {
    let job = Rc::new(Job(RefCell::default()));
    let mut future: Pin<Box<dyn Future<Output = ()>>> =
        Box::pin(in_turn(Rc::clone(&job), Rc::clone(&job)));
    for _ in 0..steps {
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    *job.0.borrow_mut() = Some(future);
}

//= Rc<Job>
//= Box<async fn in_turn>
//~ Job.0
//~ async fn in_turn.first
#[test]
fn a_future_that_has_not_begun() {
    run(0);
}

//= Rc<Job>
//= Box<async fn in_turn>
//~ Job.0
//~ async fn in_turn.second
#[test]
fn a_future_that_waits_for_its_first() {
    run(1);
}

//= Rc<Job>
//= Box<async fn in_turn>
//~ Job.0
//~ async fn in_turn.await.waiting
#[test]
fn a_future_that_waits_for_its_second() {
    run(2);
}
