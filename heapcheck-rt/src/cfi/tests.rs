#![forbid(unsafe_code)]
//! Tables made by hand, for what real libraries do not show.

use super::register::{RA, RBP, RSP};
use super::{Cfa, CfiError, Place, Row, Section, Tables, evaluate};
use crate::rule::{Kind, Rule};

/// Where the frames lie, and where the code that they describe does.
const FRAMES: u64 = 0x1_0000;
const CODE: u64 = 0x4_0000;

/// What a common entry says before its program.
struct Common {
    version: u8,
    augmentation: &'static [u8],
    code_align: u8,
    return_column: u8,
    wide: bool,
}

const PLAIN: Common =
    Common { version: 1, augmentation: b"zR\0\x01\x00", code_align: 1, return_column: 16, wide: false };

/// `def_cfa rsp 8; offset ra -8`: what every compiler begins with.
const BEGIN: &[u8] = &[0x0c, 7, 8, 0x90, 1];

fn entry(wide: bool, id: u32, body: &[u8]) -> Vec<u8> {
    let len = body.len() + 4;
    let mut bytes = Vec::new();
    if wide {
        bytes.extend(u32::MAX.to_le_bytes());
        bytes.extend((len as u64).to_le_bytes());
    } else {
        bytes.extend((len as u32).to_le_bytes());
    }
    bytes.extend(id.to_le_bytes());
    bytes.extend(body);
    bytes
}

/// A common entry with `initial` and one entry of 0x100 bytes of code with `program`, and the end mark.
fn frames(common: &Common, initial: &[u8], program: &[u8]) -> Vec<u8> {
    let mut body = vec![common.version];
    let text = common.augmentation.iter().position(|byte| *byte == 0).expect("a string") + 1;
    body.extend(&common.augmentation[..text]);
    if common.version == 4 {
        body.extend([8, 0]);
    }
    body.extend([common.code_align, 0x78, common.return_column]);
    body.extend(&common.augmentation[text..]);
    body.extend(initial);
    let mut bytes = entry(common.wide, 0, &body);
    let mut body = Vec::new();
    body.extend(CODE.to_le_bytes());
    body.extend(0x100u64.to_le_bytes());
    if text > 1 {
        body.push(0);
    }
    body.extend(program);
    let id = bytes.len() + if common.wide { 12 } else { 4 };
    bytes.extend(entry(common.wide, id as u32, &body));
    bytes.extend([0; 4]);
    bytes
}

fn row<'a>(frames: &'a [u8], at: u64) -> Result<Row<'a>, CfiError> {
    let nothing = Section { address: 0, bytes: &[] };
    Tables { header: nothing, frames: Section { address: FRAMES, bytes: frames } }.row_at(CODE + at)
}

/// What the row at an offset must be: the CFA, and the places of bp and of the return address.
type Want = (Cfa<'static>, Place<'static>, Place<'static>);

const fn sp(offset: i64) -> Want {
    (Cfa::Register(RSP, offset), Place::Unsaid, Place::AtCfa(-8))
}

fn check(common: &Common, program: &[u8], wanted: &[(u64, Result<Want, CfiError>)]) {
    let bytes = frames(common, BEGIN, program);
    for (at, want) in wanted {
        let found = row(&bytes, *at).map(|row| (row.cfa, row.place(RBP), row.place(RA)));
        assert_eq!(found, *want, "{program:02x?} at {at:#x}");
        // A table that is cut off anywhere is an error or the same row, never another one.
        for end in 0..bytes.len() {
            if let Ok(row) = row(&bytes[..end], *at) {
                assert_eq!(Ok((row.cfa, row.place(RBP), row.place(RA))), *want);
            }
        }
    }
}

#[test]
fn operations_change_what_the_standard_says() {
    let unknown = Err(CfiError::Unknown);
    let cfa = |cfa| Ok((cfa, Place::Unsaid, Place::AtCfa(-8)));
    let bp = |bp| Ok((Cfa::Register(RSP, 8), bp, Place::AtCfa(-8)));
    let ra = |ra| Ok((Cfa::Register(RSP, 8), Place::Unsaid, ra));
    type Case = (&'static [u8], Vec<(u64, Result<Want, CfiError>)>);
    let cases: Vec<Case> = vec![
        (&[], vec![(0, Ok(sp(8))), (0xff, Ok(sp(8))), (0x100, Err(CfiError::NotFound))]),
        // advance_loc, advance_loc1, 2, 4.
        (&[0x41, 0x0e, 16], vec![(0, Ok(sp(8))), (1, Ok(sp(16)))]),
        (&[2, 0x80, 0x0e, 16], vec![(0x7f, Ok(sp(8))), (0x80, Ok(sp(16)))]),
        (&[3, 0x80, 0, 0x0e, 16], vec![(0x7f, Ok(sp(8))), (0x80, Ok(sp(16)))]),
        (&[4, 0x80, 0, 0, 0, 0x0e, 16], vec![(0x7f, Ok(sp(8))), (0x80, Ok(sp(16)))]),
        // set_loc.
        (&[1, 0x10, 0, 4, 0, 0, 0, 0, 0, 0x0e, 16], vec![(0xf, Ok(sp(8))), (0x10, Ok(sp(16)))]),
        // An advance of nothing replaces the row.
        (&[0x40, 0x0e, 16], vec![(0, Ok(sp(16)))]),
        // remember and restore, with the CFA.
        (
            &[0x41, 0x0e, 16, 0x86, 2, 0x41, 0x0a, 0x0e, 32, 0x08, 6, 0x41, 0x0b],
            vec![
                (1, Ok((Cfa::Register(RSP, 16), Place::AtCfa(-16), Place::AtCfa(-8)))),
                (2, Ok((Cfa::Register(RSP, 32), Place::Same, Place::AtCfa(-8)))),
                (3, Ok((Cfa::Register(RSP, 16), Place::AtCfa(-16), Place::AtCfa(-8)))),
            ],
        ),
        (&[0x0a, 0x0a, 0x0a, 0x0a, 0x0b, 0x0b, 0x0b, 0x0b], vec![(0, Ok(sp(8)))]),
        (&[0x0a, 0x0a, 0x0a, 0x0a, 0x0a], vec![(0, Err(CfiError::TooDeep))]),
        (&[0x0b], vec![(0, unknown)]),
        // def_cfa, _sf, _register, _offset, _offset_sf.
        (&[0x0c, 6, 16], vec![(0, cfa(Cfa::Register(RBP, 16)))]),
        (&[0x12, 6, 0x7e], vec![(0, cfa(Cfa::Register(RBP, 16)))]),
        (&[0x0d, 6], vec![(0, cfa(Cfa::Register(RBP, 8)))]),
        (&[0x0e, 0x80, 1], vec![(0, cfa(Cfa::Register(RSP, 128)))]),
        (&[0x13, 0x7e], vec![(0, cfa(Cfa::Register(RSP, 16)))]),
        // An expression has neither register nor offset to keep.
        (&[0x0f, 2, 0x77, 8], vec![(0, cfa(Cfa::Expression(&[0x77, 8])))]),
        (&[0x0f, 2, 0x77, 8, 0x0e, 16], vec![(0, unknown)]),
        (&[0x0f, 2, 0x77, 8, 0x0d, 6], vec![(0, unknown)]),
        (&[0x0f, 2, 0x77, 8, 0x0c, 7, 16], vec![(0, Ok(sp(16)))]),
        // Places.
        (&[0x86, 2], vec![(0, bp(Place::AtCfa(-16)))]),
        (&[5, 6, 2], vec![(0, bp(Place::AtCfa(-16)))]),
        (&[0x11, 6, 0x7e], vec![(0, bp(Place::AtCfa(16)))]),
        (&[0x2f, 6, 2], vec![(0, bp(Place::AtCfa(16)))]),
        (&[0x14, 6, 2], vec![(0, bp(Place::CfaPlus(-16)))]),
        (&[0x15, 6, 0x7e], vec![(0, bp(Place::CfaPlus(16)))]),
        (&[0x09, 6, 3], vec![(0, bp(Place::Register(3)))]),
        (&[0x07, 6], vec![(0, bp(Place::Undefined))]),
        (&[0x08, 6], vec![(0, bp(Place::Same))]),
        (&[0x10, 6, 2, 0x76, 0], vec![(0, bp(Place::At(&[0x76, 0])))]),
        (&[0x16, 6, 2, 0x76, 0], vec![(0, bp(Place::Is(&[0x76, 0])))]),
        (&[0x86, 2, 0x41, 0xc6], vec![(0, bp(Place::AtCfa(-16))), (1, Ok(sp(8)))]),
        (&[0x86, 2, 0x41, 6, 6], vec![(0, bp(Place::AtCfa(-16))), (1, Ok(sp(8)))]),
        (&[0x07, 16, 0x41, 0xd0], vec![(0, ra(Place::Undefined)), (1, Ok(sp(8)))]),
        // Registers that nobody keeps, the size of arguments, nothing, and what nobody knows.
        (&[0x80, 2, 0x2e, 16, 0], vec![(0, Ok(sp(8)))]),
        (&[0x3f], vec![(0, unknown)]),
        // A number that never ends.
        (&[0x0e, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0], vec![(0, unknown)]),
        (&[0x0e], vec![(0, Err(CfiError::Truncated))]),
        (&[0x0f, 5, 0x77], vec![(0, Err(CfiError::Truncated))]),
    ];
    for (program, wanted) in cases {
        check(&PLAIN, program, &wanted);
    }
}

#[test]
fn common_entries_of_every_version_are_read() {
    let program: &[u8] = &[0x41, 0x0e, 16];
    let (before, behind) = (Ok(sp(8)), Ok(sp(16)));
    let all = |at, want| vec![(at - 1, before), (at, want)];
    check(&Common { version: 3, ..PLAIN }, program, &all(1, behind));
    check(&Common { version: 4, ..PLAIN }, program, &all(1, behind));
    check(&Common { wide: true, ..PLAIN }, program, &all(1, behind));
    check(&Common { code_align: 4, ..PLAIN }, program, &all(4, behind));
    check(&Common { augmentation: b"\0", ..PLAIN }, program, &all(1, behind));
    check(&Common { augmentation: b"zPLR\0\x07\x9b\0\0\0\0\x1b\x00", ..PLAIN }, program, &all(1, behind));
    let unknown = [(0, Err(CfiError::Unknown))];
    check(&Common { version: 2, ..PLAIN }, program, &unknown);
    check(&Common { augmentation: b"eh\0", ..PLAIN }, program, &unknown);
    check(&Common { return_column: 17, ..PLAIN }, program, &unknown);
}

#[test]
fn a_common_entry_that_moves_on_is_not_believed() {
    let moving = [BEGIN, &[0x41]].concat();
    assert_eq!(row(&frames(&PLAIN, &moving, &[]), 0), Err(CfiError::Unknown));
    let remembering = [BEGIN, &[0x0a]].concat();
    assert_eq!(row(&frames(&PLAIN, &remembering, &[]), 0), Err(CfiError::Unknown));
}

#[test]
fn the_header_is_searched_and_its_encodings_are_checked() {
    let bytes = frames(&PLAIN, BEGIN, &[]);
    let place = {
        let first = u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"));
        FRAMES + 4 + u64::from(first)
    };
    let address = 0x8000u64;
    let relative = |to: u64| (to.wrapping_sub(address) as u32).to_le_bytes();
    let make = |encodings: [u8; 4], count: u32| {
        let mut header = encodings.to_vec();
        header.extend((FRAMES.wrapping_sub(address + 4) as u32).to_le_bytes());
        header.extend(count.to_le_bytes());
        header.extend(relative(CODE - 0x1000).iter().chain(&relative(place)));
        header.extend(relative(CODE).iter().chain(&relative(place)));
        header
    };
    let look = |header: &[u8], pc| {
        let header = Section { address, bytes: header };
        Tables { header, frames: Section { address: FRAMES, bytes: &bytes } }
            .row_at(pc)
            .map(|row| row.cfa == Cfa::Register(RSP, 8))
    };
    let found = Ok(true);
    let usual = make([1, 0x1b, 3, 0x3b], 2);
    assert_eq!(Tables::frames_address(Section { address, bytes: &usual }), Some(FRAMES));
    assert_eq!(look(&usual, CODE), found);
    assert_eq!(look(&usual, CODE + 0xff), found);
    assert_eq!(look(&usual, CODE + 0x100), Err(CfiError::NotFound));
    assert_eq!(look(&usual, CODE - 0x1001), Err(CfiError::NotFound));
    // An entry that the table names for code it does not cover.
    assert_eq!(look(&usual, CODE - 0x800), Err(CfiError::NotFound));
    assert_eq!(look(&make([1, 0x1b, 3, 0x3b], u32::MAX), CODE), Err(CfiError::Truncated));
    // Without a table that can be searched every entry is looked at.
    for encodings in [[1, 0x1b, 0xff, 0xff], [1, 0x1b, 3, 0x1b], [2, 0x1b, 3, 0x3b], [1, 0xff, 3, 0x3b]] {
        assert_eq!(look(&make(encodings, 2), CODE), found, "{encodings:?}");
    }
}

#[test]
fn expressions_compute_as_the_standard_says() {
    let check = |code: &[u8], want: Option<u64>| {
        let register = |number: u16| (number < 17).then_some(1000 * u64::from(number));
        let found = evaluate(code, Some(5), register, |address| (address != 0).then_some(address + 1));
        assert_eq!(found, want, "{code:02x?}");
    };
    check(&[], Some(5));
    check(&[0x13], None);
    check(&[0x77, 0x7f], Some(6999));
    check(&[0x92, 7, 0x7f], Some(6999));
    check(&[0x92, 17, 0], None);
    check(&[0x77, 0, 0x06], Some(7001));
    check(&[0x30, 0x06], None);
    check(&[0x09, 0xff], Some(u64::MAX));
    check(&[0x08, 0xff], Some(0xff));
    check(&[0x0b, 0xfe, 0xff], Some(u64::MAX - 1));
    check(&[0x0d, 0xfe, 0xff, 0xff, 0xff], Some(u64::MAX - 1));
    check(&[0x0e, 1, 2, 3, 4, 5, 6, 7, 8], Some(0x0807_0605_0403_0201));
    check(&[0x10, 0x80, 1], Some(128));
    check(&[0x11, 0x80, 0x7f], Some(128u64.wrapping_neg()));
    check(&[0x32, 0x14], Some(5));
    check(&[0x32, 0x15, 1], Some(5));
    check(&[0x15, 1], None);
    check(&[0x32, 0x16], Some(5));
    // rot: 5 1 2 becomes 2 5 1.
    check(&[0x31, 0x32, 0x17], Some(1));
    check(&[0x31, 0x32, 0x17, 0x13], Some(5));
    check(&[0x31, 0x32, 0x17, 0x13, 0x13], Some(2));
    check(&[0x32, 0x1c], Some(3));
    check(&[0x32, 0x1d], Some(1));
    check(&[0x30, 0x1d], None);
    check(&[0x30, 0x1b], None);
    check(&[0x0e, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x09, 0xff, 0x1b], Some(1 << 63));
    check(&[0x09, 0xf9, 0x32, 0x1b], Some(3u64.wrapping_neg()));
    check(&[0x34, 0x24], Some(80));
    check(&[0x08, 64, 0x24], Some(0));
    check(&[0x0e, 0, 0, 0, 0, 1, 0, 0, 0, 0x24], Some(0));
    check(&[0x0e, 0, 0, 0, 0, 1, 0, 0, 0, 0x25], Some(0));
    check(&[0x09, 0xf0, 0x34, 0x26], Some(u64::MAX));
    check(&[0x09, 0xff, 0x30, 0x2d], Some(1));
    check(&[0x23, 3], Some(8));
    // A branch over an operation, and a loop that never ends.
    check(&[0x31, 0x28, 1, 0, 0x38], Some(5));
    check(&[0x30, 0x28, 1, 0, 0x38], Some(8));
    check(&[0x2f, 0xfd, 0xff], None);
    check(&[0x2f, 0x00, 0x80], None);
    check(&[0x2f, 1, 0], None);
    check(&[0xe0], None);
    check(&[0x31; 16], None);
}

#[test]
fn a_rule_is_packed_only_when_it_says_all_of_the_row() {
    let check = |program: &[u8], kind: Kind, offset: usize, saved: usize| {
        let bytes = frames(&PLAIN, BEGIN, program);
        let rule = Rule::from_row(&row(&bytes, 0).expect("a row"));
        assert_eq!((rule.kind(), rule.offset(), rule.saved_bp()), (kind, offset, saved), "{program:02x?}");
        assert_ne!(rule.to_word(), 0);
        assert_eq!(Rule::from_word(rule.to_word()), rule);
    };
    check(&[], Kind::Sp, 8, 0);
    check(&[0x0e, 16, 0x86, 2], Kind::Sp, 16, 16);
    check(&[0x0c, 6, 16, 0x86, 2], Kind::Bp, 16, 16);
    check(&[0x12, 6, 1], Kind::Bp, 8usize.wrapping_neg(), 0);
    check(&[0x08, 6], Kind::Sp, 8, 0);
    check(&[0x07, 16], Kind::End, 0, 0);
    let slow: &[&[u8]] = &[
        // The return address elsewhere, unchanged, or in a register.
        &[0x90, 2],
        &[0x08, 16],
        &[0x09, 16, 1],
        // Another register, or too far.
        &[0x0c, 10, 8],
        &[0x0e, 0x80, 0x80, 0x80, 0x80, 0x08],
        &[0x0f, 2, 0x77, 8],
        // The frame pointer behind the CFA, unaligned, too far, lost, moved, or computed.
        &[0x11, 6, 0x7e],
        &[0x86, 0],
        &[0x11, 6, 0x80, 0x80, 0x80, 0x08],
        &[0x11, 6, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
        &[0x07, 6],
        &[0x09, 6, 3],
        &[0x10, 6, 2, 0x76, 0],
        &[0x14, 6, 2],
        // A stack pointer that is not the CFA.
        &[0x87, 2],
        &[0x14, 7, 1],
    ];
    for program in slow {
        check(program, Kind::Slow, 0, 0);
    }
    check(&[0x14, 7, 0], Kind::Sp, 8, 0);
    let signal = frames(&Common { augmentation: b"zRS\0\x01\x00", ..PLAIN }, BEGIN, &[]);
    assert_eq!(Rule::from_row(&row(&signal, 0).expect("a row")), Rule::SLOW);
}
