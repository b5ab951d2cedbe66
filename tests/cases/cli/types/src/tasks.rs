//! Futures, channels, threads and thread-locals.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc;

use crate::lose;

struct Message {
    text: String,
}

async fn answer(name: String) -> usize {
    std::future::pending::<()>().await;
    name.len()
}

//= Box<async fn answer>
//= String
#[test]
fn a_future_of_an_async_fn() {
    let future: Pin<Box<dyn Future<Output = usize>>> = Box::pin(answer("lost".to_string()));
    lose(future);
}

//= Box<async block at src/tasks.rs:+2>
#[test]
fn a_future_of_an_async_block() {
    let number = std::hint::black_box(4u64);
    let future: Pin<Box<dyn Future<Output = u64>>> = Box::pin(async move { number + 1 });
    lose(future);
}

//= 2 x Channel<Message>
//= String
#[test]
fn a_channel() {
    let (sender, receiver) = mpsc::channel();
    sender.send(Message { text: "lost".to_string() }).unwrap();
    assert_eq!(Message { text: String::new() }.text.len(), 0);
    lose((sender, receiver));
}

thread_local! {
    static KEPT: RefCell<Vec<Box<Message>>> = const { RefCell::new(Vec::new()) };
}

//= Box<Message>
//= String
#[test]
fn what_a_thread_local_had() {
    KEPT.with_borrow_mut(|kept| kept.push(Box::new(Message { text: "lost".to_string() })));
    let taken = KEPT.with_borrow_mut(std::mem::take);
    for message in taken {
        lose(message);
    }
}
