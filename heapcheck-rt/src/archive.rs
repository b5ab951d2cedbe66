#![forbid(unsafe_code)]
//! Takes the runtime's object out of the archive that rustc makes of it.
//!
//! What is linked into a program is compiled as a `staticlib` with LTO, so that the object has all in itself that it needs
//! of core: in a program that was linked with LTO nothing else of core is left to find. The archive's other members are
//! the compiler's own library, which every program has.

/// The member of an archive (ar(5)) that has this name among its symbols, if that is an object.
pub fn object_with<'a>(archive: &'a [u8], symbol: &str) -> Option<&'a [u8]> {
    const HEADER: usize = 60;
    let mut rest = archive.strip_prefix(b"!<arch>\n")?;
    while let Some(header) = rest.get(..HEADER) {
        let len: usize = core::str::from_utf8(&header[48..58]).ok()?.trim().parse().ok()?;
        let member = rest.get(HEADER..HEADER.checked_add(len)?)?;
        if member.starts_with(b"\x7fELF")
            && member.windows(symbol.len()).any(|part| part == symbol.as_bytes())
        {
            return Some(member);
        }
        rest = rest.get(HEADER + len.next_multiple_of(2)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::object_with;

    fn archive(members: &[&[u8]]) -> Vec<u8> {
        let mut bytes = b"!<arch>\n".to_vec();
        for member in members {
            bytes.extend(format!("{:<48}{:<10}`\n", "name/", member.len()).bytes());
            bytes.extend(*member);
            bytes.extend(vec![b'\n'; member.len() % 2]);
        }
        bytes
    }

    #[test]
    fn the_object_that_has_the_symbol_is_found() {
        let bytes = archive(&[b"a list: malloc", b"\x7fELF other", b"\x7fELF malloc", b"\x7fELF malloc too"]);
        assert_eq!(object_with(&bytes, "malloc"), Some(&b"\x7fELF malloc"[..]));
        assert_eq!(object_with(&bytes, "free"), None);
    }

    #[test]
    fn what_is_cut_off_or_no_archive_has_no_object() {
        let bytes = archive(&[b"\x7fELF other", b"\x7fELF malloc"]);
        for end in 0..bytes.len() - 1 {
            assert_eq!(object_with(&bytes[..end], "malloc"), None, "{end}");
        }
        assert_eq!(object_with(b"\x7fELF malloc", "malloc"), None);
    }
}
