//! The level of a record, from a parsed body.

/// The keys of `data` that may hold a level, in the order in which they are looked at. The first one with a text that is not empty
/// counts.
pub const KEYS: [&str; 5] = ["level", "log.level", "severity", "lvl", "levelname"];

/// What other names of levels, in lower case, are called in a record. Every other text is taken over in lower case.
pub const ALIASES: [(&str, &str); 14] = [
    ("alert", "fatal"),
    ("crit", "fatal"),
    ("critical", "fatal"),
    ("dbg", "debug"),
    ("emerg", "fatal"),
    ("emergency", "fatal"),
    ("err", "error"),
    ("information", "info"),
    ("informational", "info"),
    ("notice", "info"),
    ("panic", "fatal"),
    ("severe", "error"),
    ("verbose", "trace"),
    ("warning", "warn"),
];

/// The levels of the journal's priorities 0 to 7.
pub const OF_PRIORITIES: [&str; 8] = [
    "fatal", "fatal", "fatal", "error", "warn", "info", "info", "debug",
];

/// The levels and the least of their severity numbers in OpenTelemetry's model.
pub const SEVERITY_NUMBERS: [(&str, u8); 6] = [
    ("trace", 1),
    ("debug", 5),
    ("info", 9),
    ("warn", 13),
    ("error", 17),
    ("fatal", 21),
];
