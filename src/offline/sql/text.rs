//! Literals as PostgreSQL reads them back.

/// A string literal. A backslash makes it an escape string, so that it means the same whatever the server's settings.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// A LIKE pattern's text with its wildcards taken literally.
pub(super) fn like(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_mean_the_text_and_nothing_else() {
        for (text, expected) in [
            ("Ann", "'Ann'"),
            ("O'Hara", "'O''Hara'"),
            ("a\\' OR 1=1", "E'a\\\\'' OR 1=1'"),
        ] {
            assert_eq!(literal(text), expected);
        }
        assert_eq!(like("50%_\\"), "50\\%\\_\\\\");
    }
}
