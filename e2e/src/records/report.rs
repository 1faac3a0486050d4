//! What the record test prints.

use anyhow::ensure;
use serde_json::Value;
use tributary_crds::engine::Engine;

use super::comparison::Comparison;
use crate::table;

/// How many characters of a record are shown.
const SHOWN: usize = 2_000;

/// A line of the table.
#[derive(Debug)]
pub struct Row {
    /// The set.
    pub set: String,
    /// The output.
    pub output: &'static str,
    /// Lines that were written to the logs.
    pub lines: usize,
    /// Records that they should become.
    pub records: usize,
    /// What they became.
    pub comparison: Comparison,
}

/// Prints the differences, then the table; an error when there are any.
pub fn print(engine: Engine, rows: &[Row]) -> anyhow::Result<()> {
    for row in rows {
        differences(row);
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let comparison = &row.comparison;
            let numbers = [
                row.lines,
                row.records,
                comparison.as_expected,
                comparison.different.len() + comparison.unexpected.len(),
                comparison.lost.len(),
                comparison.doubled.len(),
            ];
            let names = [row.set.clone(), row.output.to_owned()];
            names
                .into_iter()
                .chain(numbers.map(|number| number.to_string()))
                .collect()
        })
        .collect();
    println!("What became of the lines with {}:\n", engine.as_str());
    print!(
        "{}",
        table::draw(
            &[
                "SET",
                "OUTPUT",
                "LINES",
                "RECORDS",
                "AS EXPECTED",
                "DIFFERENT",
                "LOST",
                "DOUBLED"
            ],
            &cells
        )
    );
    let wrong = rows.iter().filter(|row| !row.comparison.is_exact()).count();
    ensure!(wrong == 0, "{wrong} of {} are not as expected", rows.len());
    Ok(())
}

fn differences(row: &Row) {
    let place = format!("{} at {}", row.set, row.output);
    for (expected, actual) in &row.comparison.different {
        println!(
            "{place}, different:\n  should be {}\n  is        {}\n",
            shown(expected),
            shown(actual)
        );
    }
    for (what, records) in [
        ("lost", &row.comparison.lost),
        ("doubled", &row.comparison.doubled),
        ("written by nobody", &row.comparison.unexpected),
    ] {
        for record in records {
            println!("{place}, {what}:\n  {}\n", shown(record));
        }
    }
}

fn shown(record: &Value) -> String {
    let text = record.to_string();
    let length = text.chars().count();
    if length <= SHOWN {
        return text;
    }
    let half = |skipped: usize| text.chars().skip(skipped).take(SHOWN / 2).collect::<String>();
    format!(
        "{} [{} characters] {}",
        half(0),
        length - SHOWN,
        half(length - SHOWN / 2)
    )
}
