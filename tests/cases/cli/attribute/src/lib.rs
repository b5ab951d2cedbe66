//! `#[heapcheck]` in all its ways to pass and to fail, in a crate that allows neither warnings nor unsafe code.
#![deny(warnings)]
#![forbid(unsafe_code)]

/// Loses a block.
#[inline(never)]
pub fn lose(bytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
}

#[cfg(test)]
mod tests {
    use super::lose;
    use heapcheck_rt::heapcheck;
    use std::hint::black_box;
    use std::sync::Mutex;

    static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());
    static BUFFER: Mutex<Vec<u8>> = Mutex::new(Vec::new());

    #[test]
    #[heapcheck]
    fn clean() {
        assert_eq!(black_box(vec![1]).len(), 1);
    }

    #[heapcheck]
    #[test]
    fn keeps_in_a_static() {
        KEPT.lock().unwrap().push("kept".to_string());
    }

    #[heapcheck]
    #[test]
    fn leaks() {
        lose(1001);
    }

    #[heapcheck]
    #[test]
    fn leaks_in_a_thread() {
        std::thread::spawn(|| lose(1002)).join().unwrap();
    }

    #[heapcheck]
    #[test]
    fn leaks_in_a_scoped_thread() {
        std::thread::scope(|scope| {
            scope.spawn(|| lose(1003));
        });
    }

    #[heapcheck]
    #[test]
    fn leaks_with_a_result() -> Result<(), String> {
        lose(1004);
        Ok(())
    }

    #[heapcheck]
    #[test]
    fn fails_by_itself_and_leaks() -> Result<(), String> {
        lose(1005);
        Err("its own".to_string())
    }

    #[heapcheck]
    #[test]
    #[should_panic(expected = "as expected")]
    fn panics() {
        panic!("as expected")
    }

    #[heapcheck]
    #[test]
    #[should_panic(expected = "as expected")]
    fn panics_and_leaks() {
        lose(1006);
        panic!("as expected")
    }

    #[test]
    #[should_panic]
    #[heapcheck]
    fn forgets_to_panic_and_leaks() {
        lose(1007);
    }

    #[heapcheck]
    #[test]
    #[ignore]
    fn ignored() {
        lose(1008);
    }

    #[heapcheck(max_leaked = "2KB")]
    #[test]
    fn leaks_no_more_than_allowed() {
        lose(1009);
    }

    #[heapcheck(max_leaked = "1KB")]
    #[test]
    fn leaks_more_than_allowed() {
        lose(1010);
    }

    #[heapcheck(allow = "attribute::lose")]
    #[test]
    fn leaks_where_it_is_allowed() {
        lose(1011);
    }

    #[heapcheck(allow = "attribute::somewhere_else")]
    #[test]
    fn leaks_where_it_is_not_allowed() {
        lose(1012);
    }

    #[heapcheck(max_peak = "10KB", max_total = "1MB", max_allocs = 100)]
    #[test]
    fn keeps_its_limits() {
        for _ in 0..10 {
            drop(black_box(vec![1u8; 9000]));
        }
    }

    #[heapcheck(max_peak = "10KB")]
    #[test]
    fn peaks_too_high() {
        drop(black_box(vec![1u8; 11000]));
    }

    #[heapcheck(max_total = "10KB")]
    #[test]
    fn allocates_too_much() {
        for _ in 0..10 {
            drop(black_box(vec![1u8; 9000]));
        }
    }

    #[heapcheck(max_allocs = 5)]
    #[test]
    fn allocates_too_often() {
        for _ in 0..10 {
            drop(black_box(vec![1u8; 9]));
        }
    }

    #[heapcheck(warmup = 3, repeat = 20)]
    #[test]
    fn grows() {
        KEPT.lock().unwrap().push(black_box("one more").to_string());
    }

    #[heapcheck(repeat = 20)]
    #[test]
    fn grows_by_doubling() {
        BUFFER.lock().unwrap().extend([0; 100]);
    }

    #[heapcheck(repeat = 20)]
    #[test]
    fn fills_up_and_stays() {
        let mut kept = KEPT.lock().unwrap();
        if kept.len() < 8 {
            kept.push(black_box("one of eight").to_string());
        }
    }

    #[heapcheck(mode = "draconian")]
    #[test]
    fn frees_not_everything() {
        KEPT.lock().unwrap().push("kept".to_string());
    }
}
