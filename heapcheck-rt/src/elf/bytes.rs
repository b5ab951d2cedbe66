#![forbid(unsafe_code)]
//! Little-endian words at an offset that may lie outside the slice.

/// The `len` bytes at `at`, or `None` when the slice does not hold all of them.
pub(super) fn slice(bytes: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    let begin = usize::try_from(at).ok()?;
    let end = begin.checked_add(usize::try_from(len).ok()?)?;
    bytes.get(begin..end)
}

/// The bytes from `at` on, at most `len` of them: a table whose end is cut off keeps its begin.
pub(super) fn clamped(bytes: &[u8], at: u64, len: u64) -> &[u8] {
    let begin = usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len()));
    let rest = bytes.get(begin..).unwrap_or(&[]);
    rest.get(..usize::try_from(len).map_or(rest.len(), |len| len.min(rest.len()))).unwrap_or(rest)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// The bytes at `at` up to the next zero byte, without it. A string that has no end is none.
pub(super) fn c_str(bytes: &[u8], at: u32) -> Option<&[u8]> {
    // It looks at a word at a time.
    Some(core::ffi::CStr::from_bytes_until_nul(bytes.get(at as usize..)?).ok()?.to_bytes())
}

/// Whether the string at `at` is `wanted`. To see that, most strings need not be read to their end.
pub(super) fn is_c_str(bytes: &[u8], at: u32, wanted: &[u8]) -> bool {
    let rest = bytes.get(at as usize..).and_then(|rest| rest.strip_prefix(wanted));
    rest.is_some_and(|rest| rest.first() == Some(&0))
}
