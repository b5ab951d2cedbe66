//! A harness of libtest-mimic: what runs there are closures, which the attribute and scopes check as they do anywhere.

use heapcheck_rt::{Scope, heapcheck};
use libtest_mimic::{Arguments, Failed, Trial};

#[inline(never)]
fn lose(bytes: usize) {
    std::mem::forget(std::hint::black_box(vec![1u8; bytes]));
}

fn work() {
    drop(std::hint::black_box(vec![1u8; 100]));
}

#[heapcheck]
fn checked(body: fn()) -> Result<(), Failed> {
    body();
    Ok(())
}

fn scoped(body: fn()) -> Result<(), Failed> {
    let scope = Scope::new("trial");
    body();
    scope.check()?;
    Ok(())
}

fn main() {
    let trials = vec![
        Trial::test("clean_by_the_attribute", || checked(work)),
        Trial::test("leaks_by_the_attribute", || checked(|| lose(7001))),
        Trial::test("clean_in_a_scope", || scoped(work)),
        Trial::test("leaks_in_a_scope", || scoped(|| lose(7002))),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
