//! A harness of libtest-mimic.
use libtest_mimic::{Arguments, Trial};

fn main() {
    let leaks = || {
        targets::lose(7007);
        Ok(())
    };
    let passes = || match std::env::var_os("FAILS") {
        Some(why) => Err(why.to_string_lossy().into()),
        None => Ok(()),
    };
    let trials = vec![Trial::test("clean_in_mimic", passes), Trial::test("leaks_in_mimic", leaks)];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
