//! Tests that fork: what a child has lost is its test's.

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    unsafe extern "C" {
        fn fork() -> i32;
        fn waitpid(child: i32, status: *mut i32, options: i32) -> i32;
        fn exit(status: i32) -> !;
    }

    /// Runs `body` in a child that ends as programs do.
    fn in_child(body: fn()) {
        // SAFETY: the functions of libc have these signatures; the child only runs `body` and ends.
        unsafe {
            let child = fork();
            if child == 0 {
                body();
                black_box([0u8; 4096]);
                exit(0);
            }
            waitpid(child, &mut 0, 0);
        }
    }

    #[test]
    fn child_is_clean() {
        in_child(|| drop(black_box(vec![1u8; 7006])));
    }

    #[test]
    fn child_leaks() {
        in_child(|| std::mem::forget(black_box(vec![1u8; 7007])));
    }
}
