//! A table of some cases or peers, put into a table of more of them: a whole bench takes longer than a machine is quiet.

use std::fmt::Write;

/// What stands between the markers of the README: a text, and a table.
struct Page<'a> {
    text: &'a str,
    titles: Vec<&'a str>,
    rows: Vec<Vec<&'a str>>,
}

impl<'a> Page<'a> {
    fn read(page: &'a str) -> Option<Self> {
        let (text, table) = page.split_once("\n| ")?;
        let mut lines = table.lines();
        let titles = cells(lines.next()?);
        let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
        Some(Self { text, titles, rows: rows.map(|row| cells(row.trim_start_matches('|'))).collect() })
    }

    fn row(&self, case: &str) -> Option<&Vec<&'a str>> {
        self.rows.iter().find(|row| row.first() == Some(&case))
    }

    fn cell(&self, case: &str, title: &str) -> Option<&'a str> {
        let column = self.titles.iter().position(|known| *known == title)?;
        self.row(case)?.get(column).copied()
    }

    /// Whether all that was measured of the case is of a smaller share of its work, the plain time too.
    fn is_light(&self, case: &str) -> bool {
        self.row(case).is_some_and(|row| row.iter().skip(2).all(|cell| cell.ends_with('*') || *cell == "-"))
    }
}

fn cells(line: &str) -> Vec<&str> {
    line.trim().trim_end_matches('|').split('|').map(str::trim).collect()
}

/// The cells of `new`, and those of `old` that it has none for. The text is that of `new`.
pub(crate) fn merged(old: &str, new: &str) -> Option<String> {
    let (old, new) = (Page::read(old)?, Page::read(new)?);
    let mut titles = old.titles.clone();
    titles.extend(new.titles.iter().filter(|title| !old.titles.contains(title)));
    let mut cases: Vec<&str> = old.rows.iter().filter_map(|row| row.first().copied()).collect();
    cases.extend(new.rows.iter().filter_map(|row| row.first()).filter(|case| old.row(case).is_none()));
    // The first column has no title.
    let mut text =
        format!("{}\n| | {} |\n|{}\n", new.text, titles[1..].join(" | "), "---|".repeat(titles.len()));
    let light = |case| new.is_light(case);
    for case in cases {
        let row = titles.iter().map(|title| {
            let (new, old) = (new.cell(case, title), old.cell(case, title));
            if *title == "plain" && light(case) { old.or(new) } else { new.or(old) }.unwrap_or("-")
        });
        let _ = writeln!(text, "| {} |", row.collect::<Vec<_>>().join(" | "));
    }
    Some(text)
}
