//! Ownership that was handed over and never taken back.

use std::ffi::CString;
use std::mem::{self, ManuallyDrop};
use std::rc::Rc;
use std::thread;

struct Guard {
    resource: String,
    buffer: Vec<u8>,
}

impl Guard {
    fn lock(resource: &str) -> Guard {
        Guard { resource: resource.to_string(), buffer: vec![0; 4096] }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.resource.clear();
    }
}

#[test]
fn forgotten_guard() {
    let guard = Guard::lock("the printer");
    // It must stay locked.
    mem::forget(guard);
}

#[test]
fn box_leak() {
    let numbers: &'static mut [u32] = Box::leak(vec![7; 300].into_boxed_slice());
    numbers[0] = 1;
}

#[test]
fn string_leak() {
    let name: &'static str = format!("{}-{}", "plugin", 12).leak();
    assert_eq!(name.len(), 9);
}

#[test]
fn cstring_into_raw() {
    let name = CString::new("a name for C").unwrap();
    let pointer = name.into_raw();
    assert!(!pointer.is_null());
}

#[test]
fn manually_drop() {
    let kept = ManuallyDrop::new(Box::new([1_u8; 500]));
    assert_eq!(kept[0], 1);
}

#[test]
fn one_clone_too_many() {
    let name: Rc<str> = Rc::from("shared by everybody");
    mem::forget(Rc::clone(&name));
}

#[test]
fn many_equal_leaks() {
    for number in 0..1000_u32 {
        Box::leak(Box::new([number; 6]));
    }
}

#[test]
fn two_lines_of_one_function() {
    let first = Box::new([0_u16; 8]);
    let second = Box::new([0_u16; 8]);
    mem::forget((first, second));
}

#[test]
fn different_sizes() {
    for size in [10, 2000, 30] {
        mem::forget(vec![0_u8; size]);
    }
}

#[test]
fn by_four_threads() {
    let threads: Vec<_> =
        (0..4).map(|number| thread::spawn(move || mem::forget(Box::new([number; 50])))).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn forgotten_join_handle() {
    let handle = thread::Builder::new().name("worker".to_string()).spawn(|| 42).unwrap();
    while !handle.is_finished() {
        thread::yield_now();
    }
    mem::forget(handle);
}

thread_local! {
    static SCRATCH: std::cell::Cell<*mut Vec<u64>> = const { std::cell::Cell::new(std::ptr::null_mut()) };
}

#[test]
fn thread_local_pointer() {
    // When the thread ends, so does its thread-local, and a raw pointer frees nothing.
    let fill = || SCRATCH.set(Box::into_raw(Box::new(vec![1, 2, 3])));
    thread::spawn(fill).join().unwrap();
}
