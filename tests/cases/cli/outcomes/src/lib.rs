//! Tests that end their process by themselves, or are ended.
#![cfg(test)]

use std::os::unix::process::CommandExt;
use std::process::Command;

#[test]
fn aborts() {
    std::process::abort();
}

#[test]
fn becomes_another_program() {
    panic!("{}", Command::new("true").exec());
}

#[test]
fn exits_with_0() {
    std::process::exit(0);
}

#[test]
fn exits_with_3() {
    std::process::exit(3);
}

#[test]
fn is_killed() {
    let own = std::process::id().to_string();
    Command::new("kill").args(["-KILL", &own]).status().unwrap();
    loop {
        std::thread::yield_now();
    }
}

unsafe extern "C" {
    safe fn _exit(status: i32) -> !;
}

#[test]
fn leaves_past_all_handlers() {
    _exit(0);
}

#[test]
fn runs_as_it_should() {}
