#![forbid(unsafe_code)]
//! Finds the entry of a program counter: `.eh_frame_hdr` is searched, `.eh_frame` holds what is found.

use super::cursor::{CfiError, Cursor, OMIT};

/// Bytes, and the address they are loaded at.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// The address of the first byte.
    pub address: u64,
    /// The content.
    pub bytes: &'a [u8],
}

/// The two sections of a module.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    /// `.eh_frame_hdr`; empty when there is none.
    pub header: Section<'a>,
    /// `.eh_frame`.
    pub frames: Section<'a>,
}

/// What the entries of several functions have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cie<'a> {
    pub(super) code_align: u64,
    pub(super) data_align: i64,
    pub(super) return_column: u64,
    encoding: u8,
    has_augmentation: bool,
    pub(super) is_signal: bool,
    pub(super) program: Cursor<'a>,
}

impl Cie<'_> {
    /// How pointers to code are written.
    pub(super) fn encoding(&self) -> u8 {
        self.encoding
    }
}

/// The entry of a piece of code.
#[derive(Clone, Copy, Debug)]
pub struct Fde<'a> {
    /// The first address it covers.
    pub start: u64,
    /// How many bytes it covers.
    pub len: u64,
    pub(super) cie: Cie<'a>,
    pub(super) program: Cursor<'a>,
}

impl<'a> Fde<'a> {
    /// Whether it covers `pc`.
    pub fn covers(&self, pc: u64) -> bool {
        pc.wrapping_sub(self.start) < self.len
    }
}

impl<'a> Tables<'a> {
    /// Where `.eh_frame` is, as the header says.
    pub fn frames_address(header: Section<'a>) -> Option<u64> {
        let mut cursor = Cursor::new(header.bytes, header.address);
        let (version, encoding) = (cursor.u8().ok()?, cursor.u8().ok()?);
        if version != 1 || encoding == OMIT {
            return None;
        }
        cursor.take(2).ok()?;
        cursor.pointer(encoding, header.address).ok()
    }

    /// The entry that covers `pc`.
    pub fn entry_of(&self, pc: u64) -> Result<Fde<'a>, CfiError> {
        let entry = match self.search(pc) {
            Ok(offset) => self.entry_at(offset)?.1,
            Err(CfiError::Unknown) => {
                let mut found = None;
                self.each(|entry| {
                    if entry.covers(pc) {
                        found = Some(entry);
                    }
                    found.is_some()
                })?;
                found
            }
            Err(error) => return Err(error),
        };
        entry.filter(|entry| entry.covers(pc)).ok_or(CfiError::NotFound)
    }

    /// Calls `visit` with every entry until it returns true or the table ends.
    pub fn each(&self, mut visit: impl FnMut(Fde<'a>) -> bool) -> Result<(), CfiError> {
        let mut offset = 0;
        loop {
            let (next, entry) = self.entry_at(offset)?;
            if entry.is_some_and(&mut visit) || next <= offset {
                return Ok(());
            }
            offset = next;
            if offset >= self.frames.bytes.len() {
                return Ok(());
            }
        }
    }

    /// The offset in `.eh_frame` of the entry that may cover `pc`. `Unknown` when there is no table to search.
    fn search(&self, pc: u64) -> Result<usize, CfiError> {
        let mut cursor = Cursor::new(self.header.bytes, self.header.address);
        let version = cursor.u8().map_err(|_| CfiError::Unknown)?;
        let (frames, count, table) = (cursor.u8()?, cursor.u8()?, cursor.u8()?);
        if version != 1 || frames == OMIT || count == OMIT || table != 0x3b {
            return Err(CfiError::Unknown);
        }
        cursor.pointer(frames, self.header.address)?;
        let count = cursor.value(count)? as usize;
        let table = cursor.offset();
        // Pairs of numbers that count from the header; every step of the search reads one where no other has read before.
        let pairs =
            self.header.bytes.get(table..).ok_or(CfiError::Truncated)?.as_chunks::<4>().0.as_chunks::<2>().0;
        let address = |offset: [u8; 4]| self.header.address.wrapping_add(i32::from_le_bytes(offset) as u64);
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            let [start, _] = *pairs.get(middle).ok_or(CfiError::Truncated)?;
            if address(start) <= pc { low = middle + 1 } else { high = middle }
        }
        let [_, place] =
            *pairs.get(low.checked_sub(1).ok_or(CfiError::NotFound)?).ok_or(CfiError::Truncated)?;
        let place = address(place);
        usize::try_from(place.wrapping_sub(self.frames.address)).map_err(|_| CfiError::Truncated)
    }

    /// Reads the entry at an offset: where the next one is, and this one unless it is a CIE or the end.
    fn entry_at(&self, offset: usize) -> Result<(usize, Option<Fde<'a>>), CfiError> {
        let mut cursor = Cursor::new(self.frames.bytes, self.frames.address).at(offset);
        if cursor.is_empty() {
            return Ok((offset, None));
        }
        let Some(mut body) = self.body(&mut cursor)? else { return Ok((offset, None)) };
        let next = cursor.offset();
        // The pointer to the CIE counts back from itself. It has four bytes here whatever the length has (LSB).
        let place = body.address().wrapping_sub(self.frames.address) as usize;
        let back = body.u32()? as usize;
        if back == 0 {
            return Ok((next, None));
        }
        let cie = self.cie_at(place.checked_sub(back).ok_or(CfiError::Truncated)?)?;
        let start = body.pointer(cie.encoding, 0)?;
        let len = body.value(cie.encoding)?;
        if cie.has_augmentation {
            let bytes = body.uleb()? as usize;
            body.take(bytes)?;
        }
        Ok((next, Some(Fde { start, len, cie, program: body })))
    }

    /// Splits off the body of the entry under the cursor; `None` at the end mark.
    fn body(&self, cursor: &mut Cursor<'a>) -> Result<Option<Cursor<'a>>, CfiError> {
        let len = match cursor.u32()? {
            0 => return Ok(None),
            u32::MAX => usize::try_from(cursor.u64()?).map_err(|_| CfiError::Truncated)?,
            len => len as usize,
        };
        cursor.part(len).map(Some)
    }

    fn cie_at(&self, offset: usize) -> Result<Cie<'a>, CfiError> {
        let mut cursor = Cursor::new(self.frames.bytes, self.frames.address).at(offset);
        let Some(mut body) = self.body(&mut cursor)? else { return Err(CfiError::Truncated) };
        let (id, version) = (body.u32()?, body.u8()?);
        if id != 0 || !matches!(version, 1 | 3 | 4) {
            return Err(CfiError::Unknown);
        }
        let augmentation = body.string()?;
        // Sizes of an address and of a segment selector.
        if version == 4 && body.take(2)? != [8, 0] {
            return Err(CfiError::Unknown);
        }
        let (code_align, data_align) = (body.uleb()?, body.sleb()?);
        let return_column = if version == 1 { u64::from(body.u8()?) } else { body.uleb()? };
        let mut cie = Cie {
            code_align,
            data_align,
            return_column,
            encoding: 0,
            has_augmentation: false,
            is_signal: false,
            program: body,
        };
        if augmentation.first() == Some(&b'z') {
            cie.has_augmentation = true;
            let bytes = body.uleb()? as usize;
            let mut data = body.part(bytes)?;
            for letter in &augmentation[1..] {
                match letter {
                    b'R' => cie.encoding = data.u8()?,
                    b'L' => {
                        data.u8()?;
                    }
                    b'P' => {
                        let encoding = data.u8()?;
                        data.value(encoding)?;
                    }
                    b'S' => cie.is_signal = true,
                    // B: pointer authentication of AArch64. G: tagged memory. Neither changes where things are.
                    b'B' | b'G' => {}
                    // The size of the data is known, so what follows an unknown letter can still be passed over.
                    _ => break,
                }
            }
        } else if !augmentation.is_empty() {
            return Err(CfiError::Unknown);
        }
        cie.program = body;
        Ok(cie)
    }
}
