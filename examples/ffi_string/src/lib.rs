//! A string for C that nobody takes back.
//!
//! `CString::into_raw` gives the string away, and only `CString::from_raw` ends it. One test forgets that: it passes under
//! `cargo test`, and fails under `cargo heapcheck`, which names the line that gave the string away. The other one takes both
//! of its strings back.

use std::ffi::{CStr, CString, c_char};

/// A setting as a C library would keep it: it stores a pointer, and frees nothing.
#[derive(Default)]
pub struct Setting {
    value: Option<*mut c_char>,
}

impl Setting {
    /// Stores a text, and hands back the one that was there.
    pub fn set(&mut self, text: &str) -> Option<*mut c_char> {
        let text = CString::new(text).expect("no zero inside");
        self.value.replace(text.into_raw())
    }

    /// Hands back the text that is stored, and stores none.
    pub fn take(&mut self) -> Option<*mut c_char> {
        self.value.take()
    }

    /// The text that is stored.
    pub fn get(&self) -> Option<&CStr> {
        // SAFETY: what is stored came from `CString::into_raw`, and who takes it back has to take it out.
        self.value.map(|value| unsafe { CStr::from_ptr(value) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use heapcheck_rt::heapcheck;

    #[heapcheck]
    #[test]
    fn sets_a_name() {
        let mut setting = Setting::default();
        setting.set("a name that is given to C");
        assert_eq!(setting.get(), Some(c"a name that is given to C"));
    }

    #[heapcheck]
    #[test]
    fn sets_a_name_and_takes_it_back() {
        let mut setting = Setting::default();
        setting.set("a name that is given to C");
        let replaced = setting.set("another name");
        assert_eq!(setting.get(), Some(c"another name"));
        for value in [replaced, setting.take()] {
            // SAFETY: it came from `CString::into_raw`, and the setting has it no more.
            drop(unsafe { CString::from_raw(value.expect("it was set")) });
        }
    }
}
