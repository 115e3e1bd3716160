//! What a person asked, checked once at the door.

/// A question in plain English: not blank, within the limit, free of control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question(String);

/// Why a text is no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionFault {
    /// Nothing is left once white space is taken away.
    Blank,
    /// Longer than the limit, in Unicode scalar values.
    TooLong {
        /// The limit it went over.
        chars_max: usize,
    },
    /// Holds a character that PostgreSQL or a terminal cannot take (a control character other than tab and line ends).
    ControlCharacter,
}

impl Question {
    /// Trims white space and checks the rest. `chars_max` counts Unicode scalar values.
    ///
    /// # Errors
    /// The first [`QuestionFault`] found.
    pub fn parse(text: &str, chars_max: usize) -> Result<Self, QuestionFault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(QuestionFault::Blank);
        }
        if text.chars().count() > chars_max {
            return Err(QuestionFault::TooLong { chars_max });
        }
        if text
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        {
            return Err(QuestionFault::ControlCharacter);
        }
        Ok(Self(text.to_owned()))
    }

    /// The trimmed text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_trimmed_and_bounded() {
        let parse = |text: &str| Question::parse(text, 10).map(|q| q.0);
        assert_eq!(parse("  how many? "), Ok("how many?".to_owned()));
        assert_eq!(parse(" \n\t "), Err(QuestionFault::Blank));
        assert_eq!(parse("ünïcödé ok"), Ok("ünïcödé ok".to_owned()));
        assert_eq!(
            parse("eleven char"),
            Err(QuestionFault::TooLong { chars_max: 10 })
        );
        assert_eq!(parse("nul\0"), Err(QuestionFault::ControlCharacter));
    }
}
