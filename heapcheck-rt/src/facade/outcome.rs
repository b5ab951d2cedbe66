#![forbid(unsafe_code)]
//! Whether what a test returned is a failure by itself: then heapcheck only adds its report.
//!
//! The attribute sees words, not types. So the question is put to the value by a call that finds the more special of
//! two methods (one takes the probe by value, the other a reference to it).

/// Holds what a test returned.
#[derive(Debug)]
pub struct Probe<'a, R>(pub &'a R);

/// Answers for results.
pub trait ViaResult {
    /// Whether the test failed.
    fn fails(self) -> bool;
}

impl<T, E> ViaResult for Probe<'_, Result<T, E>> {
    fn fails(self) -> bool {
        self.0.is_err()
    }
}

/// Answers for everything else.
pub trait ViaAny {
    /// Whether the test failed.
    fn fails(&self) -> bool;
}

impl<R> ViaAny for Probe<'_, R> {
    fn fails(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{Probe, ViaAny as _, ViaResult as _};

    #[test]
    fn an_error_is_a_failure_and_nothing_else_is() {
        assert!(Probe(&Err::<(), u8>(1)).fails());
        assert!(!Probe(&Ok::<u8, u8>(1)).fails());
        assert!(!Probe(&()).fails());
        assert!(!Probe(&std::process::ExitCode::FAILURE).fails());
    }
}
