//! What presets ask of a line.

/// `line` without the carriage return before its newline.
pub(super) fn without_carriage_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// `line` without the blanks at its start.
pub(super) fn unindented(line: &[u8]) -> &[u8] {
    let indent = line.iter().take_while(|byte| b" \t".contains(byte)).count();
    &line[indent..]
}

/// Whether there are blanks at the start and something after them.
pub(super) fn is_indented(line: &[u8]) -> bool {
    let rest = unindented(line);
    !rest.is_empty() && rest.len() < line.len()
}

/// Whether there is nothing but blanks.
pub(super) fn is_blank(line: &[u8]) -> bool {
    unindented(line).is_empty()
}

/// What follows the digits at the start of `text`, of which there is at least one.
pub(super) fn after_digits(text: &[u8]) -> Option<&[u8]> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (digits > 0).then(|| &text[digits..])
}
