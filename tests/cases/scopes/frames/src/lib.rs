//! Scopes that are checked in the middle of things: the frames that worked in them have not returned. Every test passes;
//! each says what the check has to answer in programs with and without optimisation.

#[cfg(test)]
mod tests {
    use heapcheck_rt::{Leaks, Scope, Stats, assert_no_leaks};
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::hint::black_box;
    use std::rc::Rc;
    use std::sync::{Arc, Mutex, mpsc};
    use std::thread;

    struct Node {
        next: RefCell<Option<Rc<Node>>>,
        _weight: [u8; 77],
    }

    fn cycle() -> Rc<Node> {
        let node = Rc::new(Node { next: RefCell::default(), _weight: [1; 77] });
        *node.next.borrow_mut() = Some(node.clone());
        node
    }

    #[inline(never)]
    fn lose() {
        std::mem::forget(black_box(vec![1u8; 101]));
    }

    /// Something was lost by a function that has returned.
    #[track_caller]
    fn is_told(found: Result<Stats, Leaks>) {
        let leaks = found.expect_err("what a function that has returned lost is held by nothing");
        assert!(leaks.is_checked() && leaks.blocks() == 1, "{leaks}");
    }

    /// Something was lost, and the frame that did it is there: it is told, or counted.
    #[track_caller]
    fn is_told_or_counted(found: Result<Stats, Leaks>) {
        match found {
            Ok(stats) => assert!(stats.local_blocks > 0 && stats.local_bytes >= 77, "{stats:?}"),
            Err(leaks) => assert!(leaks.is_checked() && leaks.blocks() > 0, "{leaks}"),
        }
    }

    #[track_caller]
    fn is_clean(found: Result<Stats, Leaks>) {
        let stats = found.unwrap();
        assert_eq!((stats.local_blocks, stats.local_bytes), (0, 0), "{stats:?}");
    }

    #[test]
    fn what_a_function_has_lost_is_told() {
        let scope = Scope::new("scope");
        lose();
        is_told(scope.check());
    }

    #[test]
    fn what_a_closure_has_lost_is_told() {
        #[inline(never)]
        fn call(work: impl FnOnce()) {
            work();
            black_box(());
        }
        let scope = Scope::new("scope");
        call(|| std::mem::forget(black_box(vec![1u8; 101])));
        is_told(scope.check());
    }

    #[test]
    fn what_a_function_has_lost_is_told_when_words_lie_below_the_frame() {
        #[inline(never)]
        fn deep(depth: usize) -> usize {
            let words = black_box([depth; 40]);
            if depth == 0 {
                lose()
            } else {
                black_box(deep(depth - 1));
            }
            black_box(words).len()
        }
        let scope = Scope::new("scope");
        deep(30);
        is_told(scope.check());
    }

    #[test]
    fn what_this_frame_has_forgotten_is_told_or_counted() {
        let scope = Scope::new("scope");
        let forgotten = black_box(vec![1u8; 101]);
        std::mem::forget(forgotten);
        is_told_or_counted(scope.check());
        is_told(scope.check_without_locals());
    }

    #[test]
    fn a_cycle_that_this_frame_has_dropped_is_told_or_counted() {
        let scope = Scope::new("scope");
        let node = cycle();
        drop(node);
        is_told_or_counted(scope.check());
        is_told(scope.check_without_locals());
    }

    #[test]
    fn a_cycle_of_an_inner_block_is_told_or_counted() {
        let scope = Scope::new("scope");
        {
            let _node = cycle();
        }
        is_told_or_counted(scope.check());
        is_told(scope.check_without_locals());
    }

    #[test]
    fn what_an_outer_frame_has_forgotten_is_told_or_counted() {
        #[inline(never)]
        fn inner(scope: &Scope) {
            is_told_or_counted(scope.check());
            is_told(scope.check_without_locals());
        }
        let scope = Scope::new("scope");
        std::mem::forget(black_box(vec![1u8; 101]));
        inner(&scope);
    }

    #[test]
    fn what_lives_in_a_local_variable_is_counted_and_no_leak() {
        let scope = Scope::new("scope");
        let words = black_box(vec![String::from("one"), String::from("two")]);
        let stats = scope.check().unwrap();
        assert_eq!((stats.local_blocks, stats.local_bytes), (3, 2 * 24 + 3 + 3), "{stats:?}");
        assert_no_leaks!(scope);
        drop(words);
        is_clean(scope.check_without_locals());
        is_clean(scope.check());
    }

    #[test]
    fn what_older_blocks_and_globals_hold_is_not_that_of_local_variables() {
        thread_local!(static KEPT: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) });
        static SHARED: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let map = Arc::new(Mutex::new(HashMap::new()));
        let scope = Scope::new("scope");
        map.lock().unwrap().insert(1, String::from("one"));
        KEPT.with_borrow_mut(|kept| kept.push(String::from("two")));
        SHARED.lock().unwrap().push(String::from("three"));
        is_clean(scope.check());
        is_clean(scope.check_without_locals());
        assert!(scope.stats().live_blocks >= 6);
        drop(map);
    }

    #[test]
    fn a_local_variable_that_is_older_than_the_scope_counts_as_one() {
        let mut words = Vec::new();
        let scope = Scope::new("scope");
        words.push(String::from("one"));
        let stats = scope.check().unwrap();
        assert_eq!(stats.local_blocks, 2, "{stats:?}");
        let leaks = scope.check_without_locals().unwrap_err();
        assert_eq!(leaks.blocks(), 2, "{leaks}");
        drop(words);
    }

    #[test]
    fn a_thread_that_waits_for_the_check_of_its_scope_hides_nothing() {
        let scope = Scope::new("scope");
        lose();
        thread::scope(|threads| {
            let checked = threads.spawn(|| {
                is_told_or_counted(scope.check());
                assert!(scope.check_without_locals().is_err());
            });
            checked.join().unwrap();
        });
        is_told(scope.check());
    }

    #[test]
    fn a_thread_that_waits_for_all_of_its_threads_hides_nothing() {
        let scope = Scope::new("scope");
        lose();
        thread::scope(|threads| {
            threads.spawn(|| {
                is_told_or_counted(scope.check());
                assert!(scope.check_without_locals().is_err());
            });
        });
        is_told(scope.check());
    }

    #[test]
    fn a_thread_that_waits_for_a_message_hides_nothing() {
        let scope = Arc::new(Scope::new("scope"));
        let (ask, asked) = mpsc::channel::<()>();
        let (answer, answered) = mpsc::channel::<()>();
        let checked = thread::spawn({
            let scope = scope.clone();
            move || {
                asked.recv().unwrap();
                is_told_or_counted(scope.check());
                assert!(scope.check_without_locals().is_err());
                answer.send(()).unwrap();
            }
        });
        lose();
        ask.send(()).unwrap();
        answered.recv().unwrap();
        checked.join().unwrap();
        is_told_or_counted(scope.check());
    }

    #[test]
    fn a_block_of_code_runs_in_a_frame_of_its_own() {
        let result = std::panic::catch_unwind(|| {
            assert_no_leaks!({
                let node = cycle();
                drop(node);
            });
        });
        assert!(result.is_err());
        let words = assert_no_leaks!({ vec![String::from("one")] });
        assert_eq!(words.len(), 1);
    }
}
