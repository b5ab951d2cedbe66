//! Tests that want to hear of a leak.
heapcheck_rt::standalone!();

#[test]
fn a_leak_that_was_asked_for_fails_nothing() {
    let around = heapcheck_rt::Scope::new("around");
    let scope = heapcheck_rt::Scope::new("asked for");
    // On a stack that is gone: a word that is left on this one could hide it from a check right behind it.
    std::thread::spawn(|| app::lose(1008)).join().unwrap();
    let leaks = scope.check().unwrap_err();
    assert_eq!((leaks.bytes(), leaks.blocks()), (1008, 1));
    assert!(leaks.report().contains("app::lose"), "{leaks}");
    drop(scope);
    // Explaining it has read all debug information, which nobody counts.
    assert!(around.stats().total_bytes < 100_000, "{:?}", around.stats());
}
