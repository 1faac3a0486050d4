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
