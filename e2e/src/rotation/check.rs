//! What arrived, against what was written.

use crate::tally::Tally;

use super::receiver::Arrival;

/// The outcome at one backend.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Lost and doubled lines.
    pub tally: Tally,
    /// Lines that arrived after one with a higher number, the first time that they arrived.
    pub reordered: u64,
    /// The longest time between being printed and having arrived, in milliseconds.
    pub slowest: i64,
}

/// Looks at everything that arrived, in its order.
pub fn check(written: u64, arrivals: &[Arrival]) -> Check {
    let mut highest = None;
    let mut reordered = 0;
    let mut seen = std::collections::BTreeSet::new();
    for arrival in arrivals {
        if seen.insert(arrival.number) {
            reordered += u64::from(highest.is_some_and(|highest| arrival.number < highest));
            highest = highest.max(Some(arrival.number));
        }
    }
    Check {
        tally: Tally::count(written, arrivals.iter().map(|arrival| arrival.number)),
        reordered,
        slowest: arrivals.iter().map(|arrival| arrival.delay).max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_first_arrivals() {
        let arrivals: Vec<Arrival> = [0, 2, 1, 3, 0, 5]
            .map(|number| Arrival {
                number,
                delay: i64::try_from(number).unwrap(),
            })
            .into();
        let check = check(6, &arrivals);
        assert_eq!((check.tally.lost, check.tally.doubled), (1, 1));
        assert_eq!(check.reordered, 1);
        assert_eq!(check.slowest, 5);
    }
}
