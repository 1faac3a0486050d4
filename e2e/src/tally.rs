//! Counting numbered lines: what was written against what arrived.

use std::collections::BTreeMap;

/// Where a line carries its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// `NUMBER: text`, as the documentation's counter writes.
    Leading,
    /// `text NUMBER`, as the second file of the documentation's two-file counter has it.
    Trailing,
}

impl Numbering {
    /// The number of a line, if it has one.
    pub fn number(self, line: &str) -> Option<u64> {
        match self {
            Self::Leading => line.split_once(':')?.0.trim().parse().ok(),
            Self::Trailing => line.trim_end().rsplit(' ').next()?.parse().ok(),
        }
    }
}

/// The outcome for one stream of lines numbered from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines that the application wrote.
    pub written: u64,
    /// Lines at the backend, copies included.
    pub found: u64,
    /// Numbers that were written and never arrived.
    pub lost: u64,
    /// Copies beyond the first of each number.
    pub doubled: u64,
}

impl Tally {
    /// Counts the numbers found against `0..written`. Lines written after `written` was taken do not count.
    pub fn count(written: u64, numbers: impl IntoIterator<Item = u64>) -> Self {
        let mut copies: BTreeMap<u64, u64> = BTreeMap::new();
        for number in numbers.into_iter().filter(|number| *number < written) {
            *copies.entry(number).or_default() += 1;
        }
        let found = copies.values().sum();
        let distinct = copies.len() as u64;
        Self {
            written,
            found,
            lost: written - distinct,
            doubled: found - distinct,
        }
    }

    /// Whether every line arrived exactly once, and there was at least one.
    pub fn is_exact(self) -> bool {
        self.written > 0 && self.lost == 0 && self.doubled == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_numbers_of_both_formats() {
        assert_eq!(
            Numbering::Leading.number("12: Mon Jan  1 00:00:12 UTC 2024"),
            Some(12)
        );
        assert_eq!(
            Numbering::Trailing.number("Mon Jan  1 00:00:12 UTC 2024 INFO 12"),
            Some(12)
        );
        assert_eq!(Numbering::Leading.number("no number"), None);
        assert_eq!(Numbering::Trailing.number("12 no number"), None);
    }

    #[test]
    fn losses_and_copies_are_told_apart() {
        let tally = Tally::count(5, [0, 1, 1, 1, 3, 7]);
        assert_eq!(
            tally,
            Tally {
                written: 5,
                found: 5,
                lost: 2,
                doubled: 2
            }
        );
        assert!(!tally.is_exact());
        assert!(Tally::count(2, [1, 0]).is_exact());
        assert!(!Tally::count(0, []).is_exact(), "nothing written proves nothing");
    }
}
