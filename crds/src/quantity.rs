//! Kubernetes quantities, exact: read, compared, added and written as the API server does.

use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// The smallest part of a unit that a quantity can hold; what is smaller counts as one of these.
const NANOS_PER_UNIT: i128 = 1_000_000_000;
/// The power of ten of that part.
const LEAST_POWER: i64 = -9;
/// What a quantity with a binary suffix is cut to, in units.
const LARGEST_BINARY: i128 = i64::MAX as i128;
/// Suffixes of powers of ten, from the smallest part on, by steps of a thousand.
const DECIMAL_SUFFIXES: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
/// Suffixes of powers of 1024.
const BINARY_SUFFIXES: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
/// So many digits times any binary suffix fit the arithmetic of the machine.
const FEW_DIGITS: usize = 18;

/// An amount of a resource, such as `100m`, `1.5Gi` or `12e6`.
///
/// Equal and ordered by value: `1000m` is `1`. It holds nine digits behind the point, and up to 10²⁹ units; larger amounts are
/// held as the largest.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExactQuantity {
    nanos: i128,
    notation: Notation,
}

/// How a quantity was written, and is written again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Notation {
    /// `12M`
    #[default]
    Decimal,
    /// `12Mi`
    Binary,
    /// `12e6`
    Exponent,
}

/// A text that is no quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no quantity; write one such as 100m or 32Mi")]
pub struct NotAQuantity(String);

impl ExactQuantity {
    /// Nothing.
    pub const ZERO: Self = Self::thousandths(0);
    /// The least that is more than nothing.
    pub const NANO: Self = Self {
        nanos: 1,
        notation: Notation::Decimal,
    };

    /// So many thousandths of a unit, as CPU is counted.
    pub const fn thousandths(thousandths: u32) -> Self {
        Self {
            nanos: thousandths as i128 * (NANOS_PER_UNIT / 1000),
            notation: Notation::Decimal,
        }
    }

    /// So many bytes, written with binary suffixes.
    pub const fn bytes(bytes: u64) -> Self {
        Self {
            nanos: bytes as i128 * NANOS_PER_UNIT,
            notation: Notation::Binary,
        }
    }

    /// The same amount, written with the suffixes of `other`.
    #[must_use]
    pub const fn written_as(self, other: Self) -> Self {
        Self {
            nanos: self.nanos,
            notation: other.notation,
        }
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Whether it is less than nothing, which nothing can ask for.
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// In thousandths of a unit, rounded up: the precision at which a `LimitRange` compares.
    pub fn in_thousandths(self) -> i128 {
        round_up(self.nanos, NANOS_PER_UNIT / 1000)
    }

    /// The same amount, rounded up to thousandths of a unit: what the API server keeps of requests, limits and quotas.
    #[must_use]
    pub fn rounded_up(self) -> Self {
        self.with(self.in_thousandths().saturating_mul(NANOS_PER_UNIT / 1000))
    }

    /// In whole units, rounded up. `None` when it is negative or does not fit.
    pub fn in_units(self) -> Option<u64> {
        let units = u64::try_from(round_up(self.nanos, NANOS_PER_UNIT));
        units.ok().filter(|_| !self.is_negative())
    }

    /// The quantity times `factor`, rounded down to `step`, but not below it.
    #[must_use]
    pub fn times(self, factor: Self, step: Self) -> Self {
        let product = self.nanos.saturating_mul(factor.in_thousandths()) / 1000;
        self.with((product - product % step.nanos).max(step.nanos))
    }

    /// The quantity divided by `divisor`, rounded up to `step`. Division by nothing leaves it as it is.
    #[must_use]
    pub fn divided_by(self, divisor: Self, step: Self) -> Self {
        let divisor = divisor.in_thousandths();
        if divisor <= 0 {
            return self;
        }
        let quotient = round_up(self.nanos.saturating_mul(1000), divisor);
        self.with(round_up(quotient, step.nanos).saturating_mul(step.nanos))
    }

    fn with(self, nanos: i128) -> Self {
        Self { nanos, ..self }
    }
}

/// Divides, and rounds up.
fn round_up(value: i128, divisor: i128) -> i128 {
    value.saturating_add(divisor - 1).div_euclid(divisor)
}

impl FromStr for ExactQuantity {
    type Err = NotAQuantity;

    /// Reads what the API server reads, but for three things that it takes and nobody means: a suffix or a point without any
    /// digit, and exponents beyond 32 bits.
    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let trimmed = text.trim();
        let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
        let (nanos, notation) = read(unsigned).ok_or_else(|| NotAQuantity(text.to_owned()))?;
        let nanos = if trimmed.starts_with('-') { -nanos } else { nanos };
        Ok(Self { nanos, notation })
    }
}

/// A quantity without a sign.
fn read(text: &str) -> Option<(i128, Notation)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || whole.len() + fraction.len() == 0 {
        return None;
    }
    let (notation, tens, twos) = scale(suffix)?;
    let tens = tens
        .checked_sub(LEAST_POWER)?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let digits = || whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0');
    let nanos = if whole.len() + fraction.len() <= FEW_DIGITS {
        scaled(number_of(digits())?.checked_mul(1 << twos)?, tens)
    } else {
        scaled_digits(times_power_of_two(digits(), twos), tens)
    };
    let nanos = match notation {
        Notation::Binary => nanos.min(LARGEST_BINARY * NANOS_PER_UNIT),
        Notation::Decimal | Notation::Exponent => nanos,
    };
    Some((nanos, notation))
}

/// What a suffix stands for: a notation, a power of ten and a power of two.
fn scale(suffix: &str) -> Option<(Notation, i64, u32)> {
    if let Some(step) = (LEAST_POWER..)
        .step_by(3)
        .zip(DECIMAL_SUFFIXES)
        .find(|(_, known)| *known == suffix)
    {
        return Some((Notation::Decimal, step.0, 0));
    }
    if let Some(step) = (0..)
        .step_by(10)
        .zip(BINARY_SUFFIXES)
        .find(|(_, known)| *known == suffix)
    {
        return Some((Notation::Binary, 0, step.0));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    Some((Notation::Exponent, exponent.into(), 0))
}

/// Digits as a number; `None` when it does not fit.
fn number_of(digits: impl IntoIterator<Item = u8>) -> Option<i128> {
    digits.into_iter().try_fold(0_i128, |number, digit| {
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// A number times a power of ten, rounded up. What does not fit is the largest there is.
fn scaled(number: i128, tens: i64) -> i128 {
    let power = u32::try_from(tens.unsigned_abs()).ok();
    let power = power.and_then(|power| 10_i128.checked_pow(power));
    match (number, power) {
        (0, _) => 0,
        (_, Some(power)) if tens < 0 => round_up(number, power),
        (_, None) if tens < 0 => 1,
        (_, Some(power)) => number.saturating_mul(power),
        (_, None) => i128::MAX,
    }
}

/// The same for as many digits as somebody wrote.
fn scaled_digits(mut digits: Vec<u8>, tens: i64) -> i128 {
    if tens >= 0 {
        return number_of(digits).map_or(i128::MAX, |number| scaled(number, tens));
    }
    let cut = usize::try_from(tens.unsigned_abs()).unwrap_or(usize::MAX);
    let dropped = digits.split_off(digits.len().saturating_sub(cut));
    let rest = i128::from(dropped.iter().any(|digit| *digit != 0));
    number_of(digits).map_or(i128::MAX, |number| number.saturating_add(rest))
}

/// The digits of a number times a power of two, of 63 at most.
fn times_power_of_two(digits: impl DoubleEndedIterator<Item = u8>, twos: u32) -> Vec<u8> {
    let mut carry = 0_u128;
    let mut product: Vec<u8> = Vec::new();
    let mut push = |carry: &mut u128| {
        product.push(u8::try_from(*carry % 10).unwrap_or_default());
        *carry /= 10;
    };
    for digit in digits.rev() {
        carry += u128::from(digit) << twos;
        push(&mut carry);
    }
    while carry > 0 {
        push(&mut carry);
    }
    while product.last() == Some(&0) {
        product.pop();
    }
    product.reverse();
    product
}

impl fmt::Display for ExactQuantity {
    /// The canonical text: no digits behind the point, and the largest suffix with which that is so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.nanos / NANOS_PER_UNIT;
        let is_binary = self.notation == Notation::Binary
            && self.nanos % NANOS_PER_UNIT == 0
            && units.unsigned_abs() >= 1024;
        if is_binary {
            let (number, step) = without_factor(units, 1024, BINARY_SUFFIXES.len() - 1);
            return write!(f, "{number}{}", BINARY_SUFFIXES[step]);
        }
        let (number, step) = without_factor(self.nanos, 1000, DECIMAL_SUFFIXES.len() - 1);
        match (self.notation, step) {
            _ if self.nanos == 0 => f.write_str("0"),
            (Notation::Exponent, 3) => write!(f, "{number}"),
            (Notation::Exponent, _) => {
                let (number, step) = without_factor(self.nanos, 1000, usize::MAX);
                let exponent = LEAST_POWER + 3 * i64::try_from(step).unwrap_or_default();
                write!(f, "{number}e{exponent}")
            }
            _ => write!(f, "{number}{}", DECIMAL_SUFFIXES[step]),
        }
    }
}

/// Divides by the factor while nothing is left over, at most so often; and how often that was.
fn without_factor(mut number: i128, factor: i128, most: usize) -> (i128, usize) {
    let mut times = 0;
    while times < most && number != 0 && number % factor == 0 {
        number /= factor;
        times += 1;
    }
    (number, times)
}

impl From<ExactQuantity> for Quantity {
    fn from(quantity: ExactQuantity) -> Self {
        Self(quantity.to_string())
    }
}

impl TryFrom<&Quantity> for ExactQuantity {
    type Error = NotAQuantity;

    fn try_from(quantity: &Quantity) -> Result<Self, NotAQuantity> {
        quantity.0.parse()
    }
}

impl PartialEq for ExactQuantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for ExactQuantity {}

impl PartialOrd for ExactQuantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ExactQuantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Add for ExactQuantity {
    type Output = Self;

    /// The sum, written as the first is unless that is nothing.
    fn add(self, other: Self) -> Self {
        let written = if self.is_zero() { other } else { self };
        written.with(self.nanos.saturating_add(other.nanos))
    }
}

impl Sub for ExactQuantity {
    type Output = Self;

    /// The difference, written as the first is unless that is nothing.
    fn sub(self, other: Self) -> Self {
        let written = if self.is_zero() { other } else { self };
        written.with(self.nanos.saturating_sub(other.nanos))
    }
}
