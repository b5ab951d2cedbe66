#![forbid(unsafe_code)]
//! Reads numbers and encoded pointers from a section that is not to be trusted.

/// Why there is no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CfiError {
    /// The table ends in the middle of something.
    Truncated,
    /// No entry covers the program counter.
    NotFound,
    /// A version, encoding or operation that the standards do not name.
    Unknown,
    /// More rows are remembered at once than any compiler does.
    TooDeep,
}

/// A place in a section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The address of the section's first byte.
    address: u64,
}

/// A pointer that is not there (DW_EH_PE_omit).
pub(super) const OMIT: u8 = 0xff;

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], address: u64) -> Self {
        Self { bytes, at: 0, address }
    }

    pub(super) fn at(mut self, offset: usize) -> Self {
        self.at = offset;
        self
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The address of the next byte.
    pub(super) fn address(&self) -> u64 {
        self.address.wrapping_add(self.at as u64)
    }

    /// The next `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], CfiError> {
        let end = self.at.checked_add(len).ok_or(CfiError::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(CfiError::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    /// A cursor over the next `len` bytes alone.
    pub(super) fn part(&mut self, len: usize) -> Result<Cursor<'a>, CfiError> {
        let address = self.address();
        Ok(Cursor::new(self.take(len)?, address))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CfiError> {
        self.take(N)?.try_into().map_err(|_| CfiError::Truncated)
    }

    pub(super) fn u8(&mut self) -> Result<u8, CfiError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, CfiError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, CfiError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, CfiError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number without a sign. What does not fit 64 bits is no number.
    pub(super) fn uleb(&mut self) -> Result<u64, CfiError> {
        let (value, _, _) = self.leb()?;
        Ok(value)
    }

    /// A number with a sign.
    pub(super) fn sleb(&mut self) -> Result<i64, CfiError> {
        let (value, bits, negative) = self.leb()?;
        Ok(if negative && bits < 64 { value as i64 | -1 << bits } else { value as i64 })
    }

    /// The bits of a number of at most ten bytes, how many there are, and the one before the end (DWARF 5 section 7.6).
    fn leb(&mut self) -> Result<(u64, u32, bool), CfiError> {
        let mut value = 0;
        for bits in (0..70).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << bits;
            if byte & 0x80 == 0 {
                return Ok((value, bits + 7, byte & 0x40 != 0));
            }
        }
        Err(CfiError::Unknown)
    }

    /// Bytes up to a zero, which is passed over.
    pub(super) fn string(&mut self) -> Result<&'a [u8], CfiError> {
        let rest = self.bytes.get(self.at..).ok_or(CfiError::Truncated)?;
        let len = rest.iter().position(|byte| *byte == 0).ok_or(CfiError::Truncated)?;
        self.at += len + 1;
        Ok(&rest[..len])
    }

    /// A pointer in one of the encodings of exception frames; `data` is what "relative to data" means here.
    pub(super) fn pointer(&mut self, encoding: u8, data: u64) -> Result<u64, CfiError> {
        let here = self.address();
        let value = self.value(encoding)?;
        let base = match encoding & 0x70 {
            0x00 => 0,
            0x10 => here,
            0x30 => data,
            _ => return Err(CfiError::Unknown),
        };
        // Only personality routines are pointed at indirectly (0x80), and nobody here calls them.
        if encoding & 0x80 != 0 {
            return Err(CfiError::Unknown);
        }
        Ok(value.wrapping_add(base))
    }

    /// The number in a pointer of this encoding, without what it is relative to.
    pub(super) fn value(&mut self, encoding: u8) -> Result<u64, CfiError> {
        Ok(match encoding & 0x0f {
            0x00 | 0x04 | 0x0c => self.u64()?,
            0x01 => self.uleb()?,
            0x02 => u64::from(self.u16()?),
            0x03 => u64::from(self.u32()?),
            0x09 => self.sleb()? as u64,
            0x0a => self.u16()? as i16 as u64,
            0x0b => self.u32()? as i32 as u64,
            _ => return Err(CfiError::Unknown),
        })
    }
}
