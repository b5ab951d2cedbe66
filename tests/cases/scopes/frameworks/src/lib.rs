//! `#[heapcheck]` beside the attributes of test frameworks, in both orders; a test named `.._leaks` has to fail, every
//! other one to pass. The crate allows neither warnings nor unsafe code.

/// Loses a block.
#[inline(never)]
pub fn lose(bytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
}

/// Allocates and frees.
pub fn work(bytes: usize) -> usize {
    std::hint::black_box(vec![1u8; bytes]).len()
}

/// The crate under another name, as some workspaces have it.
#[cfg(test)]
mod leaks {
    pub use heapcheck_rt as inner;
    pub use heapcheck_rt::heapcheck;
}

#[cfg(test)]
mod std_tests {
    use crate::{lose, work};
    use heapcheck_rt::heapcheck;
    use std::process::ExitCode;

    #[heapcheck]
    #[test]
    fn above() {
        work(10);
    }

    #[test]
    #[heapcheck]
    fn below_leaks() {
        lose(101);
    }

    #[heapcheck]
    #[test]
    fn exit_code() -> ExitCode {
        work(10);
        ExitCode::SUCCESS
    }

    #[heapcheck]
    #[test]
    fn exit_code_leaks() -> ExitCode {
        lose(101);
        ExitCode::SUCCESS
    }

    #[heapcheck]
    #[test]
    fn some_termination() -> impl std::process::Termination {
        work(10);
        Ok::<(), String>(())
    }

    #[heapcheck]
    #[test]
    fn some_termination_leaks() -> impl std::process::Termination {
        lose(101);
        Ok::<(), String>(())
    }

    #[heapcheck]
    #[test]
    fn question_mark() -> Result<(), Box<dyn std::error::Error>> {
        let number: usize = "10".parse()?;
        work(number);
        Ok(())
    }

    #[heapcheck(crate = crate::leaks::inner)]
    #[test]
    fn renamed() {
        work(10);
    }

    #[crate::leaks::heapcheck(crate = super::leaks::inner)]
    #[test]
    fn renamed_leaks() {
        lose(101);
    }

    #[heapcheck]
    #[test]
    #[ignore = "shows that it is"]
    fn ignored_leaks() {
        lose(101);
    }

    macro_rules! generated {
        ($name:ident, $limit:literal, $body:expr) => {
            #[heapcheck(max_leaked = $limit)]
            #[test]
            fn $name() {
                $body
            }
        };
    }
    /// A block that moves when it grows is one block, not two.
    #[heapcheck(max_peak = "24KB")]
    #[test]
    fn grows_within_its_peak() {
        grow();
    }

    #[heapcheck(max_peak = "19KB")]
    #[test]
    fn grows_above_its_peak_as_if_it_leaks() {
        grow();
    }

    fn grow() {
        let mut bytes: Vec<u8> = Vec::with_capacity(10_000);
        bytes.push(1);
        std::hint::black_box(&mut bytes).reserve_exact(19_999);
        assert_eq!(bytes.capacity(), 20_000);
    }

    generated!(generated_within_the_limit, "1KB", lose(101));
    generated!(generated_above_the_limit_leaks, "100", lose(101));

    /// What a test calls can be checked, too.
    #[heapcheck]
    fn longest<'a, T: AsRef<str> + ?Sized>(one: &'a T, other: &'a T) -> &'a str
    where
        T: 'a,
    {
        let (one, other) = (one.as_ref(), other.as_ref());
        if one.len() > other.len() { one } else { other }
    }

    #[test]
    fn generics_and_lifetimes() {
        let owned = String::from("longer");
        assert_eq!(longest("short", owned.as_str()), "longer");
    }
}

#[cfg(test)]
mod tokio_tests {
    use crate::{lose, work};
    use heapcheck_rt::{Scope, heapcheck};
    use std::time::Duration;

    #[heapcheck]
    #[tokio::test]
    async fn above() {
        work(10);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    #[tokio::test]
    #[heapcheck]
    async fn below() -> Result<(), String> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        work(10);
        Ok(())
    }

    #[heapcheck]
    #[tokio::test]
    async fn above_leaks() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        lose(101);
    }

    #[tokio::test]
    #[heapcheck]
    async fn below_leaks() {
        lose(101);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    #[heapcheck]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn workers() {
        let tasks = (0..10).map(|n| tokio::spawn(async move { work(n) }));
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    }

    #[heapcheck]
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn worker_leaks() {
        tokio::spawn(async { lose(101) }).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[heapcheck]
    async fn blocking_pool_leaks() {
        tokio::task::spawn_blocking(|| lose(101)).await.unwrap();
    }

    #[heapcheck]
    #[tokio::test]
    async fn blocking_pool() {
        assert_eq!(tokio::task::spawn_blocking(|| work(10)).await.unwrap(), 10);
    }

    #[heapcheck]
    #[tokio::test]
    #[should_panic(expected = "as it should")]
    async fn panics() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        panic!("as it should")
    }

    #[heapcheck]
    async fn stays_asynchronous(value: &str) -> Result<usize, std::num::ParseIntError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let number = value.parse::<usize>()?;
        Ok(work(number))
    }

    #[tokio::test]
    async fn asynchronous_helper() {
        assert_eq!(stays_asynchronous("7").await, Ok(7));
        assert!(stays_asynchronous("x").await.is_err());
    }

    #[heapcheck]
    async fn answers<'a>(text: &'a str, _other: &str) -> &'a str {
        tokio::task::yield_now().await;
        text
    }

    #[heapcheck]
    async fn counts() -> impl Fn() -> usize {
        let number = work(7);
        move || number
    }

    #[heapcheck]
    async fn never_comes_back() -> ! {
        std::panic::panic_any(7)
    }

    #[tokio::test]
    async fn asynchronous_helpers_of_any_type() {
        assert_eq!(answers("a", "b").await, "a");
        assert_eq!((counts().await)(), 7);
        let thrown = tokio::spawn(async { never_comes_back().await }).await.unwrap_err();
        assert!(thrown.is_panic());
    }

    #[heapcheck]
    #[test_case::test_case(101 => panics "as it should")]
    #[tokio::test]
    async fn panics_in_a_case_and_leaks(bytes: usize) {
        lose(bytes);
        panic!("as it should")
    }

    #[heapcheck]
    async fn loses_across_an_await() {
        let block = Box::new([1u8; 101]);
        tokio::time::sleep(Duration::from_millis(1)).await;
        std::mem::forget(std::hint::black_box(block));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    #[tokio::test]
    async fn asynchronous_helper_leaks() {
        loses_across_an_await().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn instrumented_task() {
        let task = Scope::instrument(async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            work(10)
        });
        let (length, checked) = tokio::spawn(task).await.unwrap();
        assert_eq!(length, 10);
        checked.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn instrumented_task_leaks() {
        let task = Scope::instrument(async {
            let block = Box::new([1u8; 101]);
            tokio::time::sleep(Duration::from_millis(1)).await;
            std::mem::forget(std::hint::black_box(block));
        });
        let ((), checked) = tokio::spawn(task.named("a task")).await.unwrap();
        checked.unwrap();
    }

    #[heapcheck(repeat = 4, warmup = 1)]
    #[tokio::test]
    async fn repeated() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        work(10);
    }
}

#[cfg(test)]
mod async_std_tests {
    use crate::{lose, work};
    use heapcheck_rt::heapcheck;

    #[heapcheck]
    #[async_std::test]
    async fn above() {
        work(10);
    }

    #[async_std::test]
    #[heapcheck]
    async fn below_leaks() -> std::io::Result<()> {
        lose(101);
        Ok(())
    }
}

#[cfg(test)]
mod rstest_tests {
    use crate::{lose, work};
    use heapcheck_rt::heapcheck;
    use rstest::{fixture, rstest};

    #[fixture]
    fn text() -> String {
        "text".to_string()
    }

    #[heapcheck]
    #[rstest]
    fn takes_a_fixture(text: String) {
        assert_eq!(text, "text");
    }

    #[rstest]
    #[heapcheck]
    fn takes_a_fixture_below_leaks(text: String) {
        lose(text.len() + 97);
    }

    #[heapcheck]
    #[rstest]
    #[case(0)]
    #[case(101)]
    fn cases_above(#[case] bytes: usize) {
        work(bytes);
    }

    #[rstest]
    #[case(101)]
    #[case(102)]
    #[heapcheck]
    fn cases_below_leaks(#[case] bytes: usize) {
        lose(bytes);
    }

    #[heapcheck]
    #[rstest]
    fn values_leaks(#[values(101, 102)] bytes: usize) {
        lose(bytes);
    }

    #[heapcheck]
    #[rstest]
    #[case(3)]
    #[tokio::test]
    async fn asynchronous(#[case] bytes: usize) {
        work(bytes);
    }

    #[rstest]
    #[case(101)]
    #[tokio::test]
    #[heapcheck]
    async fn asynchronous_below_leaks(#[case] bytes: usize) {
        lose(bytes);
    }

    #[heapcheck(warmup = 1, repeat = 4)]
    #[rstest]
    #[tokio::test]
    async fn repeated_with_a_fixture(text: String) {
        tokio::task::yield_now().await;
        work(text.len());
    }

    #[rstest]
    #[tokio::test]
    #[heapcheck(repeat = 4)]
    async fn repeated_with_a_fixture_leaks(text: String) {
        tokio::task::yield_now().await;
        lose(text.len());
    }

    #[heapcheck]
    #[rstest]
    #[should_panic]
    #[case(1)]
    fn panics(#[case] bytes: usize) {
        assert_eq!(work(bytes), 0);
    }
}

#[cfg(test)]
mod test_case_tests {
    use crate::{lose, work};
    use heapcheck_rt::heapcheck;
    use test_case::test_case;

    #[heapcheck]
    #[test_case(1)]
    #[test_case(2 ; "two")]
    fn above(bytes: usize) {
        work(bytes);
    }

    #[test_case(101)]
    #[heapcheck]
    fn below_leaks(bytes: usize) {
        lose(bytes);
    }

    #[heapcheck]
    #[test_case(3 => 3)]
    fn returns(bytes: usize) -> usize {
        work(bytes)
    }

    #[test_case(3 => 3)]
    #[heapcheck]
    fn returns_leaks(bytes: usize) -> usize {
        lose(101);
        work(bytes)
    }
}

#[cfg(test)]
mod proptest_tests {
    use crate::{lose, work};
    use heapcheck_rt::heapcheck;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 8, ..ProptestConfig::default() })]

        #[heapcheck]
        #[test]
        fn above(bytes in 1usize..100) {
            prop_assert_eq!(work(bytes), bytes);
        }

        #[test]
        #[heapcheck]
        fn below_leaks(bytes in 101usize..102) {
            lose(bytes);
        }
    }
}

#[cfg(test)]
mod pool_tests {
    use crate::work;
    use heapcheck_rt::heapcheck;
    use rayon::prelude::*;
    use std::sync::{Mutex, OnceLock};

    #[heapcheck]
    #[test]
    fn starts_the_global_pool() {
        assert_eq!((0..1000usize).into_par_iter().map(work).sum::<usize>(), 499_500);
    }

    #[heapcheck]
    #[test]
    fn uses_the_global_pool() {
        assert_eq!((0..1000usize).into_par_iter().map(work).max(), Some(999));
    }

    static LAZY: OnceLock<Mutex<Vec<String>>> = OnceLock::new();

    #[heapcheck]
    #[test]
    fn fills_a_lazy_static() {
        LAZY.get_or_init(Mutex::default).lock().unwrap().push("one".to_string());
    }

    #[heapcheck]
    #[test]
    fn replaces_what_is_in_a_lazy_static() {
        let mut lazy = LAZY.get_or_init(Mutex::default).lock().unwrap();
        lazy.clear();
        lazy.shrink_to_fit();
        lazy.extend((0..100).map(|number| number.to_string()));
    }
}

#[cfg(test)]
mod scope_tests {
    use crate::{lose, work};
    use heapcheck_rt::{Scope, Stats, assert_no_leaks, stats};

    #[test]
    fn asserts_on_a_scope_leaks() {
        let scope = Scope::new("asserted");
        lose(101);
        assert_no_leaks!(scope);
    }

    #[test]
    fn asserts_on_a_block_of_code_leaks() {
        assert_no_leaks!({ lose(101) });
    }

    #[test]
    fn asserts_on_a_block_of_code() {
        assert_eq!(assert_no_leaks!({ work(101) }), 101);
    }

    #[test]
    fn ends_before_the_one_inside_of_it_leaks() {
        let (outer, _middle, inner) = (Scope::new("outer"), Scope::new("middle"), Scope::new("inner"));
        drop(outer);
        lose(101);
        inner.check().unwrap();
    }

    #[test]
    fn ends_in_any_order() {
        let (outer, middle, inner) = (Scope::new("outer"), Scope::new("middle"), Scope::new("inner"));
        drop(middle);
        let kept = vec![1u8; 101];
        inner.check().unwrap();
        drop(outer);
        drop(inner);
        let elsewhere = vec![1u8; 101];
        assert_eq!(stats(), Stats::default(), "after the last one nobody counts");
        drop((kept, elsewhere));
    }
}
