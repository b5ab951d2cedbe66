//! Tests that run in one process, told apart by their threads: names alike in their first letters, a pool that outlives its
//! test, a test that fails by itself, and one that its attribute fails.

/// Loses a block.
#[inline(never)]
pub fn lose(bytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
}

#[cfg(test)]
mod tests {
    use super::lose;
    use std::sync::mpsc::{channel, Sender};
    use std::sync::{Mutex, OnceLock};

    type Job = Box<dyn FnOnce() + Send>;

    /// Has the job done by a thread that is started by the first test that needs it and never ends.
    fn in_pool(job: impl FnOnce() + Send + 'static) {
        static POOL: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();
        let pool = POOL.get_or_init(|| {
            let (sender, receiver) = channel::<Job>();
            std::thread::spawn(move || receiver.iter().for_each(|job| job()));
            Mutex::new(sender)
        });
        let (done, wait) = channel();
        let job = move || {
            job();
            done.send(()).unwrap();
        };
        pool.lock().unwrap().send(Box::new(job)).unwrap();
        wait.recv().unwrap();
    }

    #[test]
    fn a_clean_one() {
        assert_eq!(std::hint::black_box(vec![1]).len(), 1);
    }

    #[test]
    fn a_first_one_starts_the_pool() {
        in_pool(|| drop(std::hint::black_box(vec![1u8; 10])));
    }

    #[test]
    fn fails_by_itself() {
        panic!("its own");
    }

    #[heapcheck_rt::heapcheck]
    #[test]
    fn is_failed_by_its_attribute() {
        lose(1001);
    }

    #[heapcheck_rt::heapcheck(max_leaked = "2KB")]
    #[test]
    fn is_allowed_to_leak() {
        lose(1002);
    }

    #[test]
    #[ignore]
    fn is_ignored() {
        lose(1003);
    }

    #[test]
    fn leaks_here() {
        lose(1004);
    }

    #[test]
    fn leaks_here_too() {
        lose(1005);
    }

    #[test]
    fn leaks_here_too_and_in_a_thread() {
        std::thread::spawn(|| lose(1006)).join().unwrap();
    }

    #[test]
    fn pool_leaks() {
        in_pool(|| lose(1007));
    }
}
