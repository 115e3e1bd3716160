//! One part of a pattern: a name with `*` and `?`, folded and quoted as in SQL.

use std::fmt::{self, Write};

/// A name to be matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// This character.
    Exactly(char),
    /// Any one character.
    AnyOne,
    /// Any text, empty too.
    AnyText,
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Exactly(c) => formatter.write_char(*c),
            Piece::AnyOne => formatter.write_char('?'),
            Piece::AnyText => formatter.write_char('*'),
        })
    }
}

impl Name {
    /// The name itself.
    pub(super) fn exactly(name: &str) -> Self {
        Self {
            pieces: name.chars().map(Piece::Exactly).collect(),
        }
    }

    /// Every name.
    pub(super) fn anything() -> Self {
        Self {
            pieces: vec![Piece::AnyText],
        }
    }

    /// Reads a part: `name`, `na*e?`, `"Exact Name"`. `None` if it is empty or its quotes do not match.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(quoted) = text.strip_prefix('"') {
            let inner = quoted.strip_suffix('"')?;
            let name = inner.replace("\"\"", "\"");
            let is_whole = inner.replace("\"\"", "").find('"').is_none();
            return (is_whole && !name.is_empty()).then(|| Self::exactly(&name));
        }
        if text.is_empty() || text.contains('"') {
            return None;
        }
        let pieces = text
            .chars()
            .map(|c| match c {
                '*' => Piece::AnyText,
                '?' => Piece::AnyOne,
                // PostgreSQL folds ASCII letters only when the encoding has several bytes a character.
                c => Piece::Exactly(c.to_ascii_lowercase()),
            })
            .collect();
        Some(Self { pieces })
    }

    /// This name, a text, and another name as one name.
    pub(super) fn followed_by(&self, between: &str, other: &Self) -> Self {
        let mut pieces = self.pieces.clone();
        pieces.extend(between.chars().map(Piece::Exactly));
        pieces.extend(&other.pieces);
        Self { pieces }
    }

    /// Whether it means `name`. Takes time in proportion to the two lengths multiplied.
    pub(super) fn matches(&self, name: &str) -> bool {
        // reachable[i]: the first i pieces can stand for what has been read of the name.
        let mut reachable = vec![false; self.pieces.len() + 1];
        if let Some(first) = reachable.first_mut() {
            *first = true;
        }
        self.pass_any_text(&mut reachable);
        for c in name.chars() {
            let mut next = vec![false; reachable.len()];
            for (index, piece) in self.pieces.iter().enumerate() {
                if !reachable.get(index).copied().unwrap_or_default() {
                    continue;
                }
                let target = match piece {
                    Piece::Exactly(wanted) if *wanted == c => index + 1,
                    Piece::Exactly(_) => continue,
                    Piece::AnyOne => index + 1,
                    Piece::AnyText => index,
                };
                if let Some(slot) = next.get_mut(target) {
                    *slot = true;
                }
            }
            self.pass_any_text(&mut next);
            reachable = next;
        }
        reachable.last().copied().unwrap_or_default()
    }

    /// `*` can stand for nothing.
    fn pass_any_text(&self, reachable: &mut [bool]) {
        for (index, piece) in self.pieces.iter().enumerate() {
            let is_reachable = reachable.get(index).copied().unwrap_or_default();
            if *piece == Piece::AnyText
                && is_reachable
                && let Some(slot) = reachable.get_mut(index + 1)
            {
                *slot = true;
            }
        }
    }
}

/// The parts between separators that stand outside double quotes, trimmed. A blank text has none; a blank part
/// at either end of a comma list is left out.
pub(super) fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    for c in text.chars() {
        if c == '"' {
            is_quoted = !is_quoted;
        }
        if c == separator && !is_quoted {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let parts = parts.into_iter().map(|part| part.trim().to_owned());
    if separator == ',' {
        parts.filter(|part| !part.is_empty()).collect()
    } else {
        parts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, name: &str, expected: bool) {
        let matched = Name::parse(pattern).map(|parsed| parsed.matches(name));
        assert_eq!(matched, Some(expected), "{pattern} against {name}");
    }

    #[test]
    fn names_fold_unless_quoted_and_globs_stay_within_a_part() {
        check("orders", "orders", true);
        check("Orders", "orders", true);
        check("Orders", "Orders", false);
        check("\"Orders\"", "Orders", true);
        check("\"a\"\"b\"", "a\"b", true);
        check("*", "", true);
        check("or*s", "orders", true);
        check("or*s", "ors", true);
        check("or*s", "order", false);
        check("**a*", "ba", true);
        check("o?ders", "orders", true);
        check("o?ders", "oders", false);
        check("\"*\"", "x", false);
        check("\"*\"", "*", true);
    }

    #[test]
    fn parts_that_are_empty_or_badly_quoted_are_no_names() {
        for text in ["", " ", "\"", "\"\"", "a\"b", "\"a\"b\""] {
            assert_eq!(Name::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn separators_inside_quotes_separate_nothing() {
        assert_eq!(split("a, \"b,c\" ,", ','), ["a", "\"b,c\""]);
        assert_eq!(split("a.\"b.c\"", '.'), ["a", "\"b.c\""]);
        assert!(split("  ", ',').is_empty());
    }
}
