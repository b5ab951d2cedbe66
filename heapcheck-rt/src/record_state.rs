#![expect(unsafe_code, reason = "keeps the record's state under a lock")]
//! What is known of the record file of this process.
//!
//! # Safety
//! The state is only touched by who holds the record's lock.

use crate::arena::Buf;
use crate::record::{Moment, Paused};
use crate::sink::{Sink, SinkError};
use crate::sys;
use core::cell::UnsafeCell;

/// Bytes of the longest path of a record.
pub(crate) const PATH_MAX: usize = 1024;

/// A file descriptor as a sink.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FdSink(pub(crate) i32);

impl Sink for FdSink {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        sys::write_all(self.0, bytes).map_err(|errno| SinkError::Io(errno.0))
    }
}

/// What is known of this process's record.
#[derive(Debug)]
pub(crate) struct RecordState {
    pub(crate) fd: i32,
    /// Device and inode: descriptors can be closed and numbers used again behind our back.
    pub(crate) identity: (u64, u64),
    pub(crate) paused: Option<Paused>,
    pub(crate) path: [u8; PATH_MAX],
    pub(crate) path_len: usize,
    pub(crate) checks: u32,
    /// Which modules were written last, and the number of the first.
    pub(crate) modules: Option<u64>,
    pub(crate) first_module: u32,
    /// The number of the module that is written next.
    pub(crate) next_module: u32,
    /// Scopes that were written.
    pub(crate) scopes: u32,
    /// One byte a trace: written or not.
    pub(crate) traces: Option<Buf<u8>>,
    /// Something leaked or was freed wrongly.
    pub(crate) found: bool,
    /// Some of that was told to nobody who had asked.
    pub(crate) unasked: bool,
    pub(crate) checked: Moment,
    pub(crate) ended: bool,
}

/// The state, and the promise that it is locked when used.
#[derive(Debug)]
pub(crate) struct RecordCell(pub(crate) UnsafeCell<RecordState>);

// SAFETY: see the head of this file.
unsafe impl Sync for RecordCell {}

impl RecordCell {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(RecordState {
            fd: -1,
            identity: (0, 0),
            paused: None,
            path: [0; PATH_MAX],
            path_len: 0,
            checks: 0,
            modules: None,
            first_module: 0,
            next_module: 0,
            scopes: 0,
            traces: None,
            found: false,
            unasked: false,
            checked: Moment::Never,
            ended: false,
        }))
    }
}
