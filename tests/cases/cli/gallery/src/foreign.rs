//! Leaks of C and C++ under Rust frames.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

unsafe extern "C" {
    fn list_add(list: *mut c_void, key: *const c_char) -> *mut c_void;
    fn list_render(width: c_int) -> *mut c_char;
    fn registry_keep(callback: *mut c_void, is_first: c_int);
    fn parser_open(name: *const c_char);
    fn drawing_open(title: *const c_char);
    fn nodes_link();
    fn samples_read(count: c_int);
    fn pool_take();
    fn index_build();
}

struct Callback {
    name: String,
    calls: u64,
}

#[test]
fn into_raw_across_ffi() {
    let callback = Box::new(Callback { name: "on_change".to_string(), calls: 0 });
    let pointer = Box::into_raw(callback).cast();
    // SAFETY: the registry takes any pointer.
    unsafe { registry_keep(pointer, 1) };
    // SAFETY: as above.
    unsafe { registry_keep(ptr::null_mut(), 0) };
}

#[test]
fn c_list() {
    let mut list = ptr::null_mut();
    for key in [c"one", c"two", c"three", c"four"] {
        // SAFETY: a list of this library, and a C string.
        list = unsafe { list_add(list, key.as_ptr()) };
    }
}

#[test]
fn c_text() {
    // SAFETY: the library takes any width.
    let text = unsafe { CStr::from_ptr(list_render(79)) };
    assert_eq!(text.count_bytes(), 79);
}

#[test]
fn c_cycle() {
    // SAFETY: a C string.
    unsafe { parser_open(c"config.ini".as_ptr()) };
}

#[test]
fn cpp_class() {
    // SAFETY: a C string.
    unsafe { drawing_open(c"a title that is too long to be stored in place".as_ptr()) };
}

#[test]
fn cpp_array() {
    // SAFETY: the library takes any count above zero.
    unsafe { samples_read(100) };
}

#[test]
fn cpp_template() {
    // SAFETY: it takes nothing.
    unsafe { pool_take() };
}

#[test]
fn cpp_map() {
    // SAFETY: it takes nothing.
    unsafe { index_build() };
}

#[test]
fn cpp_shared_pointers() {
    // SAFETY: it takes nothing.
    unsafe { nodes_link() };
}

unsafe extern "C" {
    fn press_build() -> c_int;
    fn belts_join() -> c_int;
}

#[test]
fn cpp_objects_without_debug_information() {
    // SAFETY: it takes nothing.
    assert_eq!(unsafe { press_build() }, 13);
}

#[test]
fn cpp_cycle_without_debug_information() {
    // SAFETY: it takes nothing.
    assert_eq!(unsafe { belts_join() }, 2);
}
