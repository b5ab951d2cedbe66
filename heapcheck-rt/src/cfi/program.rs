#![forbid(unsafe_code)]
//! Executes the program of an entry up to a program counter.

use super::cursor::{CfiError, Cursor};
use super::register::RA;
use super::tables::{Cie, Fde, Tables};

/// The registers whose places are kept: those that a callee saves, and the return address. A walk needs no other.
pub const KEPT: [u16; 8] = [3, 6, 7, 12, 13, 14, 15, RA];

/// Rows remembered at once. Compilers remember one.
const REMEMBERED_MAX: usize = 4;

/// Where the canonical frame address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cfa<'a> {
    /// At a distance from a register.
    Register(u16, i64),
    /// What an expression says.
    Expression(&'a [u8]),
}

/// Where a register of the caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// Nothing was said: the convention is that it is unchanged.
    Unsaid,
    /// Lost. For the return address: there is no caller.
    Undefined,
    /// Unchanged.
    Same,
    /// Saved at the CFA plus this.
    AtCfa(i64),
    /// The CFA plus this.
    CfaPlus(i64),
    /// In another register.
    Register(u16),
    /// Saved where an expression says.
    At(&'a [u8]),
    /// What an expression says.
    Is(&'a [u8]),
}

/// What holds at a program counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// The canonical frame address.
    pub cfa: Cfa<'a>,
    /// The places of [`KEPT`].
    pub places: [Place<'a>; KEPT.len()],
    /// Whether this is the frame of a signal handler's return: the caller was interrupted, it did not call.
    pub is_signal: bool,
}

impl<'a> Row<'a> {
    /// Where `register` of the caller is.
    pub fn place(&self, register: u16) -> Place<'a> {
        kept(u64::from(register)).map_or(Place::Unsaid, |index| self.places[index])
    }
}

fn kept(register: u64) -> Option<usize> {
    KEPT.iter().position(|kept| u64::from(*kept) == register)
}

/// The machine that programs run on.
struct Machine<'a> {
    row: Row<'a>,
    /// What the CIE's program made, for the restore operations.
    initial: Row<'a>,
    remembered: [Row<'a>; REMEMBERED_MAX],
    depth: usize,
    location: u64,
    /// The program counter at which to stop.
    pc: u64,
}

impl<'a> Fde<'a> {
    /// The row that holds at `pc`.
    pub fn row_at(&self, pc: u64) -> Result<Row<'a>, CfiError> {
        run(self, pc)
    }
}

impl<'a> Tables<'a> {
    /// The row that holds at `pc`: an address inside the function, for a return address one less than it.
    pub fn row_at(&self, pc: u64) -> Result<Row<'a>, CfiError> {
        self.entry_of(pc)?.row_at(pc)
    }
}

/// The row that holds at `pc`, which `fde` covers.
fn run<'a>(fde: &Fde<'a>, pc: u64) -> Result<Row<'a>, CfiError> {
    if fde.cie.return_column != u64::from(RA) {
        return Err(CfiError::Unknown);
    }
    let row =
        Row { cfa: Cfa::Register(0, 0), places: [Place::Unsaid; KEPT.len()], is_signal: fde.cie.is_signal };
    let mut machine = Machine {
        row,
        initial: row,
        remembered: [row; REMEMBERED_MAX],
        depth: 0,
        location: fde.start,
        pc: u64::MAX,
    };
    machine.execute(fde.cie.program, &fde.cie)?;
    // What entries have in common moves nowhere.
    if machine.location != fde.start || machine.depth != 0 {
        return Err(CfiError::Unknown);
    }
    (machine.initial, machine.pc) = (machine.row, pc);
    machine.execute(fde.program, &fde.cie)?;
    Ok(machine.row)
}

impl<'a> Machine<'a> {
    fn execute(&mut self, mut program: Cursor<'a>, cie: &Cie<'a>) -> Result<(), CfiError> {
        while !program.is_empty() {
            let operation = program.u8()?;
            let low = u64::from(operation & 0x3f);
            let goes_on = match operation & 0xc0 {
                0x40 => self.advance(low, cie),
                0x80 => {
                    let offset = factored(program.uleb()? as i64, cie);
                    self.set(low, Place::AtCfa(offset))
                }
                0xc0 => self.restore(low),
                _ => self.extended(operation, &mut program, cie)?,
            };
            if !goes_on {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Moves on; false when the row so far is the one that holds.
    fn advance(&mut self, delta: u64, cie: &Cie<'a>) -> bool {
        self.go_to(self.location.wrapping_add(delta.wrapping_mul(cie.code_align)))
    }

    fn go_to(&mut self, location: u64) -> bool {
        if location > self.pc {
            return false;
        }
        self.location = location;
        true
    }

    fn set(&mut self, register: u64, place: Place<'a>) -> bool {
        if let Some(index) = kept(register) {
            self.row.places[index] = place;
        }
        true
    }

    fn restore(&mut self, register: u64) -> bool {
        if let Some(index) = kept(register) {
            self.row.places[index] = self.initial.places[index];
        }
        true
    }

    fn set_cfa(&mut self, register: u64, offset: i64) -> bool {
        self.row.cfa = Cfa::Register(u16::try_from(register).unwrap_or(u16::MAX), offset);
        true
    }

    fn extended(&mut self, operation: u8, program: &mut Cursor<'a>, cie: &Cie<'a>) -> Result<bool, CfiError> {
        Ok(match operation {
            0x00 => true,
            0x01 => {
                let location = program.pointer(cie.encoding(), 0)?;
                self.go_to(location)
            }
            0x02 => {
                let delta = program.u8()?;
                self.advance(u64::from(delta), cie)
            }
            0x03 => {
                let delta = program.u16()?;
                self.advance(u64::from(delta), cie)
            }
            0x04 => {
                let delta = program.u32()?;
                self.advance(u64::from(delta), cie)
            }
            0x05 => {
                let (register, offset) = (program.uleb()?, program.uleb()?);
                self.set(register, Place::AtCfa(factored(offset as i64, cie)))
            }
            0x06 => {
                let register = program.uleb()?;
                self.restore(register)
            }
            0x07 => {
                let register = program.uleb()?;
                self.set(register, Place::Undefined)
            }
            0x08 => {
                let register = program.uleb()?;
                self.set(register, Place::Same)
            }
            0x09 => {
                let (register, other) = (program.uleb()?, program.uleb()?);
                self.set(register, Place::Register(u16::try_from(other).unwrap_or(u16::MAX)))
            }
            0x0a => self.remember()?,
            0x0b => self.recall()?,
            0x0c => {
                let (register, offset) = (program.uleb()?, program.uleb()?);
                self.set_cfa(register, offset as i64)
            }
            0x0d => {
                let register = program.uleb()?;
                let Cfa::Register(_, offset) = self.row.cfa else { return Err(CfiError::Unknown) };
                self.set_cfa(register, offset)
            }
            0x0e | 0x13 => {
                let offset =
                    if operation == 0x0e { program.uleb()? as i64 } else { factored(program.sleb()?, cie) };
                let Cfa::Register(register, _) = self.row.cfa else { return Err(CfiError::Unknown) };
                self.set_cfa(u64::from(register), offset)
            }
            0x0f => {
                self.row.cfa = Cfa::Expression(block(program)?);
                true
            }
            0x10 => {
                let register = program.uleb()?;
                self.set(register, Place::At(block(program)?))
            }
            0x11 => {
                let (register, offset) = (program.uleb()?, program.sleb()?);
                self.set(register, Place::AtCfa(factored(offset, cie)))
            }
            0x12 => {
                let (register, offset) = (program.uleb()?, program.sleb()?);
                self.set_cfa(register, factored(offset, cie))
            }
            0x14 => {
                let (register, offset) = (program.uleb()?, program.uleb()?);
                self.set(register, Place::CfaPlus(factored(offset as i64, cie)))
            }
            0x15 => {
                let (register, offset) = (program.uleb()?, program.sleb()?);
                self.set(register, Place::CfaPlus(factored(offset, cie)))
            }
            0x16 => {
                let register = program.uleb()?;
                self.set(register, Place::Is(block(program)?))
            }
            // The size of arguments on the stack, which only unwinding by exceptions needs.
            0x2e => {
                program.uleb()?;
                true
            }
            // An obsolete way to say a negative offset.
            0x2f => {
                let (register, offset) = (program.uleb()?, program.uleb()?);
                self.set(register, Place::AtCfa(factored((offset as i64).wrapping_neg(), cie)))
            }
            _ => return Err(CfiError::Unknown),
        })
    }

    fn remember(&mut self) -> Result<bool, CfiError> {
        *self.remembered.get_mut(self.depth).ok_or(CfiError::TooDeep)? = self.row;
        self.depth += 1;
        Ok(true)
    }

    fn recall(&mut self) -> Result<bool, CfiError> {
        self.depth = self.depth.checked_sub(1).ok_or(CfiError::Unknown)?;
        self.row = self.remembered[self.depth];
        Ok(true)
    }
}

fn factored(offset: i64, cie: &Cie<'_>) -> i64 {
    offset.wrapping_mul(cie.data_align)
}

fn block<'a>(program: &mut Cursor<'a>) -> Result<&'a [u8], CfiError> {
    let len = usize::try_from(program.uleb()?).map_err(|_| CfiError::Truncated)?;
    program.take(len)
}
