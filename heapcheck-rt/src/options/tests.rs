//! Tests of the parser: what was typed against what it means.

use super::table::Kind;
use super::*;
use crate::text::Text;

fn read<'a>(variables: &'a [(&'a str, &'a str)]) -> Result<Options<'a>, OptionError<'a>> {
    read_with("", variables)
}

fn read_with<'a>(
    defaults: &'a str,
    variables: &'a [(&'a str, &'a str)],
) -> Result<Options<'a>, OptionError<'a>> {
    parse(defaults.as_bytes(), |name| {
        let found = variables.iter().find(|variable| variable.0.as_bytes() == name);
        found.map(|variable| variable.1.as_bytes())
    })
}

fn check(variables: &[(&str, &str)], change: impl FnOnce(&mut Options<'_>)) {
    let mut expected = Options::new(Some(Mode::Normal));
    change(&mut expected);
    let mut variables = variables.to_vec();
    variables.push(("HEAPCHECK", "normal"));
    assert_eq!(read(&variables).unwrap(), expected, "{variables:?}");
}

fn check_error(variables: &[(&str, &str)], expected: &str) {
    let mut variables = variables.to_vec();
    variables.push(("HEAPCHECK", "normal"));
    let mut bytes = Vec::new();
    read(&variables).unwrap_err().write(&mut Text::new(&mut bytes));
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[test]
fn without_a_mode_nothing_is_read() {
    let bad = ("HEAPCHECK_DEPTH", "bad");
    assert_eq!(read(&[bad]).unwrap(), Options::new(None));
    assert_eq!(read(&[("HEAPCHECK", ""), bad]).unwrap(), Options::new(None));
    assert_eq!(read(&[("HEAPCHECK", "off"), bad]).unwrap(), Options::new(None));
}

#[test]
fn the_words_for_modes_are_their_names_and_one_for_none() {
    assert_eq!(Mode::WORDS[..6], Mode::NAMES);
    assert_eq!(Mode::WORDS[6..], ["off"]);
}

#[test]
fn each_mode_has_its_moment() {
    for (name, after) in Mode::NAMES.into_iter().zip([false, false, true, true, false, false]) {
        let variables = [("HEAPCHECK", name)];
        let options = read(&variables).unwrap();
        assert_eq!(options.mode.map(Mode::name), Some(name));
        assert_eq!(options.after_destructors, after, "{name}");
    }
}

#[test]
fn an_unknown_mode_names_the_nearest() {
    let mode_error = |name: &str| {
        let variables = [("HEAPCHECK", name)];
        let mut bytes = Vec::new();
        read(&variables).unwrap_err().write(&mut Text::new(&mut bytes));
        String::from_utf8(bytes).unwrap()
    };
    let all = "it can be minimal, normal, strict, draconian, local, as-is or off\n";
    assert_eq!(
        mode_error("norml"),
        format!("heapcheck: HEAPCHECK: 'norml' is not a mode: did you mean 'normal'? {all}")
    );
    assert_eq!(
        mode_error("asis"),
        format!("heapcheck: HEAPCHECK: 'asis' is not a mode: did you mean 'as-is'? {all}")
    );
    assert_eq!(mode_error("qqqqqq"), format!("heapcheck: HEAPCHECK: 'qqqqqq' is not a mode: {all}"));
}

#[test]
fn every_variable_of_ours_reaches_its_field() {
    check(&[], |_| {});
    check(&[("HEAPCHECK_STACKS", "short")], |o| o.stacks = Stacks::Short);
    check(&[("HEAPCHECK_STACKS", "OFF")], |o| o.stacks = Stacks::Off);
    check(&[("HEAPCHECK_FREE_STACKS", "off")], |o| o.free_stacks = Some(Stacks::Off));
    check(&[("HEAPCHECK_DEPTH", "1")], |o| o.depth = 1);
    check(&[("HEAPCHECK_DEPTH", "")], |_| {});
    check(&[("HEAPCHECK_SHORT_DEPTH", "8")], |o| o.short_depth = 8);
    check(&[("HEAPCHECK_OUT", "/a b")], |o| o.out = Some(b"/a b"));
    check(&[("HEAPCHECK_RECORD", "/a b")], |o| o.record = Some(b"/a b"));
    check(&[("HEAPCHECK_EXITCODE", "0")], |o| o.exit_code = 0);
    check(&[("HEAPCHECK_SIGNAL", "10")], |o| o.signal = Some(10));
    check(&[("HEAPCHECK_STOP_SIGNAL", "40")], |o| o.stop_signal = 40);
    check(&[("HEAPCHECK_ROOTS", "all,-tls")], |o| o.roots = Roots(Roots::ALL.0 & !Roots::TLS.0));
    check(&[("HEAPCHECK_ROOTS", "-tls,-ends")], |o| o.roots = Roots(0b101_1111_0111));
    check(&[("HEAPCHECK_ROOTS", "globals, stacks")], |o| o.roots = Roots(0b11));
    check(&[("HEAPCHECK_ROOTS", "-all")], |o| o.roots = Roots(0));
    check(&[("HEAPCHECK_STOP", "ptrace,stack")], |o| o.stop = StopWays(0b110));
    check(&[("HEAPCHECK_VERIFY", "1")], |o| o.verify = true);
    check(&[("HEAPCHECK_REPORT", "none")], |o| o.report = Report::None);
    check(&[("HEAPCHECK_CHILDREN", "all")], |o| o.children = Children::All);
    check(&[("HEAPCHECK_CHILDREN", "/t")], |o| o.children = Children::Below(b"/t"));
    check(&[("HEAPCHECK_SUPPRESSIONS", "a:b")], |o| o.suppressions = Some(b"a:b"));
    check(&[("HEAPCHECK_ZERO", "no")], |o| o.zero = false);
    check(&[("HEAPCHECK_REQUIRE", "yes")], |o| o.require = true);
}

#[test]
fn knobs_of_gperftools_keep_their_meaning() {
    check(&[("HEAP_CHECK_MAX_LEAKS", "5")], |o| o.leaks_max = Some(5));
    check(&[("HEAP_CHECK_MAX_LEAKS", "-1")], |o| o.leaks_max = None);
    check(&[("HEAP_CHECK_IDENTIFY_LEAKS", "t")], |o| o.print_blocks = true);
    check(&[("TMPDIR", "/t")], |o| o.dump = b"/t");
    check(&[("TMPDIR", "/t"), ("HEAP_CHECK_DUMP_DIRECTORY", "/d")], |o| o.dump = b"/d");
    // Modes other than as-is and local say for themselves what a root is and when the check runs.
    check(&[("HEAP_CHECK_IGNORE_GLOBAL_LIVE", "0"), ("HEAP_CHECK_AFTER_DESTRUCTORS", "1")], |_| {});
    let variables = [
        ("HEAPCHECK", "as-is"),
        ("HEAP_CHECK_IGNORE_GLOBAL_LIVE", "0"),
        ("HEAP_CHECK_IGNORE_THREAD_LIVE", "false"),
        ("HEAP_CHECK_AFTER_DESTRUCTORS", "1"),
    ];
    let options = read(&variables).unwrap();
    assert_eq!((options.roots, options.after_destructors), (Roots(Roots::ALL.0 & !0b111), true));
}

#[test]
fn flags_of_lsan_keep_their_meaning() {
    let flags = |line: &'static str, change: fn(&mut Options<'_>)| check(&[("LSAN_OPTIONS", line)], change);
    flags("use_stacks=0:exitcode=7:suppressions='a b.txt':max_leaks=3:report_objects", |o| {
        o.roots = Roots(Roots::ALL.0 & !Roots::STACKS.0);
        o.exit_code = 7;
        o.lsan_suppressions = Some(b"a b.txt");
        o.leaks_max = Some(3);
        o.print_blocks = true;
    });
    flags("use_tls=0,use_globals=0 use_registers=false", |o| o.roots = Roots(0b111_1100_0010));
    flags("max_leaks=0:malloc_context_size=0", |o| (o.leaks_max, o.depth) = (None, 1));
    flags("malloc_context_size=30:malloc_context_size=256", |o| o.depth = 128);
    flags("detect_leaks=0", |o| o.detect_leaks = false);
    flags("leak_check_at_exit=0:log_path=/l", |o| {
        (o.check_at_exit, o.report_path) = (false, Some(&b"/l"[..]))
    });
}

#[test]
fn what_has_no_effect_is_noted_once() {
    let line = "verbosity=2:frobnicate=1:verbosity=1:frobnicate=x";
    let variables =
        [("HEAPCHECK", "strict"), ("LSAN_OPTIONS", line), ("HEAP_CHECK_MAX_POINTER_OFFSET", "-1")];
    let options = read(&variables).unwrap();
    let names: Vec<_> = options.notes.iter().map(|note| (note.name, note.why.is_some())).collect();
    let expected =
        [(&b"verbosity"[..], true), (b"frobnicate", false), (b"HEAP_CHECK_MAX_POINTER_OFFSET", true)];
    assert_eq!(names, expected);
    let many = (0..50).map(|n| format!("x{n}=1 ")).collect::<String>();
    let variables = [("HEAPCHECK", "strict"), ("LSAN_OPTIONS", &many)];
    assert_eq!(read(&variables).unwrap().notes.iter().count(), 12);
}

#[test]
fn later_sources_win() {
    let all = [
        ("HEAPCHECK", "strict"),
        ("LSAN_OPTIONS", "exitcode=2:max_leaks=2"),
        ("HEAP_CHECK_MAX_LEAKS", "3"),
        ("HEAPCHECK_EXITCODE", "4"),
    ];
    for (count, expected) in [(1, (1, Some(1))), (2, (2, Some(2))), (3, (2, Some(3))), (4, (4, Some(3)))] {
        let options = read_with("exitcode=1:max_leaks=1", &all[..count]).unwrap();
        assert_eq!((options.exit_code, options.leaks_max), expected, "{count}");
    }
}

#[test]
fn suppression_files_come_from_both_places() {
    let variables =
        [("HEAPCHECK", "strict"), ("HEAPCHECK_SUPPRESSIONS", "a::b"), ("LSAN_OPTIONS", "suppressions=c")];
    let options = read(&variables).unwrap();
    assert_eq!(options.suppression_files().collect::<Vec<_>>(), [b"a", b"b", b"c"]);
    assert_eq!(Options::new(None).suppression_files().count(), 0);
}

#[test]
fn a_bad_value_says_what_was_expected() {
    check_error(
        &[("HEAPCHECK_DEPTH", "200")],
        "heapcheck: HEAPCHECK_DEPTH: '200' is not a number from 1 to 128\n\
         heapcheck: hint: leave it unset for the default, which is 128\n",
    );
    for number in ["", "+", "-", "1x", "99999999999999999999"].into_iter().skip(1) {
        check_error(
            &[("HEAPCHECK_SIGNAL", number)],
            &format!(
                "heapcheck: HEAPCHECK_SIGNAL: '{number}' is not a number from 1 to 64\n\
                 heapcheck: hint: leave it unset to switch it off\n"
            ),
        );
    }
    check_error(
        &[("HEAPCHECK_ROOTS", "all,-tsl")],
        "heapcheck: HEAPCHECK_ROOTS: 'all,-tsl' is not a list of names, each a kind of root: \
         it can be globals, stacks, registers, tls, dtv, keys, pending, regions, maps, ends or tags\n",
    );
    check_error(
        &[("HEAPCHECK_ROOTS", "global")],
        "heapcheck: HEAPCHECK_ROOTS: 'global' is not a list of names, each a kind of root: \
         did you mean 'globals'? it can be globals, stacks, registers, tls, dtv, keys, pending, \
         regions, maps, ends or tags\n",
    );
    check_error(
        &[("LSAN_OPTIONS", "exitcode=x")],
        "heapcheck: LSAN_OPTIONS: exitcode: 'x' is not a number from 0 to 255\n\
         heapcheck: hint: leave it unset for the default, which is 23\n",
    );
    check_error(
        &[("HEAPCHECK_VERIFY", "maybe")],
        "heapcheck: HEAPCHECK_VERIFY: 'maybe' is not 0 or 1\n\
         heapcheck: hint: leave it unset for the default, which is 0\n",
    );
    check_error(
        &[("HEAPCHECK_CHILDREN", "some")],
        "heapcheck: HEAPCHECK_CHILDREN: 'some' is not none, all or the absolute path of a folder\n\
         heapcheck: hint: leave it unset for the default, which is none\n",
    );
    check_error(
        &[("HEAPCHECK_SIGNAL", "62")],
        "heapcheck: HEAPCHECK_SIGNAL: '62' is also the signal that stops threads\n\
         heapcheck: hint: choose another number, or set HEAPCHECK_STOP_SIGNAL to another real-time signal\n",
    );
    check_error(
        &[("LSAN_OPTIONS", "a=1:suppressions='x")],
        "heapcheck: LSAN_OPTIONS: no closing quote in 'x\n\
         heapcheck: hint: quote a whole value, as in suppressions='a file'\n",
    );
}

/// The default that the table shows is the one that holds: setting it changes nothing.
#[test]
fn the_defaults_of_the_table_are_those_of_the_options() {
    for row in TABLE.iter().filter(|row| !row.default.is_empty() && row.name != "log_path") {
        for mode in Mode::ALL {
            let mut options = Options::new(Some(mode));
            value::apply(&mut options, row, row.default.as_bytes()).unwrap();
            assert_eq!(options, Options::new(Some(mode)), "{}", row.name);
        }
    }
}

#[test]
fn names_are_unique_and_sentences_are_sentences() {
    for (index, row) in TABLE.iter().enumerate() {
        assert!(TABLE[..index].iter().all(|other| other.name != row.name), "{} twice", row.name);
        if !matches!(row.kind, Kind::Moot { .. }) {
            assert!(row.about.ends_with('.') && !row.about.contains('|'), "{}", row.name);
        }
    }
}

#[test]
fn any_bytes_are_read_without_a_panic() {
    let mut seed = 1_u64;
    for _ in 0..3_000 {
        let mut bytes = [0; 24];
        for byte in &mut bytes {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = b"a1=,: '\"-lx\xff\0use_tls"[(seed >> 33) as usize % 20];
        }
        fuzz(&bytes);
    }
}
