//! A test that leaks, one that takes until somebody has seen what it is for, and one that takes for ever.

#[test]
fn a_leaks() {
    std::mem::forget(std::hint::black_box(vec![1u8; 4001]));
}

#[test]
fn b_takes_a_while() {
    std::fs::write("waits", "").unwrap();
    for _ in 0..30_000 {
        if std::path::Path::new("seen").exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("nobody has seen it");
}

#[test]
#[ignore]
fn c_takes_for_ever() {
    std::fs::write("begun", std::process::id().to_string()).unwrap();
    loop {
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}
