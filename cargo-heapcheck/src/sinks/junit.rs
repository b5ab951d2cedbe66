#![forbid(unsafe_code)]
//! JUnit: a suite for each program, a case for each test. A leak is a failure of its test, a test that was not judged an
//! error, and one that is not checked, as configured, is skipped.

use std::collections::BTreeMap;

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
    let mut report = Report::new("heapcheck");
    report.add_test_suites(suites.into_values());
    report.to_string().unwrap_or_default()
}

fn case(unit: &Explained) -> TestCase {
    let mut case = TestCase::new(unit.test.as_deref().unwrap_or(&unit.program), status(unit));
    case.set_classname(unit.program.as_str());
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
    if unit.verdict == Verdict::Leaked {
        status.set_description(human::render(unit, Look::default()));
    }
    status
}
