//! Which lines belong together in one record, the same for every engine: one expression that looks at one line.

use tributary_crds::multiline::MultilinePreset;

use crate::expression::Expression;

/// Where records begin and end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// A line that matches begins a record; every other line continues it.
    Starts(Expression),
    /// A line that matches continues a record; every other line begins one.
    Continues(Expression),
}

/// The expression that lines match which continue a stack trace of the language.
///
/// What a trace ends with, such as Python's `ValueError: x`, is known by its form, because an engine sees one line at a time.
pub fn preset(preset: MultilinePreset) -> &'static str {
    match preset {
        // Frames, `... 3 more`, causes, and what .NET and V8 write in their place.
        MultilinePreset::Java => {
            r"^[\t ]+(?:at |\.\.\. [0-9]+|Suppressed: |Caused by: |--- End of )|^(?:Caused by: |--- End of |nested exception is:)"
        }
        // Indented frames, the exception at the end, and what leads from one traceback to the next.
        MultilinePreset::Python => {
            r"^[\t ]+|^$|^[A-Za-z_][A-Za-z0-9_.]*(?:Error|Exception|Warning|Interrupt|Exit|StopIteration)(?::|$)|^(?:During handling of the above exception|The above exception was the direct cause)"
        }
        // Goroutines, the calls and places of their frames, and blank lines between them.
        MultilinePreset::Go => {
            r"^goroutine [0-9]+ \[|^[\t ]+|^$|^\[signal |^created by |^exit status [0-9]+$|^[A-Za-z0-9_./*()\[\]{}-]+\(.*\)$"
        }
        // Frames, with and without indentation.
        MultilinePreset::Ruby => r"^[\t ]+(?:from )?[^ ]+:[0-9]+:in |^[\t ]+(?:from )?[^ ]+:[0-9]+$",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of each record that `text` becomes.
    fn records(preset: MultilinePreset, text: &str) -> Vec<usize> {
        let expression = Expression::parse(super::preset(preset)).unwrap();
        let continues = regex::Regex::new(&expression.portable()).unwrap();
        let mut records = Vec::new();
        for line in text.lines() {
            match records.last_mut() {
                Some(lines) if continues.is_match(line) => *lines += 1,
                _ => records.push(1),
            }
        }
        records
    }

    #[test]
    fn traces_are_one_record() {
        for (preset, text, expected) in [
            (
                MultilinePreset::Java,
                "10:11:12 ERROR order failed\n\
                 java.lang.IllegalStateException: no stock\n\
                 \tat com.example.Shop.order(Shop.java:42)\n\
                 \tSuppressed: java.io.IOException: close\n\
                 \t\tat com.example.Shop.close(Shop.java:50)\n\
                 \t\t... 3 more\n\
                 Caused by: java.sql.SQLException\n\
                 \t... 23 common frames omitted\n\
                 10:11:13 INFO next",
                vec![1, 7, 1],
            ),
            (
                MultilinePreset::Python,
                "Traceback (most recent call last):\n\
                 \x20 File \"a.py\", line 1, in <module>\n\
                 \x20   f()\n\
                 KeyError: 'x'\n\
                 \n\
                 During handling of the above exception, another exception occurred:\n\
                 \n\
                 Traceback (most recent call last):\n\
                 \x20 File \"a.py\", line 3, in <module>\n\
                 shop.errors.OrderError: no stock\n\
                 INFO next",
                vec![7, 3, 1],
            ),
            (
                MultilinePreset::Go,
                "panic: runtime error: index out of range [5] with length 3\n\
                 \n\
                 goroutine 1 [running]:\n\
                 main.(*Shop).order(0x1, 0x2)\n\
                 \t/src/main.go:5 +0x1d\n\
                 created by main.start in goroutine 7\n\
                 \t/src/main.go:9 +0x2\n\
                 exit status 2\n\
                 next",
                vec![8, 1],
            ),
            (
                MultilinePreset::Ruby,
                "/app/shop.rb:3:in `order': no stock (RuntimeError)\n\
                 \tfrom /app/shop.rb:9:in `block in <main>'\n\
                 \tfrom /app/shop.rb:12:in `<main>'\n\
                 next",
                vec![3, 1],
            ),
        ] {
            assert_eq!(records(preset, text), expected, "{preset:?}");
        }
    }

    #[test]
    fn other_lines_are_records_of_their_own() {
        for (preset, text) in [
            (MultilinePreset::Java, "at the door\nCaused an error\n  indented"),
            (
                MultilinePreset::Python,
                "An Error: x happened\nERROR: no\nTraceback",
            ),
            (MultilinePreset::Go, "panic: a\npanic: b\nGET /(x) 200"),
            (MultilinePreset::Ruby, "a.rb:1:in `x'\nb.rb:2:in `y'\n  text"),
        ] {
            let expected = vec![1; text.lines().count()];
            assert_eq!(records(preset, text), expected, "{preset:?}");
        }
    }
}
