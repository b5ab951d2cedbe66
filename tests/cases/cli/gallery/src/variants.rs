//! Enums whose variants have their pointers at one place: only the discriminant says which one it was.

use std::cell::RefCell;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

struct Station {
    name: String,
    line: RefCell<Line>,
}

enum Line {
    Closed,
    Outbound(Rc<Station>),
    Inbound(Rc<Station>),
    Shuttle { between: Rc<Station>, minutes: u32 },
}

fn station(name: &str) -> Rc<Station> {
    Rc::new(Station { name: name.to_string(), line: RefCell::new(Line::Closed) })
}

#[test]
fn cycle_through_the_second_of_three() {
    let (harbour, airport) = (station("Harbour"), station("Airport"));
    *harbour.line.borrow_mut() = Line::Inbound(Rc::clone(&airport));
    *airport.line.borrow_mut() = Line::Shuttle { between: harbour, minutes: 7 };
}

enum Reply {
    Accepted(Delivery),
    Refused(Delivery),
}

enum Delivery {
    Letter(Box<str>),
    Parcel(Box<Reply>),
    Return(Box<Reply>),
}

#[test]
fn nested_enums() {
    use {Delivery::*, Reply::*};
    let letter = Accepted(Letter("With kind regards".into()));
    let reply = Refused(Parcel(Box::new(Accepted(Return(Box::new(letter))))));
    mem::forget(Box::new(reply));
}

struct Slot {
    value: Option<Value>,
}

/// The text's capacity has room for the discriminant of everything around it.
enum Value {
    Text(String),
    List(Vec<Slot>),
    Shared(Rc<Vec<Slot>>),
}

#[test]
fn niches_in_niches() {
    let text = |text: &str| Slot { value: Some(Value::Text(text.to_string())) };
    let shared = Rc::new(vec![text("in what is shared"), Slot { value: None }]);
    let list = vec![text("in a list"), Slot { value: Some(Value::Shared(shared)) }];
    mem::forget(vec![Slot { value: Some(Value::List(list)) }, text("at the top")]);
}

struct Session {
    job: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>,
}

struct Answer;

impl Future for Answer {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        Poll::Pending
    }
}

struct Ready;

impl Future for Ready {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        Poll::Ready(1)
    }
}

async fn greet(greeted: Rc<Session>) -> u32 {
    Ready.await + u32::from(greeted.job.borrow().is_some())
}

async fn serve(served: Rc<Session>) -> u32 {
    Answer.await + u32::from(served.job.borrow().is_some())
}

#[test]
fn state_of_a_future() {
    let session = Rc::new(Session { job: RefCell::default() });
    let (first, second) = (Rc::clone(&session), Rc::clone(&session));
    let job = async move {
        let begun = greet(first).await;
        assert_eq!(begun + serve(second).await, 1);
    };
    let mut job: Pin<Box<dyn Future<Output = ()>>> = Box::pin(job);
    assert!(job.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    *session.job.borrow_mut() = Some(job);
}
