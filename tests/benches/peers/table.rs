//! The results as Markdown: the table of peers, the floors of heapcheck, the spread of every figure, what was skipped.

use crate::case::{Against, Figure, Floor};
use crate::house::House;
use crate::measure::{Cell, Row};
use crate::peer::Peer;
use std::fmt::Write;

/// All that was measured.
pub(crate) fn results(house: &House, peers: &[Peer], rows: &[Row], skipped: &[String]) -> String {
    let mut text = format!("# What checking costs\n\n{}\n", headline(house, peers, rows));
    text += &floors(rows);
    text += &details(rows);
    if !skipped.is_empty() {
        text += "\n## Skipped\n\n";
        for why in skipped {
            let _ = writeln!(text, "- {}", why.replace('\n', " / "));
        }
    }
    text
}

/// The table of peers, with the machine it was measured on.
pub(crate) fn headline(house: &House, peers: &[Peer], rows: &[Row]) -> String {
    let about = format!(
        "{}. {}; release builds have frame pointers. Each figure is the median of paired runs, plain and checked in \
         turn: times as ratios to the plain program unless a unit stands there, `+` is what comes on top of plain. \
         `*` marks a smaller share of the work.",
        machine(),
        house.rustc
    );
    let mut text = format!("{}\n\n", folded(&about));
    let checkers: Vec<&Peer> = peers.iter().filter(|peer| peer.key != "plain").collect();
    let titles: Vec<&str> = checkers.iter().map(|peer| peer.title).collect();
    let _ = writeln!(text, "| | plain | {} |", titles.join(" | "));
    let _ = writeln!(text, "|---|---|{}", "---|".repeat(titles.len()));
    for row in rows {
        let plain = row.cells.iter().find(|cell| !cell.light).or(row.cells.first());
        let plain = plain.map_or("-".into(), |cell| unit(row.case.figure, cell.plain));
        let cells: Vec<String> = checkers
            .iter()
            .map(|peer| row.cell(peer.key).map_or("-".into(), |cell| shown(row.case.figure, cell)))
            .collect();
        let _ = writeln!(text, "| {} | {plain} | {} |", row.case.title, cells.join(" | "));
    }
    text
}

/// The text in lines of the width that the pages of this repository have.
fn folded(text: &str) -> String {
    const WIDTH: usize = 130;
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= WIDTH => *line += &format!(" {word}"),
            _ => lines.push(word.to_string()),
        }
    }
    lines.join("\n")
}

fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let loadavg = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = loadavg.split(' ').next().unwrap_or("?").to_owned();
    format!("{}, {cores} cores, load {load}", model.map_or("unknown processor", |(_, name)| name))
}

fn shown(figure: Figure, cell: &Cell) -> String {
    let star = if cell.light { "*" } else { "" };
    match figure {
        Figure::Printed(_) => format!("{} ({}){star}", amount(cell.compared), unit(figure, cell.checked)),
        Figure::LeaveMore => {
            let phase = cell.phase_ns.map(|ns| format!(" (leak phase {})", unit(figure, ns)));
            format!("{}{star}{}", compared(figure, cell.compared), phase.unwrap_or_default())
        }
        _ => format!("{}{star}", compared(figure, cell.compared)),
    }
}

/// A figure as compared with plain: a bare ratio, or a difference with its sign and unit.
fn compared(figure: Figure, value: f64) -> String {
    match figure {
        Figure::Wall | Figure::Printed(_) => amount(value),
        _ if value < 0.0 => format!("-{}", unit(figure, -value)),
        _ => format!("+{}", unit(figure, value)),
    }
}

fn unit(figure: Figure, value: f64) -> String {
    match figure {
        Figure::PrintedMore(_) => format!("{} B", amount(value)),
        Figure::Printed(_) => format!("{} ns", amount(value)),
        _ => format!("{} ms", amount(value / 1e6)),
    }
}

/// Three digits, whatever the size.
fn amount(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn floors(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        for floor in &row.case.floors {
            if let Some((what, measured)) = held_against(rows, row, floor) {
                let figure = if matches!(floor.against, Against::Plain | Against::Itself) {
                    row.case.figure
                } else {
                    Figure::Wall
                };
                // Held to the digits that are shown: the last ones are noise.
                let verdict = if measured <= floor.limit * 1.005 { "holds" } else { "**missed**" };
                let _ = writeln!(
                    text,
                    "| {} | {} | {what} | {} | {} | {verdict} |",
                    row.case.title,
                    floor.peer,
                    compared(figure, measured),
                    compared(figure, floor.limit)
                );
            }
        }
    }
    if text.is_empty() {
        return text;
    }
    format!(
        "\n## Floors\n\n| case | stacks | against | measured | at most | |\n|---|---|---|---|---|---|\n{text}"
    )
}

fn held_against(rows: &[Row], row: &Row, floor: &Floor) -> Option<(String, f64)> {
    let cell = row.cell(floor.peer)?;
    Some(match floor.against {
        Against::Plain => ("plain".into(), cell.compared),
        Against::Itself => ("leak phase by its record".into(), cell.phase_ns?),
        Against::Peer(key) => (format!("LeakSanitizer ({key})"), cell.checked / row.cell(key)?.checked),
        Against::Case(title) => {
            let other = rows.iter().find(|row| row.case.title == title)?.cell(floor.peer)?;
            (format!("its own {title}"), cell.checked / other.checked)
        }
    })
}

fn details(rows: &[Row]) -> String {
    let mut text = String::from(
        "\n## Details\n\n| case | peer | pairs | plain | checked | median | lowest | highest | processor time | peak memory |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let figure = row.case.figure;
        for cell in &row.cells {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                row.case.title,
                cell.key,
                cell.pairs,
                unit(figure, cell.plain),
                unit(figure, cell.checked),
                compared(figure, cell.compared),
                compared(figure, cell.compared_min),
                compared(figure, cell.compared_max),
                amount(cell.cpu_ratio),
                amount(cell.rss_ratio)
            );
        }
    }
    text
}
