//! A look at the text before PostgreSQL's parser sees it: length, nesting, comments.
//!
//! In: the text. Out: nothing, or a [`Rejection`]. It only bounds what the parser is asked to do, so it
//! need not split tokens exactly as the parser does: a wrong guess costs a refusal or a slightly larger
//! parse, never a wrong verdict.

use super::rejection::{Rejection, RejectionCode};

/// Longest text that is parsed, in bytes. Questions that people ask fit in a tenth of it, and parsing
/// time and memory grow with it.
pub const SQL_BYTES_MAX: usize = 16 * 1024;

/// Deepest nesting of parentheses, brackets and CASE. Generated reports nest about ten deep; each level
/// costs stack in the parser, in the guard and in PostgreSQL.
const NESTING_MAX: usize = 96;

/// Deepest nesting of comments. Each opener makes the scanner look again at what follows it.
const COMMENT_NESTING_MAX: usize = 8;

/// Refuses what is too large to be parsed for sure.
pub(super) fn prescan(text: &str) -> Result<(), Rejection> {
    if text.len() > SQL_BYTES_MAX {
        return Err(too_complex(format!(
            "The query is longer than {SQL_BYTES_MAX} bytes; write a shorter one."
        )));
    }
    let mut rest = Scanner {
        bytes: text.as_bytes(),
        at: 0,
    };
    let mut nesting = 0_usize;
    while let Some(byte) = rest.next() {
        match byte {
            b'\'' => {
                let escapes = rest.follows_escape_prefix();
                rest.skip_quoted(b'\'', escapes);
            }
            b'"' => rest.skip_quoted(b'"', false),
            b'-' if rest.peek() == Some(b'-') => rest.skip_line(),
            b'/' if rest.peek() == Some(b'*') => rest.skip_comment()?,
            b'$' => rest.skip_dollar_quoted(),
            b'(' | b'[' => nesting += 1,
            b')' | b']' => nesting = nesting.saturating_sub(1),
            byte if is_word(byte) => match rest.skip_word() {
                word if word.eq_ignore_ascii_case(b"case") => nesting += 1,
                word if word.eq_ignore_ascii_case(b"end") => nesting = nesting.saturating_sub(1),
                _ => {}
            },
            _ => {}
        }
        if nesting > NESTING_MAX {
            return Err(too_complex(format!(
                "The query nests more than {NESTING_MAX} levels deep; write a flatter one."
            )));
        }
    }
    Ok(())
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Whether the quote just read belongs to `E'…'`, where a backslash escapes.
    fn follows_escape_prefix(&self) -> bool {
        let before = |distance: usize| {
            self.at
                .checked_sub(distance)
                .and_then(|at| self.bytes.get(at))
        };
        matches!(before(2), Some(b'e' | b'E')) && !before(3).copied().is_some_and(is_word)
    }

    fn skip_quoted(&mut self, quote: u8, escapes: bool) {
        while let Some(byte) = self.next() {
            if escapes && byte == b'\\' {
                self.at += 1;
            } else if byte == quote {
                if self.peek() != Some(quote) {
                    return;
                }
                self.at += 1;
            }
        }
    }

    fn skip_line(&mut self) {
        while let Some(byte) = self.next() {
            if byte == b'\n' || byte == b'\r' {
                return;
            }
        }
    }

    fn skip_comment(&mut self) -> Result<(), Rejection> {
        self.at += 1;
        let mut nesting = 1_usize;
        while let Some(byte) = self.next() {
            match (byte, self.peek()) {
                (b'/', Some(b'*')) => {
                    self.at += 1;
                    nesting += 1;
                }
                (b'*', Some(b'/')) => {
                    self.at += 1;
                    nesting -= 1;
                }
                _ => {}
            }
            if nesting == 0 {
                return Ok(());
            }
            if nesting > COMMENT_NESTING_MAX {
                return Err(too_complex(
                    "The query nests comments too deeply; leave them out.".to_owned(),
                ));
            }
        }
        Ok(())
    }

    /// After a dollar sign: skips the string if it opens one (`$$` or `$tag$`).
    fn skip_dollar_quoted(&mut self) {
        let tail = self.bytes.get(self.at..).unwrap_or_default();
        let tag_length = tail.iter().take_while(|byte| is_word(**byte)).count();
        if tail.get(tag_length) != Some(&b'$') {
            return;
        }
        let opener_start = self.at - 1;
        let Some(opener) = self.bytes.get(opener_start..=self.at + tag_length) else {
            return;
        };
        let body = self.at + tag_length + 1;
        let closer = self
            .bytes
            .get(body..)
            .unwrap_or_default()
            .windows(opener.len())
            .position(|window| window == opener);
        self.at = closer.map_or(self.bytes.len(), |at| body + at + opener.len());
    }

    /// After the first byte of a word: reads to its end and gives the whole of it.
    fn skip_word(&mut self) -> &[u8] {
        let start = self.at - 1;
        while self
            .peek()
            .is_some_and(|byte| is_word(byte) || byte == b'$')
        {
            self.at += 1;
        }
        self.bytes.get(start..self.at).unwrap_or_default()
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn too_complex(reason: String) -> Rejection {
    Rejection::new(RejectionCode::TooComplex, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, accepted: bool) {
        assert_eq!(prescan(text).is_ok(), accepted, "{:.80}", text);
    }

    #[test]
    fn length_is_bounded_in_bytes() {
        check(&"x".repeat(SQL_BYTES_MAX), true);
        check(&"x".repeat(SQL_BYTES_MAX + 1), false);
    }

    #[test]
    fn nesting_counts_parentheses_brackets_and_case() {
        check(&format!("{}1{}", "(".repeat(90), ")".repeat(90)), true);
        check(&"(".repeat(97), false);
        check(&"[".repeat(97), false);
        check(&"CASE WHEN ".repeat(97), false);
        check(&"f() ".repeat(500), true);
        check(&"case when a then b end ".repeat(200), true);
    }

    #[test]
    fn what_is_quoted_or_commented_out_does_not_nest() {
        let open = "(".repeat(200);
        for text in [
            format!("'{open}'"),
            format!("'it''s {open}'"),
            format!("E'\\'{open}'"),
            format!("\"{open}\""),
            format!("$${open}$$"),
            format!("$tag$ $$ {open} $tag$"),
            format!("-- {open}\n1"),
            format!("/* {open} */"),
        ] {
            check(&text, true);
            check(&format!("{text} {open}"), false);
        }
    }

    #[test]
    fn comments_nest_a_little() {
        check("/* a /* b */ c */ SELECT 1", true);
        check(&"/*".repeat(9), false);
    }

    #[test]
    fn texts_that_end_early_are_left_to_the_parser() {
        for text in [
            "'", "E'\\", "\"", "$", "$a", "$a$", "/*", "/", "-", "--", "e'", "",
        ] {
            check(text, true);
        }
    }
}
