//! Runs the cases: pairs of a plain and a checked run in turn, and the medians over the pairs.

use crate::ask::Ask;
use crate::case::{Case, Figure, Who};
use crate::child::Sample;
use crate::house::House;
use crate::peer::Peer;
use std::time::{Duration, Instant};

/// After this long a peer gets no further pair on a case: the slow ones would else take the day.
const BUDGET: Duration = Duration::from_secs(25);

/// The figures of one case.
pub(crate) struct Row {
    pub(crate) case: Case,
    pub(crate) cells: Vec<Cell>,
}

/// One peer on one case: medians over its pairs.
pub(crate) struct Cell {
    pub(crate) key: &'static str,
    pub(crate) pairs: usize,
    /// The smaller share of the work was run.
    pub(crate) light: bool,
    pub(crate) plain: f64,
    pub(crate) checked: f64,
    /// Ratio or difference to the plain run of the same pair, as the case wants it.
    pub(crate) compared: f64,
    pub(crate) compared_min: f64,
    pub(crate) compared_max: f64,
    /// The leak phase by the checker's own account.
    pub(crate) phase_ns: Option<f64>,
    pub(crate) cpu_ratio: f64,
    pub(crate) rss_ratio: f64,
}

impl Row {
    pub(crate) fn cell(&self, key: &str) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.key == key)
    }
}

/// Runs every case under every peer; the first of the peers is the plain one.
pub(crate) fn run_all(
    ask: &Ask,
    house: &House,
    cases: &[Case],
    peers: &[Peer],
    skipped: &mut Vec<String>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    let Some((plain, checkers)) = peers.split_first() else { return rows };
    for case in cases {
        let mut cells = Vec::new();
        for peer in checkers.iter().filter(|peer| takes_part(peer, case)) {
            eprintln!("peers: {}: {}", case.title, peer.title);
            match run_pairs(house, case, plain, peer, ask.quick) {
                Ok(cell) => cells.push(cell),
                Err(why) => {
                    eprintln!("peers: skipped: {why}");
                    skipped.push(why);
                }
            }
        }
        if !cells.is_empty() {
            rows.push(Row { case: case.clone(), cells });
        }
    }
    rows
}

fn takes_part(peer: &Peer, case: &Case) -> bool {
    let ours = matches!(peer.key, "short" | "full");
    let sees = peer.sees_raw() || !case.raw;
    sees && (case.who == Who::All || ours) && (!peer.slow || case.light.is_some())
}

fn run_pairs(house: &House, case: &Case, plain: &Peer, peer: &Peer, quick: bool) -> Result<Cell, String> {
    let light = peer.slow;
    let wanted = if peer.slow { 3 } else { case.pairs };
    let budget = if quick { BUDGET / 5 } else { BUDGET };
    // The first runs bring the files into memory and are not counted.
    plain.run(house, case, light)?;
    let start = Instant::now();
    let mut pairs: Vec<(Sample, Sample)> = Vec::new();
    while pairs.is_empty() || (pairs.len() < wanted && start.elapsed() < budget) {
        pairs.push((plain.run(house, case, light)?, peer.run(house, case, light)?));
    }
    let figure =
        |sample: &Sample| figure(case.figure, sample).ok_or(format!("{} printed no figure", case.title));
    let mut both = Vec::new();
    for (plain, checked) in &pairs {
        both.push((figure(plain)?, figure(checked)?));
    }
    let compared = sorted(both.iter().map(|&(plain, checked)| compare(case.figure, plain, checked)));
    let phases = sorted(pairs.iter().filter_map(|(_, checked)| checked.phase_ns));
    Ok(Cell {
        key: peer.key,
        pairs: pairs.len(),
        light: light && case.light != Some(case.args),
        plain: median(&sorted(both.iter().map(|pair| pair.0))),
        checked: median(&sorted(both.iter().map(|pair| pair.1))),
        compared: median(&compared),
        compared_min: compared[0],
        compared_max: compared[compared.len() - 1],
        phase_ns: (!phases.is_empty()).then(|| median(&phases)),
        cpu_ratio: median(&sorted(pairs.iter().map(|(plain, checked)| checked.cpu_ns / plain.cpu_ns))),
        rss_ratio: median(&sorted(pairs.iter().map(|(plain, checked)| checked.rss_kib / plain.rss_kib))),
    })
}

fn figure(figure: Figure, sample: &Sample) -> Option<f64> {
    match figure {
        Figure::Wall | Figure::WallMore => Some(sample.wall_ns),
        Figure::Printed(name) | Figure::PrintedMore(name) => sample.line(name),
        Figure::LeaveMore => Some(sample.leave_ns),
    }
}

fn compare(figure: Figure, plain: f64, checked: f64) -> f64 {
    match figure {
        Figure::Wall | Figure::Printed(_) => checked / plain,
        Figure::WallMore | Figure::PrintedMore(_) | Figure::LeaveMore => checked - plain,
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { (sorted[half - 1] + sorted[half]) / 2.0 }
}
