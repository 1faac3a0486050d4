//! What was done, and what became of the admissions meanwhile.

use std::fmt::Write as _;
use std::time::Duration;

/// One line of the table.
pub struct Row {
    /// What was done.
    pub done: String,
    /// What became of whoever did it, when it was a client.
    pub met: String,
    /// The admissions of those that behaved.
    pub admissions: Admissions,
}

/// Admissions that were asked for as the API server asks.
#[derive(Clone, Debug, Default)]
pub struct Admissions {
    /// All of them.
    pub tried: u64,
    /// Those with the right answer.
    pub right: u64,
    /// The longest of them.
    pub longest: Duration,
    /// Why the others failed, the first few.
    pub failures: Vec<String>,
}

/// Fewer than this would show nothing.
const FEWEST: u64 = 100;

impl Row {
    /// Whether every admission was right, and enough were tried to say so.
    pub fn verdict(&self) -> Result<(), String> {
        let Admissions {
            tried,
            right,
            failures,
            ..
        } = &self.admissions;
        if tried != right || !failures.is_empty() {
            return Err(format!(
                "{} of {tried} admissions failed: {failures:#?}",
                tried - right
            ));
        }
        if *tried < FEWEST {
            return Err(format!("only {tried} admissions were tried"));
        }
        Ok(())
    }
}

/// The table, in Markdown.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "\n| what was done meanwhile | what came of it | admissions tried | right | failed | longest |\n|---|---|---|---|---|---|\n",
    );
    for Row {
        done,
        met,
        admissions,
    } in rows
    {
        let Admissions {
            tried,
            right,
            longest,
            ..
        } = admissions;
        let (failed, longest) = (tried - right, longest.as_millis());
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {done} | {met} | {tried} | {right} | {failed} | {longest} ms |"
        );
    }
    text
}
