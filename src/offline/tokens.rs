//! A question's words: split, lower-cased, stemmed, with numbers recognised. Knows English spelling, no schema.

/// One word, number, quoted text or symbol of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// As it was written, without quotes.
    pub(super) text: String,
    /// In lower case.
    pub(super) lower: String,
    /// What plural and singular share; empty for symbols.
    pub(super) stem: String,
    /// What it is.
    pub(super) kind: TokenKind,
    /// Whether a blank separates it from the token before it.
    pub(super) spaced: bool,
    /// Dots right after it: the end of a sentence, or a part of an abbreviation such as "Comp. Sci.".
    pub(super) dots: String,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Letters, possibly with digits.
    Word,
    /// Digits; `text` is the plain decimal number.
    Number,
    /// Text in quotes: a value, whatever it says.
    Quoted,
    /// Punctuation that matters: `,` `>` `<` `=` `-` and the like.
    Symbol,
}

impl Token {
    /// Whether it is a word that begins with a capital letter.
    pub(super) fn is_capitalised(&self) -> bool {
        self.kind == TokenKind::Word && self.text.chars().next().is_some_and(char::is_uppercase)
    }
}

/// Splits a question. Possessive endings and contractions are written out.
pub(super) fn tokenize(question: &str) -> Vec<Token> {
    let chars: Vec<char> = question
        .chars()
        .map(|c| match c {
            '\u{2018}' | '\u{2019}' => '\'',
            '\u{201c}' | '\u{201d}' => '"',
            '\u{2013}' | '\u{2014}' => '-',
            other => other,
        })
        .collect();
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    let mut spaced = true;
    while let Some(&c) = chars.get(at) {
        if c.is_whitespace() {
            spaced = true;
            at += 1;
            continue;
        }
        if let Some((text, next)) = quoted(&chars, at, spaced) {
            tokens.push(token(text, TokenKind::Quoted, spaced));
            at = next;
        } else if c.is_ascii_digit() {
            let (text, kind, next) = number_or_word(&chars, at);
            tokens.push(token(text, kind, spaced));
            at = next;
        } else if c.is_alphanumeric() || c == '_' {
            let mut end = at + 1;
            while chars.get(end).is_some_and(|&c| {
                c.is_alphanumeric()
                    || c == '_'
                    || (matches!(c, '\'' | '&')
                        && chars.get(end + 1).is_some_and(|c| c.is_alphanumeric()))
            }) {
                end += 1;
            }
            let word: String = chars.iter().skip(at).take(end - at).collect();
            push_word(&mut tokens, &word, spaced);
            at = end;
        } else {
            let two: String = chars.iter().skip(at).take(2).collect();
            let symbol = match two.as_str() {
                ">=" | "<=" | "<>" | "!=" => two,
                _ => c.to_string(),
            };
            at += symbol.chars().count();
            if symbol == "."
                && !spaced
                && let Some(last) = tokens.last_mut()
            {
                last.dots.push('.');
            }
            if matches!(
                symbol.as_str(),
                "," | ";"
                    | ">"
                    | "<"
                    | "="
                    | ">="
                    | "<="
                    | "<>"
                    | "!="
                    | "-"
                    | "%"
                    | "/"
                    | "+"
                    | "*"
            ) {
                tokens.push(token(symbol, TokenKind::Symbol, spaced));
            }
        }
        spaced = false;
    }
    tokens
}

fn token(text: String, kind: TokenKind, spaced: bool) -> Token {
    let lower = text.to_lowercase();
    let stem = match kind {
        TokenKind::Word | TokenKind::Number => stem(&lower),
        TokenKind::Quoted | TokenKind::Symbol => String::new(),
    };
    Token {
        text,
        lower,
        stem,
        kind,
        spaced,
        dots: String::new(),
    }
}

/// Text in single or double quotes that opens at `at`, and where it ends. A single quote opens only after a blank.
fn quoted(chars: &[char], at: usize, spaced: bool) -> Option<(String, usize)> {
    let quote = *chars.get(at)?;
    if quote != '"' && !(quote == '\'' && spaced) {
        return None;
    }
    let mut end = at + 1;
    loop {
        let c = *chars.get(end)?;
        let closes = quote == '"' || !chars.get(end + 1).is_some_and(|c| c.is_alphanumeric());
        if c == quote && closes {
            break;
        }
        end += 1;
    }
    let text: String = chars.iter().skip(at + 1).take(end - at - 1).collect();
    let text = text.trim().to_owned();
    (!text.is_empty()).then_some((text, end + 1))
}

/// A number ("1,000", "3.5", "10k"), or a word that begins with a digit ("3rd", "2nd", "90s").
fn number_or_word(chars: &[char], at: usize) -> (String, TokenKind, usize) {
    let mut end = at;
    let mut text = String::new();
    while let Some(&c) = chars.get(end) {
        let digit_follows = chars.get(end + 1).is_some_and(char::is_ascii_digit);
        if c.is_ascii_digit() || c == '.' && digit_follows && !text.contains('.') {
            text.push(c);
        } else if c == ',' && groups_of_three(chars, end + 1) && !text.contains('.') {
            // A thousands separator: nothing to keep.
        } else {
            break;
        }
        end += 1;
    }
    let mut suffix_end = end;
    while chars
        .get(suffix_end)
        .is_some_and(|c| c.is_alphanumeric() || *c == '_')
    {
        suffix_end += 1;
    }
    let suffix: String = chars
        .iter()
        .skip(end)
        .take(suffix_end - end)
        .collect::<String>()
        .to_lowercase();
    let zeros = match suffix.as_str() {
        "" => return (text, TokenKind::Number, end),
        "k" => 3,
        "m" | "mio" => 6,
        "bn" => 9,
        _ => {
            text.push_str(&suffix);
            return (text, TokenKind::Word, suffix_end);
        }
    };
    (scaled(&text, zeros), TokenKind::Number, suffix_end)
}

/// Whether exactly three digits stand at `at`.
fn groups_of_three(chars: &[char], at: usize) -> bool {
    (0..3).all(|i| chars.get(at + i).is_some_and(char::is_ascii_digit))
        && !chars.get(at + 3).is_some_and(char::is_ascii_digit)
}

/// A decimal number times a power of ten, without leaving decimal notation.
pub(super) fn scaled(number: &str, zeros: usize) -> String {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let moved: String = fraction
        .chars()
        .chain(std::iter::repeat('0'))
        .take(zeros)
        .collect();
    let rest: String = fraction.chars().skip(zeros).collect();
    if rest.is_empty() {
        format!("{whole}{moved}")
    } else {
        format!("{whole}{moved}.{rest}")
    }
}

/// Writes contractions out: "don't" becomes "do", "not"; "customer's" becomes "customer".
fn push_word(tokens: &mut Vec<Token>, word: &str, spaced: bool) {
    let lower = word.to_lowercase();
    let whole: Option<&[&str]> = match lower.as_str() {
        "can't" | "cannot" => Some(&["can", "not"]),
        "won't" => Some(&["will", "not"]),
        "let's" => Some(&["let", "us"]),
        "i'm" => Some(&["i", "am"]),
        _ => None,
    };
    let parts: Vec<String> = if let Some(whole) = whole {
        whole.iter().map(|part| (*part).to_owned()).collect()
    } else if let Some(stripped) = lower.strip_suffix("n't") {
        vec![stripped.to_owned(), "not".to_owned()]
    } else if let Some(start) = lower.strip_suffix("'s") {
        let kept: String = word.chars().take(start.chars().count()).collect();
        if matches!(
            start,
            "what" | "who" | "where" | "when" | "how" | "that" | "there" | "here"
        ) {
            vec![kept, "is".to_owned()]
        } else {
            vec![kept]
        }
    } else if let Some(start) = lower
        .strip_suffix("'re")
        .or_else(|| lower.strip_suffix("'ve"))
    {
        vec![start.to_owned(), "have".to_owned()]
    } else {
        vec![word.to_owned()]
    };
    for (index, part) in parts.into_iter().enumerate() {
        tokens.push(token(part, TokenKind::Word, spaced || index > 0));
    }
}

/// Whole numbers that people write as words.
pub(super) fn number_word(lower: &str) -> Option<u64> {
    Some(match lower {
        "zero" => 0,
        "one" | "once" => 1,
        "two" | "twice" => 2,
        "three" => 3,
        "four" => 4,
        "five" => 5,
        "six" => 6,
        "seven" => 7,
        "eight" => 8,
        "nine" => 9,
        "ten" => 10,
        "eleven" => 11,
        "twelve" => 12,
        "fifteen" => 15,
        "twenty" => 20,
        "thirty" => 30,
        "fifty" => 50,
        "hundred" => 100,
        "thousand" => 1000,
        "million" => 1_000_000,
        _ => return None,
    })
}

/// What a word's spellings share: plural and singular, British and American. Both sides of a comparison are stemmed,
/// so the result need not be a word.
pub(super) fn stem(lower: &str) -> String {
    let irregular = match lower {
        "people" | "persons" => "person",
        "children" => "child",
        "men" => "man",
        "women" => "woman",
        "data" => "data",
        "indices" | "indexes" => "index",
        "criteria" => "criterion",
        "staff" => "staff",
        "series" | "species" | "news" => lower,
        _ => "",
    };
    if !irregular.is_empty() {
        return irregular.to_owned();
    }
    let mut word = singular(lower);
    if let Some(start) = word.strip_suffix("ie") {
        word = format!("{start}y");
    } else if let Some(start) = word.strip_suffix("oe") {
        word = format!("{start}o");
    }
    for (british, american) in [
        ("elled", "eled"),
        ("elling", "eling"),
        ("isation", "ization"),
        ("olour", "olor"),
        ("avour", "avor"),
        ("abour", "abor"),
        ("entre", "enter"),
        ("atalogue", "atalog"),
        ("rogramme", "rogram"),
    ] {
        if let Some(start) = word.strip_suffix(british) {
            word = format!("{start}{american}");
        }
    }
    word
}

fn singular(word: &str) -> String {
    let keep = word.len() <= 3
        || word.ends_with("ss")
        || word.ends_with("us")
        || word.ends_with("is")
        || !word.ends_with('s');
    if keep {
        return word.to_owned();
    }
    for (plural, single) in [
        ("sses", "ss"),
        ("xes", "x"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("zzes", "zz"),
        ("tuses", "tus"),
        ("nuses", "nus"),
        ("ruses", "rus"),
        ("puses", "pus"),
        ("ies", "y"),
        ("oes", "o"),
    ] {
        if let Some(start) = word.strip_suffix(plural) {
            return format!("{start}{single}");
        }
    }
    word.strip_suffix('s').unwrap_or(word).to_owned()
}

/// The stems of a name as databases write them: `snake_case`, `camelCase`, `With Blanks`, `HTTPServer2`.
pub(super) fn name_stems(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    for (at, &c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        let previous = at.checked_sub(1).and_then(|i| chars.get(i));
        let boundary = previous.is_some_and(|p| {
            (p.is_lowercase() && c.is_uppercase())
                || (p.is_uppercase()
                    && c.is_uppercase()
                    && chars.get(at + 1).is_some_and(|n| n.is_lowercase()))
        });
        if boundary && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        word.extend(c.to_lowercase());
    }
    if !word.is_empty() {
        words.push(word);
    }
    words.iter().map(|word| stem(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(question: &str) -> Vec<String> {
        tokenize(question).into_iter().map(|t| t.text).collect()
    }

    #[test]
    fn questions_split_into_words_numbers_and_quoted_texts() {
        for (question, expected) in [
            ("How many orders?", vec!["How", "many", "orders"]),
            (
                "more than 1,000.50 or 10k",
                vec!["more", "than", "1000.50", "or", "10000"],
            ),
            (
                "named \"Ann O'Hara\", 'in transit'",
                vec!["named", "Ann O'Hara", ",", "in transit"],
            ),
            (
                "don't we? what's new",
                vec!["do", "not", "we", "what", "is", "new"],
            ),
            (
                "the customer's e-mail",
                vec!["the", "customer", "e", "-", "mail"],
            ),
            ("1,2 and 2.5m", vec!["1", ",", "2", "and", "2500000"]),
            ("price>=3 in 2025.", vec!["price", ">=", "3", "in", "2025"]),
            ("the 3rd of R&D", vec!["the", "3rd", "of", "R&D"]),
        ] {
            assert_eq!(words(question), expected, "{question}");
        }
    }

    #[test]
    fn singular_and_plural_share_a_stem() {
        for (one, many) in [
            ("customer", "customers"),
            ("category", "categories"),
            ("address", "addresses"),
            ("status", "statuses"),
            ("movie", "movies"),
            ("hero", "heroes"),
            ("shoe", "shoes"),
            ("box", "boxes"),
            ("house", "houses"),
            ("person", "people"),
            ("cancelled", "canceled"),
            ("bus", "bus"),
        ] {
            assert_eq!(stem(one), stem(many), "{one} {many}");
        }
    }

    #[test]
    fn names_split_the_way_databases_write_them() {
        for (name, expected) in [
            ("order_items", vec!["order", "item"]),
            ("OrderItems", vec!["order", "item"]),
            ("orderItemID", vec!["order", "item", "id"]),
            ("FIRST_NAME", vec!["first", "name"]),
            ("Unit Price (EUR)", vec!["unit", "price", "eur"]),
        ] {
            assert_eq!(name_stems(name), expected, "{name}");
        }
    }
}
