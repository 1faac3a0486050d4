//! Times as RFC 3339 writes them, in UTC and with nanoseconds.
//!
//! A library for calendars would be a twentieth of the program.

use std::time::{SystemTime, UNIX_EPOCH};

const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// `2026-01-31T10:11:12.000000007Z`; times before 1970 are the beginning of 1970.
pub fn rfc3339(time: SystemTime) -> String {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, nanoseconds) = (since_epoch.as_secs(), since_epoch.subsec_nanos());
    let (year, month, day) = date(seconds / SECONDS_A_DAY);
    let (hours, minutes) = (seconds % SECONDS_A_DAY / 3600, seconds % 3600 / 60);
    format!(
        "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{:02}.{nanoseconds:09}Z",
        seconds % 60
    )
}

/// The date that comes so many days after the first of January 1970.
fn date(days: u64) -> (u64, u64, u64) {
    let (year, day_of_year) = count_off(1970, days, |year| if is_leap(year) { 366 } else { 365 });
    let (month, day) = count_off(1, day_of_year, |month| match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    });
    (year, month, day + 1)
}

/// Which of the units counted from `first` on the day falls into, and how many days of that one come before it.
fn count_off(first: u64, days: u64, length: impl Fn(u64) -> u64) -> (u64, u64) {
    let (mut unit, mut days) = (first, days);
    while days >= length(unit) {
        days -= length(unit);
        unit += 1;
    }
    (unit, days)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_what_a_calendar_says(seconds in 0..9_000_000_000_u64, nanoseconds in 0..1_000_000_000_u32) {
            let time = UNIX_EPOCH + Duration::new(seconds, nanoseconds);
            let expected = Timestamp::try_from(time).unwrap();
            prop_assert_eq!(rfc3339(time), format!("{expected:.9}"));
        }
    }

    #[test]
    fn knows_the_edges_of_years_and_months() {
        for date in [
            "1970-01-01T00:00:00.000000000Z",
            "1999-12-31T23:59:59.999999999Z",
            "2000-02-29T12:00:00.000000001Z",
            "2024-02-29T00:00:00.000000000Z",
            "2025-03-01T00:00:00.000000000Z",
            "2100-02-28T23:59:59.000000000Z",
            "2100-03-01T00:00:00.000000000Z",
        ] {
            let time: Timestamp = date.parse().unwrap();
            assert_eq!(rfc3339(time.into()), date);
        }
        assert_eq!(
            rfc3339(UNIX_EPOCH - Duration::from_secs(1)),
            "1970-01-01T00:00:00.000000000Z"
        );
    }
}
