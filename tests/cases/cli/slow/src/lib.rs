//! A test that leaks, one that takes a while, and one that takes for ever.

#[test]
fn a_leaks() {
    std::mem::forget(std::hint::black_box(vec![1u8; 4001]));
}

#[test]
fn b_takes_a_while() {
    std::thread::sleep(std::time::Duration::from_secs(4));
}

#[test]
#[ignore]
fn c_takes_for_ever() {
    std::fs::write("begun", std::process::id().to_string()).unwrap();
    loop {
        std::thread::sleep(std::time::Duration::from_secs(60));
    }
}
