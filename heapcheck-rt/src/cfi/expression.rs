#![forbid(unsafe_code)]
//! Evaluates the expressions of call-frame information (DWARF 5 section 2.5), as far as they occur there.

use super::cursor::Cursor;

/// Values on the stack at once, and operations: far more than any table has.
const STACK: usize = 16;
const STEPS: usize = 256;

/// The value of `expression`. `start` is pushed first (the CFA, for the places of registers). `register` gives the
/// value of a register of the frame, `read` a word of memory; `None` from either ends the evaluation.
pub fn evaluate(
    expression: &[u8],
    start: Option<u64>,
    register: impl Fn(u16) -> Option<u64>,
    mut read: impl FnMut(u64) -> Option<u64>,
) -> Option<u64> {
    let mut machine = Machine { stack: [0; STACK], depth: 0, code: expression, at: 0 };
    if let Some(value) = start {
        machine.push(value)?;
    }
    for _ in 0..STEPS {
        let Some(operation) = machine.next() else { return machine.pop() };
        match operation {
            0x06 => {
                let address = machine.pop()?;
                machine.push(read(address)?)?;
            }
            0x70..=0x8f => {
                let offset = machine.sleb()?;
                machine.push(register(u16::from(operation - 0x70))?.wrapping_add(offset as u64))?;
            }
            0x92 => {
                let number = machine.uleb()?;
                let offset = machine.sleb()?;
                machine.push(register(u16::try_from(number).ok()?)?.wrapping_add(offset as u64))?;
            }
            _ => machine.plain(operation)?,
        }
    }
    None
}

struct Machine<'a> {
    stack: [u64; STACK],
    depth: usize,
    code: &'a [u8],
    at: usize,
}

impl Machine<'_> {
    fn push(&mut self, value: u64) -> Option<()> {
        *self.stack.get_mut(self.depth)? = value;
        self.depth += 1;
        Some(())
    }

    fn pop(&mut self) -> Option<u64> {
        self.depth = self.depth.checked_sub(1)?;
        Some(self.stack[self.depth])
    }

    fn pick(&mut self, back: usize) -> Option<()> {
        let index = self.depth.checked_sub(back + 1)?;
        self.push(self.stack[index])
    }

    fn next(&mut self) -> Option<u8> {
        let byte = *self.code.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn number(&mut self, bytes: usize) -> Option<u64> {
        let mut value = 0;
        for index in 0..bytes {
            value |= u64::from(self.next()?) << (8 * index);
        }
        Some(value)
    }

    fn signed(&mut self, bytes: usize) -> Option<u64> {
        let shift = 64 - 8 * bytes as u32;
        Some(((self.number(bytes)? << shift) as i64 >> shift) as u64)
    }

    fn uleb(&mut self) -> Option<u64> {
        let mut cursor = Cursor::new(self.code, 0).at(self.at);
        let value = cursor.uleb().ok()?;
        self.at = cursor.offset();
        Some(value)
    }

    fn sleb(&mut self) -> Option<i64> {
        let mut cursor = Cursor::new(self.code, 0).at(self.at);
        let value = cursor.sleb().ok()?;
        self.at = cursor.offset();
        Some(value)
    }

    fn binary(&mut self, compute: impl FnOnce(u64, u64) -> Option<u64>) -> Option<()> {
        let (right, left) = (self.pop()?, self.pop()?);
        self.push(compute(left, right)?)
    }

    /// The operations that need neither registers nor memory.
    fn plain(&mut self, operation: u8) -> Option<()> {
        let order = |holds: bool| Some(u64::from(holds));
        match operation {
            0x03 => {
                let value = self.number(8)?;
                self.push(value)
            }
            0x08 => {
                let value = self.number(1)?;
                self.push(value)
            }
            0x09 => {
                let value = self.signed(1)?;
                self.push(value)
            }
            0x0a => {
                let value = self.number(2)?;
                self.push(value)
            }
            0x0b => {
                let value = self.signed(2)?;
                self.push(value)
            }
            0x0c => {
                let value = self.number(4)?;
                self.push(value)
            }
            0x0d => {
                let value = self.signed(4)?;
                self.push(value)
            }
            0x0e | 0x0f => {
                let value = self.number(8)?;
                self.push(value)
            }
            0x10 => {
                let value = self.uleb()?;
                self.push(value)
            }
            0x11 => {
                let value = self.sleb()?;
                self.push(value as u64)
            }
            0x12 => self.pick(0),
            0x13 => self.pop().map(drop),
            0x14 => self.pick(1),
            0x15 => {
                let back = self.next()?;
                self.pick(usize::from(back))
            }
            0x16 => {
                let (top, below) = (self.pop()?, self.pop()?);
                self.push(top)?;
                self.push(below)
            }
            0x17 => {
                let (top, second, third) = (self.pop()?, self.pop()?, self.pop()?);
                self.push(top)?;
                self.push(third)?;
                self.push(second)
            }
            0x19 => {
                let value = self.pop()?;
                self.push((value as i64).wrapping_abs() as u64)
            }
            0x1a => self.binary(|left, right| Some(left & right)),
            0x1b => self
                .binary(|left, right| (right != 0).then(|| (left as i64).wrapping_div(right as i64) as u64)),
            0x1c => self.binary(|left, right| Some(left.wrapping_sub(right))),
            0x1d => self.binary(|left, right| left.checked_rem(right)),
            0x1e => self.binary(|left, right| Some(left.wrapping_mul(right))),
            0x1f => {
                let value = self.pop()?;
                self.push(value.wrapping_neg())
            }
            0x20 => {
                let value = self.pop()?;
                self.push(!value)
            }
            0x21 => self.binary(|left, right| Some(left | right)),
            0x22 => self.binary(|left, right| Some(left.wrapping_add(right))),
            0x23 => {
                let (value, add) = (self.pop()?, self.uleb()?);
                self.push(value.wrapping_add(add))
            }
            0x24 => self.binary(|left, right| Some(if right < 64 { left << right } else { 0 })),
            0x25 => self.binary(|left, right| Some(if right < 64 { left >> right } else { 0 })),
            0x26 => self.binary(|left, right| Some(((left as i64) >> right.min(63)) as u64)),
            0x27 => self.binary(|left, right| Some(left ^ right)),
            0x28 => {
                let offset = self.signed(2)? as i64;
                if self.pop()? != 0 { self.jump(offset) } else { Some(()) }
            }
            0x29 => self.binary(|left, right| order(left == right)),
            0x2a => self.binary(|left, right| order(left as i64 >= right as i64)),
            0x2b => self.binary(|left, right| order(left as i64 > right as i64)),
            0x2c => self.binary(|left, right| order(left as i64 <= right as i64)),
            0x2d => self.binary(|left, right| order((left as i64) < right as i64)),
            0x2e => self.binary(|left, right| order(left != right)),
            0x2f => {
                let offset = self.signed(2)? as i64;
                self.jump(offset)
            }
            0x30..=0x4f => self.push(u64::from(operation - 0x30)),
            0x96 => Some(()),
            _ => None,
        }
    }

    fn jump(&mut self, offset: i64) -> Option<()> {
        self.at = usize::try_from(i64::try_from(self.at).ok()?.checked_add(offset)?).ok()?;
        (self.at <= self.code.len()).then_some(())
    }
}
