//! `cargo bench -p heapcheck-tests`: what checking costs, beside the other leak checkers on the same work.
//!
//! The programs of `benches/programs` run plain and under each peer, in turn: every figure comes from pairs of runs,
//! one plain and one checked, and is the median over the pairs. A peer that is missing here, or that does not find a
//! planted leak, or that finds one where there is none, is left out aloud. The table goes to stdout and to
//! `target/heapcheck-bench/results.md`; progress goes to stderr.

mod ask;
mod phase;
mod child;
mod house;
mod case;
mod peer;
mod census;
mod measure;
mod table;
mod merge;

use ask::Ask;
use house::House;
use std::process::ExitCode;

fn main() -> ExitCode {
    let ask = match Ask::read(std::env::args().skip(1)) {
        Ok(ask) => ask,
        Err(hint) => {
            eprintln!("{hint}");
            return ExitCode::from(2);
        }
    };
    // `cargo test --benches` runs this file as well, without `--bench`, and wants an answer in no time.
    if !ask.bench {
        eprintln!("peers: skipped: a bench runs under `cargo bench`");
        return ExitCode::SUCCESS;
    }
    match run(&ask) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(ask: &Ask) -> Result<(), String> {
    let house = House::open()?;
    let cases = case::chosen(ask);
    let (peers, mut skipped) = peer::present(&house, ask, &cases);
    let figures = measure::run_all(ask, &house, &cases, &peers, &mut skipped);
    let mut results = table::results(&house, &peers, &figures, &skipped);
    if !ask.quick {
        results += &census::table(&house, &cases)?;
    }
    println!("{results}");
    house.save_results(&results)?;
    if ask.write_readme {
        let table = table::headline(&house, &peers, &figures);
        house.replace_in_readme(
            |old| if ask.is_part() { merge::merged(old, &table) } else { Some(table.clone()) },
        )
    } else {
        Ok(())
    }
}
