//! Compiles regular expressions, each alone, uses it once and drops it.

use heapcheck_bench_programs::{begin, end, scaled};
use regex::Regex;
use std::hint::black_box;

const ROUNDS: usize = 500;

const PATTERNS: [&str; 10] = [
    r"^(?-u:\d{4}-\d{2}-\d{2})T(?-u:\d{2}:\d{2}:\d{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$",
    r"(?i)(error|warning|note|help)(\[E[0-9]{4}\])?: (?P<message>.*)$",
    r"([a-z0-9._-]+)@([a-z0-9-]+\.)+[a-z]{2,8}",
    r#""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[A-Za-z_][A-Za-z0-9_]*|[0-9]+(?:\.[0-9]+)?"#,
    r"^(GET|HEAD|POST|PUT|DELETE) (/[^ ?]*)(\?[^ ]*)? HTTP/1\.[01]$",
    r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})",
    r"(Sherlock|Holmes|Watson|Irene|Adler|John|Baker) +(street|said|went|saw)",
    r"^\s*(pub(\([a-z]+\))? )?(const )?(async )?(unsafe )?fn ([a-z_]+)",
    r"(a|b|c|d)*(aa|bb|cc|dd)+[xyz]{3,12}$",
    r"(?P<scheme>https?|ftp)://(?P<host>[^/:]+)(:(?P<port>[0-9]+))?(?P<path>/[^ #]*)?(#.*)?",
];

fn main() {
    begin();
    for _ in 0..scaled(ROUNDS) {
        for pattern in PATTERNS {
            let regex = Regex::new(black_box(pattern)).expect("the pattern is a regular expression");
            black_box(regex.is_match("2024-02-29T12:00:00Z error: http://example.org/ said 10.0.0.1"));
        }
    }
    end();
}
