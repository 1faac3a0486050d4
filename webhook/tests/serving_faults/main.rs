//! What is done to a webhook while it serves, and how many admissions that costs: none.
//!
//! The real program is under test, over TLS, while clients that behave as the API server does have pods reviewed all the time.
//! A table of what was done and what was counted comes last.

mod callers;
mod hostile;
mod overload;
mod row;
mod stage;
mod swaps;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::row::Row;

type Fault = fn() -> anyhow::Result<Row>;

const FAULTS: &[(&str, Fault)] = &[
    ("the_certificate_is_swapped_fifty_times", swaps::certificates),
    ("each_of_two_replicas_is_restarted", swaps::replicas),
    ("clients_are_slow", hostile::slow),
    ("bodies_are_too_large", hostile::large),
    ("bytes_are_garbage", hostile::garbage),
    ("ten_thousand_connections_are_opened_at_once", hostile::crowd),
    ("more_is_asked_at_once_than_there_are_slots", overload::overload),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each takes the whole machine.
    arguments.test_threads = Some(1);
    let rows = Arc::new(Mutex::new(Vec::new()));
    let trials = FAULTS.iter().map(|&(name, fault)| {
        let rows = Arc::clone(&rows);
        Trial::test(name, move || {
            let row = fault().map_err(|error| Failed::from(format!("{error:#}")))?;
            let verdict = row.verdict();
            rows.lock().unwrap_or_else(PoisonError::into_inner).push(row);
            verdict.map_err(Failed::from)
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let rows = rows.lock().unwrap_or_else(PoisonError::into_inner);
    if !rows.is_empty() {
        println!("{}", row::table(&rows));
    }
    conclusion.exit_code()
}
