//! A harness of libtest-mimic.
use libtest_mimic::{Arguments, Trial};

fn main() {
    let leaks = || {
        targets::lose(7007);
        Ok(())
    };
    let trials = vec![Trial::test("clean_in_mimic", || Ok(())), Trial::test("leaks_in_mimic", leaks)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
