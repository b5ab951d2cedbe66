#![forbid(unsafe_code)]
//! JUnit: a suite for each program, a case for each test. A leak is a failure of its test, a test that was not judged an
//! error, and one that is not checked, as configured, is skipped. Each has its time, and what it printed when it did not pass.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::explain::Explained;
use crate::human;
use crate::look::Look;
use crate::verdict::Verdict;

/// Writes the report.
pub(crate) fn render(units: &[Explained]) -> String {
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for unit in units {
        let suite = suites.entry(&unit.program).or_insert_with(|| TestSuite::new(unit.program.as_str()));
        suite.add_test_case(case(unit));
    }
    for suite in suites.values_mut() {
        suite.time = together(suite.test_cases.iter().map(|case| case.time));
    }
    let mut report = Report::new("heapcheck");
    report.time = together(suites.values().map(|suite| suite.time));
    report.add_test_suites(suites.into_values());
    report.to_string().unwrap_or_default()
}

/// The sum of the times that are known, if any is.
fn together(times: impl Iterator<Item = Option<Duration>>) -> Option<Duration> {
    times.flatten().reduce(|sum, time| sum + time)
}

fn case(unit: &Explained) -> TestCase {
    let mut case = TestCase::new(unit.test.as_deref().unwrap_or(&unit.program), status(unit));
    case.set_classname(unit.program.as_str());
    if let Some(took_ms) = unit.took_ms {
        case.set_time(Duration::from_millis(took_ms));
    }
    if let Some(output) = &unit.output {
        case.set_system_out(output.as_str());
    }
    let numbers = [
        ("heapcheck.leaked_bytes", unit.leaked_bytes),
        ("heapcheck.leaked_blocks", unit.leaked_blocks),
        ("heapcheck.suppressed_bytes", unit.suppressed_bytes),
    ];
    for (name, number) in numbers.into_iter().filter(|(_, number)| *number > 0) {
        case.add_property((name, number.to_string().as_str()));
    }
    case
}

fn status(unit: &Explained) -> TestCaseStatus {
    let (kind, what) = match &unit.verdict {
        Verdict::Clean => return TestCaseStatus::success(),
        Verdict::Unchecked => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message("not checked, as configured");
            return skipped;
        }
        Verdict::Leaked => (NonSuccessKind::Failure, "leak"),
        Verdict::Failed => (NonSuccessKind::Failure, "test failure"),
        Verdict::TimedOut => (NonSuccessKind::Failure, "timeout"),
        Verdict::None(_) => (NonSuccessKind::Error, "no verdict"),
    };
    let mut status = TestCaseStatus::non_success(kind);
    let summary = human::summary(unit);
    status.set_type(what).set_message(summary.trim_end());
    match (&unit.verdict, &unit.output) {
        (Verdict::Leaked, _) => drop(status.set_description(human::render(unit, Look::default()))),
        (Verdict::Failed, Some(output)) => drop(status.set_description(output.as_str())),
        _ => {}
    }
    status
}
