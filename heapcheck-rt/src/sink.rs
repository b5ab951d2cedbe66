#![forbid(unsafe_code)]
//! Where bytes go: the one trait through which the record and the text of the runtime leave it.
//!
//! The runtime implements [`Sink`] over `write(2)` on its own descriptor, tests over a `Vec`. [`Fixed`] is a sink in
//! place, for a line whose length is bounded. Nothing here buffers: that is the writers' business, because only they
//! know where a record item or a line ends.

/// Takes bytes in order.
pub trait Sink {
    /// Takes all of `bytes`, or tells why it can't. After an error the sink is not written to again.
    fn write(&mut self, bytes: &[u8]) -> Result<(), SinkError>;
}

/// Why a sink took no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkError {
    /// It has a fixed size, and that is used up.
    Full,
    /// The system call failed with this `errno`.
    Io(i32),
}

/// A sink of `N` bytes in place. What is too long is cut, and [`Fixed::is_cut`] says so.
#[derive(Clone, Copy, Debug)]
pub struct Fixed<const N: usize> {
    bytes: [u8; N],
    len: usize,
    is_cut: bool,
}

impl<const N: usize> Fixed<N> {
    /// An empty one.
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0, is_cut: false }
    }

    /// What was written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Whether something did not fit.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Forgets what was written.
    pub fn clear(&mut self) {
        self.len = 0;
        self.is_cut = false;
    }
}

impl<const N: usize> Default for Fixed<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Sink for Fixed<N> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        let taken = bytes.len().min(N - self.len);
        self.bytes[self.len..self.len + taken].copy_from_slice(&bytes[..taken]);
        self.len += taken;
        if taken < bytes.len() {
            self.is_cut = true;
            return Err(SinkError::Full);
        }
        Ok(())
    }
}

#[cfg(not(heapcheck_injected))]
impl Sink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_and_told() {
        let mut fixed = Fixed::<4>::new();
        assert_eq!(fixed.write(b"abc"), Ok(()));
        assert_eq!(fixed.write(b"def"), Err(SinkError::Full));
        assert_eq!((fixed.as_bytes(), fixed.is_cut()), (&b"abcd"[..], true));
        fixed.clear();
        assert_eq!((fixed.as_bytes(), fixed.is_cut()), (&b""[..], false));
    }
}
