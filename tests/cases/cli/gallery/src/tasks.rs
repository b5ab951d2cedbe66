//! Futures that are never polled to their end, on an executor of two dozen lines.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

type Pending = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Task {
    future: Mutex<Option<Pending>>,
    name: String,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

fn spawn(name: &str, future: impl Future<Output = ()> + Send + 'static) -> Arc<Task> {
    Arc::new(Task { future: Mutex::new(Some(Box::pin(future))), name: name.to_string() })
}

fn poll_once(task: &Arc<Task>) {
    let waker = Waker::from(Arc::clone(task));
    if let Some(future) = task.future.lock().unwrap().as_mut() {
        assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
}

/// Waits for an answer that never comes, and remembers whom to wake.
async fn answer() -> u32 {
    let mut waker = None;
    poll_fn(|context| {
        waker = Some(context.waker().clone());
        Poll::Pending
    })
    .await
}

async fn ask(question: String) {
    let length = answer().await;
    assert!(length > 0, "{question}");
}

#[test]
fn task_that_holds_its_own_waker() {
    let task = spawn("asker", ask("What is the answer?".to_string()));
    poll_once(&task);
}

#[test]
fn forgotten_future() {
    let page = [0_u8; 256];
    let download = async move {
        answer().await;
        assert_eq!(page[0], 0);
    };
    mem::forget(Box::pin(download));
}

struct Message {
    reply_to: Sender<Message>,
    text: String,
}

#[test]
fn channel_that_holds_its_own_sender() {
    let (sender, receiver) = channel();
    sender.send(Message { reply_to: sender.clone(), text: "ping".to_string() }).unwrap();
    mem::forget(receiver);
}

#[test]
fn queue_of_an_executor_that_never_ran() {
    let queue: VecDeque<Arc<Task>> =
        (0..3).map(|number| spawn("waiter", ask(format!("Question {number}?")))).collect();
    mem::forget(queue);
}
