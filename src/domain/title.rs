//! What a conversation is called.

/// Longest title, in Unicode scalar values: a line of a list, not a text.
pub const TITLE_CHARS_MAX: usize = 120;

/// A title: one line, not blank, within [`TITLE_CHARS_MAX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title(String);

impl Title {
    /// Takes what a person wrote, without the white space around it; `None` where nothing is left, it is too long or holds
    /// control characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = !text.is_empty()
            && text.chars().count() <= TITLE_CHARS_MAX
            && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned()))
    }

    /// A question as a title: on one line, and cut where it is too long.
    #[must_use]
    pub fn of_question(question: &str) -> Self {
        let words: Vec<&str> = question.split_whitespace().collect();
        let line = words.join(" ");
        if line.chars().count() <= TITLE_CHARS_MAX {
            return Self(line);
        }
        let mut cut: String = line.chars().take(TITLE_CHARS_MAX - 1).collect();
        cut.truncate(cut.trim_end().len());
        cut.push('…');
        Self(cut)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_that_says_something() {
        let parse = |text: &str| Title::parse(text).map(|title| title.0);
        assert_eq!(parse(" Sales, ü "), Some("Sales, ü".to_owned()));
        assert_eq!(
            parse(&"ü".repeat(TITLE_CHARS_MAX)),
            Some("ü".repeat(TITLE_CHARS_MAX))
        );
        for refused in [
            "",
            " \n",
            "a\nb",
            "a\u{0}",
            &"x".repeat(TITLE_CHARS_MAX + 1),
        ] {
            assert_eq!(parse(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn a_question_becomes_a_title_of_the_same_kind() {
        let of = |question: &str| Title::of_question(question).0;
        assert_eq!(of("How many\n orders?"), "How many orders?");
        let long = of(&"word ".repeat(100));
        assert!(long.ends_with("word…") && long.chars().count() <= TITLE_CHARS_MAX);
        assert!(Title::parse(&long).is_some());
    }
}
