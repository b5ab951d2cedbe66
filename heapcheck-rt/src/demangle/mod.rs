#![forbid(unsafe_code)]
//! The path of a function from its symbol: Rust v0 (RFC 2603), Rust legacy, and C++ (Itanium).
//!
//! It is for the plain report and for suppressions, which need `crate::module::function` and no more: generic
//! arguments are left out, and so are the arguments of C++ functions. What it does not understand it declines, and
//! the raw symbol is shown; full names are the tool's business. No allocation, and a fixed buffer.

mod v0;
mod cxx;

use crate::sink::{Fixed, Sink};

/// The longest name that is made. A longer one is cut.
pub const NAME_BYTES_MAX: usize = 512;

/// A demangled path.
pub type Name = Fixed<NAME_BYTES_MAX>;

/// Demangles `symbol`, if it is of a kind that is understood.
pub fn demangle(symbol: &[u8]) -> Option<Name> {
    if let Some(mangled) = symbol.strip_prefix(b"_R") {
        return v0::demangle(mangled);
    }
    let mangled = symbol.strip_prefix(b"_Z")?;
    legacy(mangled).or_else(|| cxx::demangle(mangled))
}

fn put(name: &mut Name, bytes: &[u8]) {
    // A name that is too long is cut, and that is all right.
    let _ = name.write(bytes);
}

/// Takes a decimal length and that many bytes.
fn take_counted<'s>(rest: &mut &'s [u8]) -> Option<&'s [u8]> {
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
    let len = rest[..digits]
        .iter()
        .try_fold(0_usize, |len, digit| len.checked_mul(10)?.checked_add(usize::from(digit - b'0')))?;
    let (counted, after) = rest[digits..].split_at_checked(len)?;
    *rest = after;
    (len > 0).then_some(counted)
}

/// Demangles `N <parts> 17h<hash> E`.
fn legacy(mangled: &[u8]) -> Option<Name> {
    let mut rest = mangled.strip_prefix(b"N")?;
    let mut name = Name::new();
    let mut last = take_counted(&mut rest)?;
    loop {
        if rest.first() == Some(&b'E') {
            let hash = last.strip_prefix(b"h")?;
            let is_hash = hash.len() == 16 && hash.iter().all(u8::is_ascii_hexdigit);
            return (is_hash && !name.as_bytes().is_empty()).then_some(name);
        }
        if !name.as_bytes().is_empty() {
            put(&mut name, b"::");
        }
        put_legacy_part(&mut name, last);
        last = take_counted(&mut rest)?;
    }
}

/// Writes a part with its escapes undone: `$LT$` and the like, `$u20$`, and `..` for `::`.
fn put_legacy_part(name: &mut Name, part: &[u8]) {
    const ESCAPES: [(&[u8], &[u8]); 8] = [
        (b"$LT$", b"<"),
        (b"$GT$", b">"),
        (b"$RF$", b"&"),
        (b"$BP$", b"*"),
        (b"$LP$", b"("),
        (b"$RP$", b")"),
        (b"$C$", b","),
        (b"$SP$", b"@"),
    ];
    let mut rest = if part.starts_with(b"_$") { &part[1..] } else { part };
    while let [byte, behind @ ..] = rest {
        if let Some((escape, plain)) = ESCAPES.iter().find(|escape| rest.starts_with(escape.0)) {
            put(name, plain);
            rest = &rest[escape.len()..];
        } else if let [b'$', b'u', high, low, b'$', behind @ ..] = rest
            && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
            && high < 8
        {
            put(name, &[high << 4 | low]);
            rest = behind;
        } else if let [b'.', b'.', behind @ ..] = rest {
            put(name, b"::");
            rest = behind;
        } else {
            put(name, &[*byte]);
            rest = behind;
        }
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(symbol: &str, expected: Option<&str>) {
        let name = demangle(symbol.as_bytes());
        let name = name.as_ref().map(|name| str::from_utf8(name.as_bytes()).unwrap());
        assert_eq!(name, expected, "{symbol}");
    }

    #[test]
    fn v0_symbols_become_paths() {
        check("_RNvCskwGfYPst2Cb_3foo16example_function", Some("foo::example_function"));
        check("_RNvMs_Cs4Cv8Wi1oAIB_7mycrateNtB4_7Example3foo", Some("<mycrate::Example>::foo"));
        check(
            "_RNvXs_Cs4Cv8Wi1oAIB_7mycrateNtB4_7ExampleNtB4_5Trait3foo",
            Some("<mycrate::Example as mycrate::Trait>::foo"),
        );
        check("_RNCNvCs123_4core4main0Cs5_3std", Some("core::main::{closure#0}"));
        check("_RNCNvC4core4mains_0", Some("core::main::{closure#1}"));
        check("_RNSNvC3std4call6vtable", Some("std::call::{shim:vtable#0}"));
        check("_RINvNtC3std3mem8align_ofNtNtC3std3mem12DiscriminantE", Some("std::mem::align_of"));
        check("_RINvC4core4funcKj1f_KVNtB2_1SS1ab1_EE", Some("core::func"));
        check("_RNvMC1aARShj4_1f", Some("<[&[u8]; _]>::f"));
        check("_RNvYTlRlENtC3std4Into4into", Some("<(i32, &i32) as std::Into>::into"));
        check("_RNvYDNtC3std3AnyNtB5_4SendEL_NtB5_1T1f", Some("<dyn std::Any + std::Send as std::T>::f"));
        check("_RNvYFUKCPhQaEuNtC3std1T1f", Some("<fn(..) as std::T>::f"));
        check("_RNvNCNKNvC3std4KEYS0s_04init", Some("std::KEYS::{K#0}::{closure#1}::init"));
        check("_RNvNtNtNtC4corea1_1b1c", None);
    }

    #[test]
    fn legacy_symbols_become_paths() {
        check("_ZN3std2io5stdio6_print17h0123456789abcdefE", Some("std::io::stdio::_print"));
        check(
            "_ZN63_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..clone..Clone$GT$5clone17h0123456789abcdefE",
            Some("<alloc::vec::Vec<T> as core::clone::Clone>::clone"),
        );
        check(
            "_ZN4core3ops8function6FnOnce40call_once$u7b$$u7b$vtable.shim$u7d$$u7d$17h0123456789abcdefE",
            Some("core::ops::function::FnOnce::call_once{{vtable.shim}}"),
        );
        check("_ZN3foo3bar17h0123456789abcdefE.llvm.1234", Some("foo::bar"));
    }

    #[test]
    fn plain_cxx_names_lose_their_arguments() {
        check("_Z11leak_directv", Some("leak_direct"));
        check("_ZL6helperi", Some("helper"));
        check("_ZN3app5Cache6insertERKi", Some("app::Cache::insert"));
        check("_ZNK3app5Cache4sizeEv", Some("app::Cache::size"));
        check("_ZN3app5CacheC1Ev", Some("app::Cache::Cache"));
        check("_ZN3app5CacheD0Ev", Some("app::Cache::~Cache"));
        check("_ZNSt6thread4joinEv", Some("std::thread::join"));
        check("_ZSt11make_sharedIN3app4NodeEJEESt10shared_ptrIT_E", Some("std::make_shared"));
        check("_ZN12_GLOBAL__N_16hiddenEv", Some("(anonymous namespace)::hidden"));
    }

    #[test]
    fn templates_of_cxx_lose_their_arguments() {
        check("_ZNSt6vectorIiSaIiEE9push_backEOi", Some("std::vector::push_back"));
        check("_ZN6shapes4PoolINS_4NodeEE4takeEv", Some("shapes::Pool::take"));
        check("_ZN1a4makeIN1b1cEJiRKNS1_1dEEEEvDpT_", Some("a::make"));
        check("_ZN3appplERKNS_1AES2_", Some("app::operator+"));
        check("_ZNK3app1AclEv", Some("app::A::operator()"));
        check("_Znwm", Some("operator new"));
        check("_ZdaPv", Some("operator delete[]"));
        check("_ZZN3app3runEiENKUlvE_clEv", Some("app::run::{lambda}::operator()"));
        check("_ZNSsC1EPKc", Some("std::string::basic_string"));
        check(
            "_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE9_M_createERmm",
            Some("std::__cxx11::basic_string::_M_create"),
        );
        check("_ZN3app1A1fB5cxx11Ev", Some("app::A::f"));
        check("_ZN3app5ArrayIiLm4ELb1EEixEm", Some("app::Array::operator[]"));
        check("_ZN3app4callIFviEEEvPT_", Some("app::call"));
        check("_ZNSt8functionIFvvEED2Ev", Some("std::function::~function"));
        check("_ZN3app4eachIA3_iMNS_1AEiEEvv", Some("app::each"));
    }

    #[test]
    fn what_is_not_understood_is_declined() {
        for symbol in [
            "main",
            "",
            "_",
            "_R",
            "_RNv",
            "_R9C3foo",
            "_RB_",
            "_RNvB_3foo",
            "_RC5abc",
            "_Z",
            "_ZN",
            "_ZNE",
            "_ZN0E",
            "_ZN1aIXadL_Z1bEEE1cEv",
            "_ZTV1a",
            "_ZNSt6vectorIiSaIiE",
            "_ZN99999999999999999999999aE",
            "_RNvC99999999999999999999a",
        ] {
            check(symbol, None);
        }
    }

    #[test]
    fn deep_and_endless_symbols_end() {
        check(&format!("_R{}C1a", "Nv".repeat(5000)), None);
        check(&format!("_RNvM{}uC1a1b", "R".repeat(5000)), None);
        check(&format!("_ZN1aI{}iEE1bEv", "P".repeat(5000)), None);
        check(&format!("_ZN1a{}1bEv", "I1c".repeat(5000)), None);
        check(&format!("_Z{}1av", "Z".repeat(5000)), None);
        // A tuple of pairs, each of which refers to the pair before it twice: 2^40 types to write.
        let symbol = String::from("NvMC1aTTuuE");
        let pair_at = symbol.len() - "TuuE".len();
        let pairs = |count: usize| {
            let (mut symbol, mut pair_at) = (symbol.clone(), pair_at);
            for _ in 0..count {
                let back = format!("B{}_", base_62(pair_at - 1));
                pair_at = symbol.len();
                symbol += &format!("T{back}{back}E");
            }
            format!("_R{symbol}E1f")
        };
        check(&pairs(1), Some("<(((), ()), (((), ()), ((), ())))>::f"));
        check(&pairs(40), None);
    }

    #[test]
    fn the_deepest_symbol_fits_a_small_stack() {
        let symbol = format!("_RNvM{}uC1a1b", "R".repeat(60));
        let thread = std::thread::Builder::new().stack_size(48 << 10);
        let name = thread.spawn(move || demangle(symbol.as_bytes()).map(|name| name.as_bytes().len()));
        assert_eq!(name.unwrap().join().unwrap(), None);
        let symbol = format!("_RNvMC1a{}u1b", "R".repeat(60));
        let thread = std::thread::Builder::new().stack_size(48 << 10);
        let name = thread.spawn(move || demangle(symbol.as_bytes()).map(|name| name.as_bytes().len()));
        assert_eq!(name.unwrap().join().unwrap(), Some("<".len() + 60 + "()>::b".len()));
    }

    fn base_62(number: usize) -> String {
        const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let digit = |number: usize| char::from(DIGITS[number % 62]);
        if number < 62 { digit(number).into() } else { format!("{}{}", digit(number / 62), digit(number)) }
    }

    #[test]
    fn long_names_are_cut() {
        let symbol = format!("_RNvC3foo{}_{}", 900, "x".repeat(900));
        assert_eq!(demangle(symbol.as_bytes()).unwrap().as_bytes().len(), NAME_BYTES_MAX);
    }

    #[test]
    fn any_bytes_are_demangled_without_a_panic() {
        let mut seed = 5_u64;
        for round in 0..60_000 {
            let mut bytes = [0; 28];
            for byte in &mut bytes {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = b"NvCMXYIEBRQTFDASGLKVUsu_0123ahpe$.Zn"[(seed >> 33) as usize % 36];
            }
            let start: &[u8] = if round % 2 == 0 { b"_R" } else { b"_ZN" };
            bytes[..start.len()].copy_from_slice(start);
            demangle(&bytes);
        }
    }
}
