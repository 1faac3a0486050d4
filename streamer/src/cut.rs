//! Cutting what was read of a file into records: lines, or lines that belong together.

use crate::multiline::{Found, Rules, Stage, Text};

/// How complete a record has to be to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Whole: its end may come.
    Whole,
    /// What fits: there is no room for more of it.
    Full,
    /// As it is: nothing more is waited for.
    AsItIs,
}

/// What leaves as one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Its bytes, with the newline that ends it.
    pub length: usize,
    /// Whether it was cut within a line that is too long for one record.
    pub is_part: bool,
    /// Where the record stands after it.
    pub stage: Stage,
}

/// The first record of `bytes`, or `None` when there is none that is complete enough.
///
/// `stage` and `mid_line` are as in [`Text`]; without `rules` every line is a record.
pub fn first_piece(
    rules: Option<&Rules>,
    bytes: &[u8],
    stage: Stage,
    mid_line: bool,
    patience: Patience,
) -> Option<Piece> {
    if bytes.is_empty() {
        return None;
    }
    let ended = patience == Patience::AsItIs;
    let found = match rules {
        Some(rules) => rules.first_record(&Text {
            bytes,
            stage,
            mid_line,
            ended,
        }),
        None => match memchr::memchr(b'\n', bytes) {
            Some(newline) => Found::Whole(newline + 1),
            None if ended => Found::Whole(bytes.len()),
            None => Found::Open(0, Stage::Outside),
        },
    };
    let piece = |length, is_part, stage| Piece {
        length,
        is_part,
        stage,
    };
    match found {
        Found::Whole(length) => Some(piece(length, false, Stage::Outside)),
        Found::Open(..) if patience == Patience::Whole => None,
        Found::Open(0, stage) => Some(piece(whole_characters(bytes), true, stage)),
        Found::Open(length, stage) => Some(piece(length, false, stage)),
    }
}

/// The length of `bytes` without a character that is cut at its end.
fn whole_characters(bytes: &[u8]) -> usize {
    // No character is longer than four bytes.
    let tail = bytes.len() - bytes.len().min(4);
    let lead = (tail..bytes.len()).rev().find(|&at| bytes[at] & 0xc0 != 0x80);
    match lead.map(|at| (at, std::str::from_utf8(&bytes[at..]))) {
        Some((at, Err(error))) if error.error_len().is_none() && at > 0 => at,
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_leaves_when_it_is_whole_or_when_nothing_more_is_waited_for() {
        let length = |bytes: &str, patience| {
            first_piece(None, bytes.as_bytes(), Stage::Outside, false, patience)
                .map(|piece| (piece.length, piece.is_part))
        };
        assert_eq!(length("a\nb\n", Patience::Whole), Some((2, false)));
        assert_eq!(length("\n", Patience::Whole), Some((1, false)));
        assert_eq!(length("abc", Patience::Whole), None);
        assert_eq!(length("abc", Patience::Full), Some((3, true)));
        assert_eq!(length("abc", Patience::AsItIs), Some((3, false)));
        assert_eq!(length("", Patience::AsItIs), None);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        for (bytes, length) in [
            ("aé".as_bytes(), 3),
            (b"a\xc3", 1),
            (b"a\xe2\x82", 1),
            (b"a\xf0\x9f\x98", 1),
            ("a😀".as_bytes(), 5),
            // No characters at all: cut anywhere.
            (b"\xc3", 1),
            (b"\x80\x80\x80\x80\x80", 5),
            (b"a\xff", 2),
        ] {
            assert_eq!(whole_characters(bytes), length, "{bytes:?}");
        }
    }

    #[test]
    fn a_record_that_fills_its_room_leaves_in_whole_lines() {
        let piece = first_piece(
            Some(&Rules::Java),
            b"a.B: Error: c\n\tat d\n\tat e",
            Stage::Outside,
            false,
            Patience::Full,
        );
        let piece = piece.expect("lines");
        assert_eq!((piece.length, piece.is_part), (20, false));
        assert_eq!(piece.stage, Stage::Frames, "what follows is a part of it");
    }
}
