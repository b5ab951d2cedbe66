#![forbid(unsafe_code)]
//! What the kernel tells of a thread in `/proc/self/task`: the list of its entries, and the two facts of its
//! `status` that decide how it can be stopped (proc_pid_status(5), getdents64(2)).

/// The two facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskStatus {
    /// The letter of its state: R runs or wants to, S sleeps, D cannot be interrupted, T t are stopped, Z X have ended.
    pub(crate) state: u8,
    /// The signals it blocks; bit 0 is signal 1.
    pub(crate) blocked: u64,
}

impl TaskStatus {
    /// Whether it has ended: such an entry stays for the first thread of a process until the last one ends.
    pub(crate) const fn has_ended(self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// Whether it blocks `signal`.
    pub(crate) const fn blocks(self, signal: i32) -> bool {
        self.blocked >> ((signal - 1) & 63) & 1 != 0
    }
}

/// Parses the text of a `status` file.
pub(crate) fn parse_status(text: &[u8]) -> Option<TaskStatus> {
    let mut state = None;
    let mut blocked = None;
    for line in text.split(|byte| *byte == b'\n') {
        if let Some(rest) = line.strip_prefix(b"State:") {
            state = rest.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        } else if let Some(rest) = line.strip_prefix(b"SigBlk:") {
            blocked = parse_hex(rest.trim_ascii());
        }
    }
    Some(TaskStatus { state: state?, blocked: blocked? })
}

/// Parses the text of a `syscall` file of a sleeping thread: its stack pointer stands before its program counter.
pub(crate) fn parse_syscall_sp(text: &[u8]) -> Option<usize> {
    let mut words = text.trim_ascii().rsplit(|byte| *byte == b' ');
    let (_pc, sp) = (words.next()?, words.next()?);
    parse_hex(sp.strip_prefix(b"0x")?).map(|sp| sp as usize)
}

/// Whether the text of a `syscall` file is that of a thread that makes another task: in vfork(2) it waits until that one is
/// done, however long that takes. The numbers are those of clone, vfork and clone3.
pub(crate) fn makes_task(text: &[u8]) -> bool {
    let number = text.split(|byte| *byte == b' ').next();
    number.is_some_and(|number| matches!(number, b"56" | b"58" | b"435"))
}

fn parse_hex(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.iter().try_fold(0u64, |value, digit| Some(value << 4 | u64::from((*digit as char).to_digit(16)?)))
}

/// Calls `visit` with every entry of a getdents64(2) answer whose name is a number.
pub(crate) fn each_task(mut entries: &[u8], mut visit: impl FnMut(i32)) {
    // linux_dirent64: inode 8, offset 8, length of the record 2, type 1, name.
    while let Some(length) = entries.get(16..18) {
        let length = usize::from(u16::from_ne_bytes([length[0], length[1]]));
        let Some(entry) = entries.get(..length) else { return };
        let Some(name) = entry.get(19..) else { return };
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let number = name.iter().try_fold(0i32, |value, digit| {
            digit.is_ascii_digit().then(|| value.checked_mul(10)?.checked_add(i32::from(digit - b'0')))?
        });
        if let Some(tid) = number.filter(|tid| *tid > 0) {
            visit(tid);
        }
        entries = &entries[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::{TaskStatus, each_task, makes_task, parse_status, parse_syscall_sp};

    #[test]
    fn state_and_blocked_signals_are_read() {
        let text =
            b"Name:\tState: x\nState:\tS (sleeping)\nSigPnd:\t0\nSigBlk:\tfffffffe7ffbfeff\nSigIgn:\t0\n";
        let status = parse_status(text).expect("status");
        assert_eq!(status, TaskStatus { state: b'S', blocked: 0xffff_fffe_7ffb_feff });
        assert!(status.blocks(62) && status.blocks(1) && !status.blocks(9) && !status.blocks(33));
        assert!(parse_status(b"State:\tS\n").is_none());
        assert!(parse_status(b"").is_none());
    }

    #[test]
    fn this_process_is_read() {
        let status = parse_status(&std::fs::read("/proc/self/status").expect("status")).expect("parsed");
        assert!(!status.has_ended());
    }

    #[test]
    fn the_stack_pointer_of_a_sleeper_is_read() {
        assert_eq!(parse_syscall_sp(b"7 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffc10 0x7f20\n"), Some(0x7f_fc10));
        assert_eq!(parse_syscall_sp(b"-1 0x7ffc10 0x7f20\n"), Some(0x7f_fc10));
        assert_eq!(parse_syscall_sp(b"running\n"), None);
    }

    #[test]
    fn a_thread_that_makes_another_task_is_told_from_others() {
        for (text, expected) in [
            (&b"58 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffc10 0x7f20\n"[..], true),
            (b"435 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffc10 0x7f20\n", true),
            (b"5 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffc10 0x7f20\n", false),
            (b"-1 0x7ffc10 0x7f20\n", false),
            (b"running\n", false),
            (b"", false),
        ] {
            assert_eq!(makes_task(text), expected, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn damaged_directory_entries_end_the_list() {
        let mut entry = vec![0u8; 24];
        entry[16] = 24;
        entry[19..21].copy_from_slice(b"42");
        let list = [entry.clone(), entry.clone()].concat();
        for cut in 0..=list.len() {
            let mut found = 0;
            each_task(&list[..cut], |tid| found += usize::from(tid == 42));
            assert_eq!(found, cut / 24);
        }
        for length in 0..=255 {
            entry[16] = length;
            each_task(&entry, |_| ());
        }
    }
}
