//! A task that waits for itself.
//!
//! A mailbox wakes the task that reads it. The task below holds both ends: the sender lives in the task that waits for a
//! message, so no message ever comes, and the waker in the mailbox holds the task. Nobody else knows of the two any more.
//! `Scope::instrument` follows the task whichever thread polls it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

#[derive(Default)]
struct Slot {
    message: Option<String>,
    waker: Option<Waker>,
}

/// The end that messages are put in.
#[derive(Clone, Default)]
pub struct Mailbox(Arc<Mutex<Slot>>);

impl Mailbox {
    /// Puts a message in, and wakes who waits for it.
    pub fn send(&self, message: &str) {
        let mut slot = self.0.lock().expect("nobody panics here");
        slot.message = Some(message.to_string());
        if let Some(waker) = slot.waker.take() {
            drop(slot);
            waker.wake();
        }
    }

    /// Waits for the next message.
    pub fn receive(&self) -> impl Future<Output = String> + use<> {
        let slot = Arc::clone(&self.0);
        std::future::poll_fn(move |context| {
            let mut slot = slot.lock().expect("nobody panics here");
            match slot.message.take() {
                Some(message) => Poll::Ready(message),
                None => {
                    slot.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
    }
}

/// A spawned future; whoever can wake it owns it.
struct Task(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let mut future = self.0.lock().expect("nobody panics here");
        if let Some(running) = future.as_mut() {
            let waker = Waker::from(Arc::clone(&self));
            if running.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                *future = None;
            }
        }
    }
}

/// Runs a future until it waits, and again whenever it is woken.
pub fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    Arc::new(Task(Mutex::new(Some(Box::pin(future))))).wake();
}

#[cfg(test)]
mod tests {
    use super::*;
    use heapcheck_rt::{Scope, assert_no_leaks, heapcheck};

    #[heapcheck]
    #[test]
    fn waits_for_a_message_that_only_it_could_send() {
        let mailbox = Mailbox::default();
        let own = mailbox.clone();
        spawn(async move {
            let message = own.receive().await;
            own.send(&message);
        });
    }

    #[heapcheck]
    #[test]
    fn waits_for_a_message_that_comes() {
        let mailbox = Mailbox::default();
        let own = mailbox.clone();
        spawn(async move {
            assert_eq!(own.receive().await, "hello");
        });
        mailbox.send("hello");
    }

    #[test]
    fn a_task_has_a_scope_of_its_own() {
        let scope = Scope::new("around the task");
        let (sender, receiver) = std::sync::mpsc::channel();
        let mailbox = Mailbox::default();
        let own = mailbox.clone();
        spawn(async move {
            let task = async move { own.receive().await.len() };
            sender.send(Scope::instrument(task).await).expect("the test waits");
        });
        mailbox.send("hello");
        let (length, checked) = receiver.recv().expect("the task sends");
        assert_eq!(length, 5);
        checked.expect("the task lost nothing");
        drop((mailbox, receiver));
        assert_no_leaks!(scope);
    }
}
