//! What Rust's `regex` reads and RE2 does not.

use regex_syntax::ast::{
    self, AssertionKind, Ast, CaptureName, ClassSetItem, ClassUnicode, ClassUnicodeKind, Flag, Flags,
    FlagsItemKind, Group, GroupKind, HexLiteralKind, Literal, LiteralKind, Repetition, RepetitionKind,
    RepetitionRange, Visitor,
};

use super::classes;

/// How often RE2 repeats anything at the most, by all the repetitions around it together.
const MOST: u32 = 1000;

/// Refuses what RE2 does not read. The error continues a sentence that begins with the expression.
pub fn check(ast: &Ast) -> Result<(), &'static str> {
    ast::visit(ast, Check::default())
}

#[derive(Default)]
struct Check {
    /// For each repetition that is being read, the inner ones last: how often what it holds may be repeated yet.
    left: Vec<u32>,
}

impl Check {
    fn enter(&mut self, repetition: &Repetition) -> Result<(), &'static str> {
        if matches!(*repetition.ast, Ast::Repetition(_)) {
            return Err("repeats a repetition; write the inner one in (?:...)");
        }
        let around = self.left.last().copied().unwrap_or(MOST);
        let times = times(&repetition.op.kind);
        if times > around {
            return Err("repeats more than 1000 times, by repetitions within each other counted together");
        }
        self.left.push(match times {
            // What is not there is not repeated.
            0 => MOST,
            times => around / times,
        });
        Ok(())
    }
}

/// How often something is written out at the least, as RE2 counts. 1 where that does not count; 0 where it is left out.
fn times(kind: &RepetitionKind) -> u32 {
    match kind {
        RepetitionKind::Range(RepetitionRange::Exactly(most) | RepetitionRange::Bounded(_, most)) => *most,
        RepetitionKind::Range(RepetitionRange::AtLeast(least)) => (*least).max(1),
        RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => 1,
    }
}

impl Visitor for Check {
    type Output = ();
    type Err = &'static str;

    fn finish(self) -> Result<(), Self::Err> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        match ast {
            Ast::Flags(flags) => check_flags(&flags.flags),
            Ast::Group(group) => check_group(group),
            Ast::Literal(literal) => check_literal(literal),
            Ast::ClassUnicode(class) => check_class(class),
            Ast::Assertion(assertion) => match assertion.kind {
                AssertionKind::StartLine
                | AssertionKind::EndLine
                | AssertionKind::StartText
                | AssertionKind::EndText
                | AssertionKind::WordBoundary => Ok(()),
                AssertionKind::NotWordBoundary => Err(r"has \B, which not every engine knows"),
                AssertionKind::WordBoundaryStart
                | AssertionKind::WordBoundaryEnd
                | AssertionKind::WordBoundaryStartAngle
                | AssertionKind::WordBoundaryEndAngle
                | AssertionKind::WordBoundaryStartHalf
                | AssertionKind::WordBoundaryEndHalf => {
                    Err(r"has an assertion other than ^, $, \A, \z and \b")
                }
            },
            Ast::Repetition(repetition) => self.enter(repetition),
            Ast::Empty(_)
            | Ast::Dot(_)
            | Ast::ClassPerl(_)
            | Ast::ClassBracketed(_)
            | Ast::Alternation(_)
            | Ast::Concat(_) => Ok(()),
        }
    }

    fn visit_post(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        if let Ast::Repetition(_) = ast {
            self.left.pop();
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        match item {
            ClassSetItem::Literal(literal) => check_literal(literal),
            ClassSetItem::Range(range) => {
                check_literal(&range.start).and_then(|()| check_literal(&range.end))
            }
            ClassSetItem::Unicode(class) => check_class(class),
            // `portable` writes `[^0-9]` for a `\D` in brackets, and no other brackets in brackets.
            ClassSetItem::Bracketed(class) if !class.negated => {
                Err("has a class in brackets that RE2 does not know; it knows those such as [[:alpha:]]")
            }
            ClassSetItem::Empty(_)
            | ClassSetItem::Ascii(_)
            | ClassSetItem::Perl(_)
            | ClassSetItem::Bracketed(_)
            | ClassSetItem::Union(_) => Ok(()),
        }
    }
}

fn check_group(group: &Group) -> Result<(), &'static str> {
    match &group.kind {
        // `portable` writes `(?-u:\b)`, which is what RE2 means by `\b`.
        GroupKind::NonCapturing(_) if is_word_boundary(&group.ast) => Ok(()),
        GroupKind::NonCapturing(flags) => check_flags(flags),
        GroupKind::CaptureName { name, .. } => check_name(name),
        GroupKind::CaptureIndex(_) => Ok(()),
    }
}

fn is_word_boundary(ast: &Ast) -> bool {
    matches!(ast, Ast::Assertion(assertion) if assertion.kind == AssertionKind::WordBoundary)
}

fn check_name(name: &CaptureName) -> Result<(), &'static str> {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.name.chars().all(known) {
        Ok(())
    } else {
        Err("has a group whose name is not of letters, digits and underscores")
    }
}

fn check_flags(flags: &Flags) -> Result<(), &'static str> {
    let known = |kind: &FlagsItemKind| match kind {
        FlagsItemKind::Negation => true,
        FlagsItemKind::Flag(flag) => match flag {
            Flag::CaseInsensitive | Flag::MultiLine | Flag::DotMatchesNewLine | Flag::SwapGreed => true,
            Flag::Unicode | Flag::CRLF | Flag::IgnoreWhitespace => false,
        },
    };
    if flags.items.iter().all(|item| known(&item.kind)) {
        Ok(())
    } else {
        Err("has a flag other than i, m, s and U")
    }
}

fn check_literal(literal: &Literal) -> Result<(), &'static str> {
    match literal.kind {
        LiteralKind::HexFixed(HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong)
        | LiteralKind::HexBrace(HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong) => {
            Err(r"has an escape \u, for which RE2 has \x{...}")
        }
        LiteralKind::HexFixed(HexLiteralKind::X)
        | LiteralKind::HexBrace(HexLiteralKind::X)
        | LiteralKind::Verbatim
        | LiteralKind::Meta
        | LiteralKind::Superfluous
        | LiteralKind::Octal
        | LiteralKind::Special(_) => Ok(()),
    }
}

/// General categories such as `\pL` and `\p{Lu}`, and scripts such as `\p{Greek}`.
fn check_class(class: &ClassUnicode) -> Result<(), &'static str> {
    let known = match &class.kind {
        ClassUnicodeKind::OneLetter(letter) => classes::is_known(letter.encode_utf8(&mut [0; 4])),
        ClassUnicodeKind::Named(name) => classes::is_known(name),
        ClassUnicodeKind::NamedValue { .. } => false,
    };
    if known {
        Ok(())
    } else {
        Err(r"has a class other than \p{CATEGORY} and \p{Script}, such as \p{Lu} and \p{Greek}")
    }
}
