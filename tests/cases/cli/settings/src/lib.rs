//! Leaks, waits and hangs leaks on leaks: what settings and suppressions are for.

/// Loses a block of a size that tells which.
pub fn lose(bytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
}

/// Loses a box that holds a string.
pub fn lose_both(bytes: usize) {
    std::mem::forget(std::hint::black_box(Box::new("x".repeat(bytes))));
}

/// Leaves a mark for whoever counts how often a test is run.
pub fn mark() {
    if let Some(path) = std::env::var_os("HEAPCHECK_TEST_MARKS") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, b"x").unwrap();
    }
}

#[cfg(test)]
mod tests {
    mod net {
        #[test]
        fn leaks() {
            crate::mark();
            crate::lose(1001);
        }

        #[test]
        fn leaks_a_little() {
            crate::lose(101);
        }
    }

    mod disk {
        #[test]
        fn leaks_two() {
            crate::lose_both(1003);
        }

        #[test]
        fn clean() {}
    }

    /// The child would keep running, and the file of the output open.
    #[test]
    #[ignore]
    fn hangs_with_a_child() {
        println!("before");
        std::process::Command::new("sleep").arg("600").spawn().unwrap().wait().unwrap();
    }
}
