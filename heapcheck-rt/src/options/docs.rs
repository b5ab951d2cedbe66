#![forbid(unsafe_code)]
//! The page of documentation that comes from the table. It is committed as `docs/environment.md`, and a test compares.

use super::table::{Family, Kind, MODE_ROW, Row, TABLE};
use crate::text::Text;

const HEAD: &str = "\
# What the runtime reads from the environment

This page is rendered from the table in `heapcheck-rt/src/options/table.rs`; a test keeps them equal.

Nothing happens without `HEAPCHECK`, but in a test binary that has the runtime linked in (`heapcheck_rt::standalone!()`):
there, unset means `local`. Later sources win: the string that the program's own `__lsan_default_options`
returns, `LSAN_OPTIONS`, the `HEAP_CHECK_*` variables of gperftools, the `HEAPCHECK_*` variables. An empty value is the
same as an unset variable. A value that can't be used ends the program before it begins, with a line that says why and what
it can be, and exit status 2. A switch is `1`, `true`, `yes`, `on` or `0`, `false`, `no`, `off`.
";

const OURS: &str = "
## Variables of heapcheck

A list names what is in it, with a comma between: `stacks,registers`. `all` is everything, and a name after `-` is taken
out: `all,-tls`, or `-tls` for short.

";

const LSAN: &str = "
## Flags inside `LSAN_OPTIONS`

They are written `name=value`, with a space, comma, colon or line break between; a value in quotes may hold those. A flag
that is not listed here is ignored, and the report says so.

";

const GPERFTOOLS: &str = "
## Variables of gperftools' heap checker

";

const MOOT: &str = "
## Settings of other checkers that are understood and have no effect

| name | why |
|---|---|
";

/// Writes the whole page.
pub fn write(text: &mut Text<'_>) {
    text.str(HEAD).str(OURS).str(TABLE_HEAD);
    write_row(text, &MODE_ROW);
    write_family(text, Family::Heapcheck);
    text.str(GPERFTOOLS).str(TABLE_HEAD);
    write_family(text, Family::Gperftools);
    text.str(LSAN).str(TABLE_HEAD);
    write_family(text, Family::Lsan);
    text.str(MOOT);
    for row in TABLE {
        if let Kind::Moot { why } = row.kind {
            text.str("| `").str(row.name).str("` | ").str(why).str(" |\n");
        }
    }
}

const TABLE_HEAD: &str = "| name | value | default | meaning |\n|---|---|---|---|\n";

fn write_family(text: &mut Text<'_>, family: Family) {
    for row in TABLE.iter().filter(|row| row.family == family && !matches!(row.kind, Kind::Moot { .. })) {
        write_row(text, row);
    }
}

fn write_row(text: &mut Text<'_>, row: &Row) {
    text.str("| `").str(row.name).str("` | ");
    match row.kind {
        Kind::Choice { names, .. } => write_names(text, names, ""),
        Kind::List { names, .. } => write_names(text, names, "list of "),
        Kind::Number { min, max, .. } if min == i32::MIN.into() || max == i32::MAX.into() => {
            text.str("a number");
        }
        Kind::Number { min, max, .. } => {
            text.signed(min).str(" to ").signed(max);
        }
        Kind::Switch { .. } => {
            text.str("switch");
        }
        Kind::Path { .. } => {
            text.str("path");
        }
        Kind::Children => {
            text.str("`none`, `all`, or the absolute path of a folder");
        }
        Kind::Moot { .. } => {}
    }
    text.str(" | ").str(if row.default.is_empty() { "unset" } else { row.default });
    text.str(" | ").str(row.about).str(" |\n");
}

fn write_names(text: &mut Text<'_>, names: &[&str], before: &str) {
    text.str(before);
    for (index, name) in names.iter().enumerate() {
        text.str(if index == 0 { "`" } else { ", `" }).str(name).str("`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_committed_page_is_what_the_table_renders() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/environment.md");
        let mut page = Vec::new();
        write(&mut Text::new(&mut page));
        let page = String::from_utf8(page).unwrap();
        if std::env::var_os("HEAPCHECK_BLESS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &page).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == page, "docs/environment.md is stale; run this test with HEAPCHECK_BLESS=1");
    }
}
