#![forbid(unsafe_code)]
//! Suppressions as LeakSanitizer has them: lines `leak:<template>`, tried on every frame of a trace.
//!
//! A template is found anywhere in a text; `*` is any run of bytes, `^` at its beginning and `$` at its end hold it to
//! the beginning and the end of the text. That is `TemplateMatch` of compiler-rt's `sanitizer_common.cpp`, but for one
//! mistake of it: there `ab$` does not match `abab`, because only the first `ab` is looked at. Each piece between
//! stars is searched for once from where the one before it ended, so a match takes at most the product of both
//! lengths.

/// One `leak:` line and what it matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule<'a> {
    /// What stands after `leak:`.
    pub template: &'a [u8],
    /// How many leaks it matched.
    pub leaks: u64,
    /// Their blocks.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Rule<'_> {
    /// Adds a leak that it matched.
    pub fn count(&mut self, blocks: u64, bytes: u64) {
        self.leaks += 1;
        self.blocks = self.blocks.saturating_add(blocks);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// A line of a file that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A rule.
    Rule(Rule<'a>),
    /// No rule. It is skipped, and the report says so.
    Bad {
        /// Its number, from 1.
        number: usize,
        /// The line.
        line: &'a [u8],
    },
}

/// The lines of a file, without comments and blank lines.
pub fn lines(file: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let lines = file.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"));
    lines.map(|(index, line)| match line.strip_prefix(b"leak:") {
        // An empty template would match everything.
        Some(template) if !template.is_empty() => {
            Line::Rule(Rule { template, leaks: 0, blocks: 0, bytes: 0 })
        }
        _ => Line::Bad { number: index + 1, line },
    })
}

/// What is known of a frame; empty: nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'f> {
    /// The path of the module.
    pub module: &'f [u8],
    /// The symbol as it stands in the module.
    pub symbol: &'f [u8],
    /// The function as a person writes it.
    pub function: &'f [u8],
    /// The source file.
    pub file: &'f [u8],
}

/// Finds the first rule that matches a frame.
pub fn find(rules: &[Rule<'_>], names: &Names<'_>) -> Option<usize> {
    let texts = [names.module, names.function, names.symbol, names.file];
    rules.iter().position(|rule| texts.iter().any(|text| matches(rule.template, text)))
}

/// Whether `template` is found in `text`. Nothing is found in an empty text.
pub fn matches(template: &[u8], text: &[u8]) -> bool {
    if text.is_empty() {
        return false;
    }
    let (mut template, mut is_held) = match template {
        [b'^', template @ ..] => (template, true),
        template => (template, false),
    };
    let mut rest = text;
    loop {
        let end = template.iter().position(|byte| matches!(byte, b'*' | b'$')).unwrap_or(template.len());
        let (piece, after) = template.split_at(end);
        if after.first() == Some(&b'$') {
            // Whatever stands behind a dollar is not looked at, as in compiler-rt.
            return rest.ends_with(piece) && (!is_held || rest.len() == piece.len());
        }
        let Some(at) = position_of(piece, rest) else {
            return false;
        };
        if is_held && !rest.starts_with(piece) {
            return false;
        }
        let at = if is_held { 0 } else { at };
        rest = &rest[at + piece.len()..];
        match after {
            [_, behind @ ..] => (template, is_held) = (behind, false),
            [] => return true,
        }
    }
}

fn position_of(piece: &[u8], text: &[u8]) -> Option<usize> {
    if piece.is_empty() {
        return Some(0);
    }
    text.windows(piece.len()).position(|window| window == piece)
}

/// What a fuzzer calls: the first line is a text, the rest is a file whose rules are tried on it.
#[cfg(not(heapcheck_injected))]
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    let (text, file) = bytes.split_at(bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len()));
    for line in lines(file) {
        match line {
            Line::Rule(rule) => {
                let is_found = find(&[rule], &Names { module: text, ..Names::default() }).is_some();
                assert!(is_found == matches(rule.template, text));
            }
            Line::Bad { number, line } => assert!(number <= file.len() && line.len() <= file.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_match_as_in_the_sanitizers() {
        let check = |template: &str, text: &str, expected: bool| {
            assert_eq!(matches(template.as_bytes(), text.as_bytes()), expected, "{template:?} in {text:?}");
        };
        // The cases of compiler-rt's sanitizer_common_test.cpp.
        check("*a", "", false);
        check("", "a", true);
        check("a", "a", true);
        check("abc", "xxabcxx", true);
        check("^abc", "abcd", true);
        check("^abc", "xabc", false);
        check("abc$", "xabc", true);
        check("abc$", "abcx", false);
        check("^abc$", "abc", true);
        check("^abc$", "abcabc", false);
        check("a*c", "abbbc", true);
        check("a*c", "cba", false);
        check("^a*c$", "abcbc", true);
        check("*foo*bar*", "xfooybarz", true);
        check("foo*bar$", "foobarbaz", false);
        check("foo*$", "foobar", true);
        check("^*b", "aab", true);
        check("ab$", "abab", true);
        check("^", "x", true);
        check("$", "x", true);
        check("^$", "x", false);
        check("*", "x", true);
        check("std::rt::*::spawn", "std::rt::thread::spawn", true);
    }

    #[test]
    fn stars_take_no_more_than_the_product_of_the_lengths() {
        let template = b"a*".repeat(2000);
        let text = b"a".repeat(1999);
        assert!(!matches(&template, &text));
        let template = [b"aaaaaaab".repeat(100), b"$".to_vec()].concat();
        assert!(!matches(&template, &b"a".repeat(100_000)));
    }

    #[test]
    fn files_have_rules_comments_and_bad_lines() {
        let file = b"# known\n\n  leak:libfoo.so \r\nleak: two words\nrace:x\nleak:\nnonsense\nleak:last";
        let (mut templates, mut bad) = (Vec::new(), Vec::new());
        for line in lines(file) {
            match line {
                Line::Rule(rule) => templates.push(rule.template),
                Line::Bad { number, line } => bad.push((number, line)),
            }
        }
        assert_eq!(templates, [&b"libfoo.so"[..], b" two words", b"last"]);
        assert_eq!(bad, [(5, &b"race:x"[..]), (6, b"leak:"), (7, b"nonsense")]);
    }

    #[test]
    fn every_name_of_a_frame_is_tried() {
        let mut rules = ["nothing", "my_*_leak$", "lib.rs"].map(|template| Rule {
            template: template.as_bytes(),
            leaks: 0,
            blocks: 0,
            bytes: 0,
        });
        let names = Names::default();
        assert_eq!(find(&rules, &names), None);
        assert_eq!(find(&rules, &Names { module: b"/lib/my_own_leak", ..names }), Some(1));
        assert_eq!(find(&rules, &Names { symbol: b"my_c_leak", ..names }), Some(1));
        assert_eq!(find(&rules, &Names { function: b"krate::my_rust_leak", ..names }), Some(1));
        assert_eq!(find(&rules, &Names { file: b"src/lib.rs", ..names }), Some(2));
        rules[1].count(2, 30);
        rules[1].count(1, 7);
        assert_eq!((rules[1].leaks, rules[1].blocks, rules[1].bytes), (2, 3, 37));
    }

    #[test]
    fn any_bytes_are_matched_without_a_panic() {
        let mut seed = 3_u64;
        for _ in 0..20_000 {
            let mut bytes = [0; 20];
            for byte in &mut bytes {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = b"ab*$^\nleak:#"[(seed >> 33) as usize % 12];
            }
            matches(&bytes[..8], &bytes[8..]);
            fuzz(&bytes);
        }
    }
}
