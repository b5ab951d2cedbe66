//! Two hundred tests, leaking and clean ones mixed, to be run in parallel threads of one process: those named `leaks_..` have
//! to fail, those named `clean_..` to pass, however they lie in time.

#[cfg(test)]
mod kinds {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::hint::black_box;
    use std::rc::Rc;
    use std::sync::{Arc, Mutex, OnceLock, mpsc};
    use std::thread;

    #[inline(never)]
    fn lose(bytes: usize) {
        std::mem::forget(black_box(vec![1u8; bytes]));
    }

    pub fn clean_work() {
        let words: HashMap<usize, String> = (0..50).map(|number| (number, number.to_string())).collect();
        assert_eq!(black_box(words).len(), 50);
    }

    pub fn clean_threads() {
        let (sender, receiver) = mpsc::channel();
        let threads: Vec<_> = (0..3)
            .map(|number| {
                let sender = sender.clone();
                thread::spawn(move || sender.send(vec![number; 30]).unwrap())
            })
            .collect();
        drop(sender);
        assert_eq!(receiver.iter().map(|part| part.len()).sum::<usize>(), 90);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }

    pub fn clean_scoped_threads() {
        let sum = Mutex::new(0);
        thread::scope(|scope| {
            for number in 0..3 {
                let sum = &sum;
                scope.spawn(move || *sum.lock().unwrap() += black_box(vec![number; 20]).len());
            }
        });
        assert_eq!(sum.into_inner().unwrap(), 60);
    }

    pub fn clean_static() {
        static KEPT: OnceLock<Mutex<Vec<String>>> = OnceLock::new();
        let mut kept = KEPT.get_or_init(Mutex::default).lock().unwrap();
        kept.push("kept by a static".to_string());
        if kept.len() > 20 {
            kept.clear();
        }
    }

    pub fn clean_detached() {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let buffer = vec![1u8; 300];
            sender.send(buffer.len()).unwrap();
            drop(buffer);
        });
        assert_eq!(receiver.recv().unwrap(), 300);
    }

    pub fn leaks_here() {
        lose(1001);
    }

    pub fn leaks_in_a_thread() {
        thread::spawn(|| lose(1002)).join().unwrap();
    }

    pub fn leaks_in_a_scoped_thread() {
        thread::scope(|scope| {
            scope.spawn(|| lose(1003));
        });
    }

    struct Node {
        next: RefCell<Option<Rc<Node>>>,
        _weight: [u8; 100],
    }

    #[inline(never)]
    fn tie() {
        let node = Rc::new(Node { next: RefCell::default(), _weight: [0; 100] });
        *node.next.borrow_mut() = Some(Rc::clone(&node));
        black_box(&node);
    }

    pub fn leaks_a_cycle() {
        tie();
    }

    pub fn leaks_in_a_thread_of_a_thread() {
        let outer = thread::spawn(|| {
            let shared = Arc::new(7u64);
            thread::spawn(move || std::mem::forget(black_box(shared))).join().unwrap();
        });
        outer.join().unwrap();
    }
}

macro_rules! tests {
    ($($module:ident)*) => {$(
        #[cfg(test)]
        mod $module {
            tests!(@ clean_work clean_threads clean_scoped_threads clean_static clean_detached leaks_here
                leaks_in_a_thread leaks_in_a_scoped_thread leaks_a_cycle leaks_in_a_thread_of_a_thread);
        }
    )*};
    (@ $($name:ident)*) => {$(
        #[heapcheck_rt::heapcheck]
        #[test]
        fn $name() {
            crate::kinds::$name();
        }
    )*};
}

tests!(a b c d e f g h i j k l m n o p q r s t);
