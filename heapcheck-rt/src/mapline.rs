#![forbid(unsafe_code)]
//! One line of `/proc/self/maps` (proc_pid_maps(5)).
//!
//! `start-end perms offset major:minor inode   name`, numbers in hexadecimal but for the inode. A name may hold any
//! byte but a newline (the kernel writes that as `\012`), so it is everything behind the blanks.

/// What lies in a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MapKind {
    /// Memory without a file, named (`[anon:..]`) or not.
    Anonymous,
    /// Memory behind a name that only the kernel made up: memfd, System V and POSIX shared memory, huge pages.
    Memory,
    /// The area of brk(2).
    Heap,
    /// The stack of the first thread.
    Stack,
    /// The kernel's own pages: vdso, vvar, vsyscall.
    Special,
    /// A file or a device.
    File,
}

/// A parsed line. The name is a range of the line's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MapLine {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) perms: Perms,
    pub(crate) offset: usize,
    pub(crate) kind: MapKind,
    pub(crate) name_start: usize,
    pub(crate) name_end: usize,
}

/// What may be done with a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Perms(u8);

impl Perms {
    /// Whether loads work.
    pub(crate) const fn readable(self) -> bool {
        self.0 & 1 != 0
    }
    /// Whether stores work.
    pub(crate) const fn writable(self) -> bool {
        self.0 & 2 != 0
    }
    /// Whether code may run.
    pub(crate) const fn executable(self) -> bool {
        self.0 & 4 != 0
    }
    /// The protection as mprotect(2) takes it.
    pub(crate) const fn protection(self) -> usize {
        (self.0 & 7) as usize
    }
    /// Whether stores are seen by other processes.
    pub(crate) const fn shared(self) -> bool {
        self.0 & 8 != 0
    }
}

/// Parses a line, without its newline.
pub(crate) fn parse(line: &[u8]) -> Option<MapLine> {
    let mut rest = Cursor { line, at: 0 };
    let start = rest.number(16)?;
    rest.expect(b'-')?;
    let end = rest.number(16)?;
    rest.expect(b' ')?;
    let mut perms = 0;
    for (bit, letter) in b"rwxs".iter().enumerate() {
        let found = rest.next()?;
        if found == *letter {
            perms |= 1 << bit;
        } else if found != b'-' && found != b'p' {
            return None;
        }
    }
    rest.expect(b' ')?;
    let offset = rest.number(16)?;
    rest.expect(b' ')?;
    rest.number(16)?;
    rest.expect(b':')?;
    rest.number(16)?;
    rest.expect(b' ')?;
    let inode = rest.number(10)?;
    while line.get(rest.at) == Some(&b' ') {
        rest.at += 1;
    }
    if start >= end {
        return None;
    }
    let kind = kind_of(&line[rest.at..], inode);
    Some(MapLine { start, end, perms: Perms(perms), offset, kind, name_start: rest.at, name_end: line.len() })
}

fn kind_of(name: &[u8], inode: usize) -> MapKind {
    const MEMORY: [&[u8]; 5] = [b"/dev/zero", b"/memfd:", b"/SYSV", b"/dev/shm/", b"/anon_hugepage"];
    match name {
        b"[heap]" => MapKind::Heap,
        b"" if inode == 0 => MapKind::Anonymous,
        _ if name.starts_with(b"[anon:") || name.starts_with(b"[anon_shmem:") => MapKind::Anonymous,
        _ if name.starts_with(b"[stack") => MapKind::Stack,
        _ if name.starts_with(b"[") => MapKind::Special,
        _ if MEMORY.iter().any(|prefix| name.starts_with(prefix)) => MapKind::Memory,
        _ => MapKind::File,
    }
}

struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = *self.line.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn number(&mut self, base: usize) -> Option<usize> {
        let first = self.at;
        let mut value = 0usize;
        while let Some(digit) = self.line.get(self.at).and_then(|byte| (*byte as char).to_digit(base as u32))
        {
            value = value.checked_mul(base)?.checked_add(digit as usize)?;
            self.at += 1;
        }
        (self.at > first).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::{MapKind, parse};

    const LINES: [(&str, MapKind, &str, &str); 11] = [
        ("55d0-55e0 r-xp 00001000 fe:00 1234   /usr/bin/a b", MapKind::File, "rx", "/usr/bin/a b"),
        ("7f00-7f10 rw-p 00000000 00:00 0 ", MapKind::Anonymous, "rw", ""),
        ("7f00-7f10 rw-p 00000000 00:00 0", MapKind::Anonymous, "rw", ""),
        ("7f00-7f10 ---p 00000000 00:00 0    [anon:guard]", MapKind::Anonymous, "", "[anon:guard]"),
        ("7f00-7f10 rw-p 00000000 00:00 0    [heap]", MapKind::Heap, "rw", "[heap]"),
        ("7f00-7f10 rw-p 00000000 00:00 0    [stack]", MapKind::Stack, "rw", "[stack]"),
        ("7f00-7f10 r--p 00000000 00:00 0    [vvar_vclock]", MapKind::Special, "r", "[vvar_vclock]"),
        (
            "7f00-7f10 rw-s 00000000 00:01 77   /memfd:x (deleted)",
            MapKind::Memory,
            "rws",
            "/memfd:x (deleted)",
        ),
        (
            "7f00-7f10 rw-s 00000000 00:01 77   /dev/zero (deleted)",
            MapKind::Memory,
            "rws",
            "/dev/zero (deleted)",
        ),
        (
            "7f00-7f10 rw-p 00000000 00:0f 9    /anon_hugepage (deleted)",
            MapKind::Memory,
            "rw",
            "/anon_hugepage (deleted)",
        ),
        (
            "7f00-7f10 rw-s 00000000 00:0e 5    anon_inode:[io_uring]",
            MapKind::File,
            "rws",
            "anon_inode:[io_uring]",
        ),
    ];

    #[test]
    fn lines_as_the_kernel_writes_them_are_understood() {
        for (line, kind, perms, name) in LINES {
            let map = parse(line.as_bytes()).expect(line);
            assert_eq!(map.kind, kind, "{line}");
            assert_eq!(&line[map.name_start..map.name_end], name);
            let mut found = String::new();
            for (letter, has) in [
                ('r', map.perms.readable()),
                ('w', map.perms.writable()),
                ('x', map.perms.executable()),
                ('s', map.perms.shared()),
            ] {
                if has {
                    found.push(letter);
                }
            }
            assert_eq!(found, perms, "{line}");
        }
    }

    #[test]
    fn every_line_of_this_process_is_understood() {
        for line in std::fs::read_to_string("/proc/self/maps").expect("maps").lines() {
            assert!(parse(line.as_bytes()).is_some(), "{line}");
        }
    }

    #[test]
    fn damaged_lines_never_panic_and_never_give_a_name_outside() {
        let mut state = 88_172_645_463_325_252u64;
        let mut next = |bound: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % bound as u64) as usize
        };
        for round in 0..200_000 {
            let mut line = LINES[round % LINES.len()].0.as_bytes().to_vec();
            for _ in 0..=next(3) {
                let at = next(line.len());
                match next(4) {
                    0 => line[at] = next(256) as u8,
                    1 => line.truncate(at.max(1)),
                    2 => line.insert(at, b"0 -:fr"[next(6)]),
                    _ => drop(line.remove(at)),
                }
                if line.is_empty() {
                    line.push(b'0');
                }
            }
            if let Some(map) = parse(&line) {
                assert!(map.start < map.end && map.name_start <= map.name_end && map.name_end == line.len());
            }
        }
    }
}
