//! What Rust's `regex` reads and RE2 does not.

use regex_syntax::ast::{
    self, AssertionKind, Ast, ClassSetItem, ClassUnicode, ClassUnicodeKind, Flag, Flags, FlagsItemKind,
    GroupKind, HexLiteralKind, Literal, LiteralKind, RepetitionKind, RepetitionRange, Visitor,
};

/// The most that RE2 repeats.
const MOST: u32 = 1000;

/// Refuses what RE2 does not read. The error continues a sentence that begins with the expression.
pub fn check(ast: &Ast) -> Result<(), &'static str> {
    ast::visit(ast, Check)
}

struct Check;

impl Visitor for Check {
    type Output = ();
    type Err = &'static str;

    fn finish(self) -> Result<(), Self::Err> {
        Ok(())
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        match ast {
            Ast::Flags(flags) => check_flags(&flags.flags),
            Ast::Group(group) => match &group.kind {
                // `portable` writes `(?-u:\b)`, which is what RE2 means by `\b`.
                GroupKind::NonCapturing(_) if matches!(*group.ast, Ast::Assertion(_)) => Ok(()),
                GroupKind::NonCapturing(flags) => check_flags(flags),
                GroupKind::CaptureIndex(_) | GroupKind::CaptureName { .. } => Ok(()),
            },
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
            Ast::Repetition(repetition) => match &repetition.op.kind {
                RepetitionKind::Range(
                    RepetitionRange::Exactly(most)
                    | RepetitionRange::AtLeast(most)
                    | RepetitionRange::Bounded(_, most),
                ) if *most > MOST => Err("repeats more than 1000 times"),
                RepetitionKind::Range(_)
                | RepetitionKind::ZeroOrOne
                | RepetitionKind::ZeroOrMore
                | RepetitionKind::OneOrMore => Ok(()),
            },
            Ast::Empty(_)
            | Ast::Dot(_)
            | Ast::ClassPerl(_)
            | Ast::ClassBracketed(_)
            | Ast::Alternation(_)
            | Ast::Concat(_) => Ok(()),
        }
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        match item {
            ClassSetItem::Literal(literal) => check_literal(literal),
            ClassSetItem::Range(range) => {
                check_literal(&range.start).and_then(|()| check_literal(&range.end))
            }
            ClassSetItem::Unicode(class) => check_class(class),
            ClassSetItem::Empty(_)
            | ClassSetItem::Ascii(_)
            | ClassSetItem::Perl(_)
            | ClassSetItem::Bracketed(_)
            | ClassSetItem::Union(_) => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ast::ClassSetBinaryOp) -> Result<(), Self::Err> {
        Err("takes classes from each other")
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
        ClassUnicodeKind::OneLetter(_) => true,
        ClassUnicodeKind::Named(name) => {
            name.starts_with(|c: char| c.is_ascii_uppercase()) && !name.contains([' ', '-'])
        }
        ClassUnicodeKind::NamedValue { .. } => false,
    };
    if known {
        Ok(())
    } else {
        Err(r"has a class other than \p{CATEGORY} and \p{Script}")
    }
}
