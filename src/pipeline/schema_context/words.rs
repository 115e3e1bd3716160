//! Words: from a question, a name or a comment to the stems by which they are compared. English, deterministic, no dictionary.

/// Words that say nothing about what a question is about.
const STOP_WORDS: &[&str] = &[
    "a", "about", "all", "also", "an", "and", "any", "are", "as", "at", "be", "been", "both",
    "but", "by", "can", "could", "did", "do", "does", "each", "every", "find", "for", "from",
    "get", "give", "had", "has", "have", "having", "how", "i", "in", "into", "is", "it", "its",
    "list", "many", "me", "more", "most", "much", "my", "of", "on", "only", "or", "our", "out",
    "please", "return", "show", "so", "some", "such", "tell", "than", "that", "the", "their",
    "them", "then", "there", "these", "they", "this", "those", "to", "us", "was", "we", "were",
    "what", "when", "where", "which", "who", "whose", "will", "with", "would", "you", "your",
];

/// The stems of a question's words that mean something, each once, in order.
pub(super) fn question_stems(text: &str) -> Vec<String> {
    let mut stems = Vec::new();
    for word in split(text) {
        if STOP_WORDS.binary_search(&word.as_str()).is_ok() {
            continue;
        }
        let stem = stem(&word);
        if !stems.contains(&stem) {
            stems.push(stem);
        }
    }
    stems
}

/// The stems of a name's parts: `order_items`, `orderItems` and `OrderItem` have the same.
pub(super) fn name_stems(name: &str) -> Vec<String> {
    split(name).iter().map(|word| stem(word)).collect()
}

/// Lower-case words of letters or of digits; a capital after a small letter begins a new one.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut last: Option<char> = None;
    for character in text.chars() {
        let begins = match last {
            Some(last) => {
                (last.is_lowercase() && character.is_uppercase())
                    || (last.is_alphabetic() != character.is_alphabetic())
            }
            None => false,
        };
        if (begins || !character.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
            last = Some(character);
        } else {
            last = None;
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Cuts what grammar added. Not a linguist's stem: only the same for forms of one word.
fn stem(word: &str) -> String {
    let irregular = match word {
        "people" | "persons" => Some("person"),
        "men" => Some("man"),
        "women" => Some("woman"),
        "children" => Some("child"),
        "countries" | "country" => Some("countr"),
        "bought" => Some("buy"),
        "sold" => Some("sell"),
        "paid" => Some("pay"),
        "won" => Some("win"),
        "born" | "birthday" => Some("birth"),
        "oldest" | "youngest" | "older" | "younger" | "old" | "young" => Some("ag"),
        "cheapest" | "expensive" | "cheap" | "cheaper" => Some("pric"),
        "live" | "lives" | "living" => Some("liv"),
        _ => None,
    };
    if let Some(stem) = irregular {
        return stem.to_owned();
    }
    let mut stem = word;
    let cut = |stem: &'_ str, ending: &str, least: usize| {
        stem.strip_suffix(ending)
            .filter(|rest| rest.chars().count() >= least)
            .map(str::to_owned)
    };
    let plural = cut(stem, "ies", 2)
        .map(|rest| rest + "y")
        .or_else(|| {
            ["sses", "shes", "ches", "xes"]
                .iter()
                .find_map(|e| cut(stem, e, 2).map(|rest| rest + &e[..e.len() - 2]))
        })
        .or_else(|| {
            let is_plural = !["ss", "us", "is"]
                .iter()
                .any(|ending| stem.ends_with(ending));
            is_plural.then(|| cut(stem, "s", 3)).flatten()
        });
    let held = plural.unwrap_or_else(|| word.to_owned());
    stem = &held;
    let verb = [("ing", 3), ("ed", 3), ("er", 4), ("or", 4)]
        .iter()
        .find_map(|(ending, least)| cut(stem, ending, *least));
    let mut stem = verb.unwrap_or_else(|| held.clone());
    // `shipped` and `ship`, `stopping` and `stop`.
    let mut tail = stem.chars().rev();
    if let (Some(last), Some(before)) = (tail.next(), tail.next())
        && last == before
        && !matches!(last, 's' | 'l' | 'e' | 'o')
    {
        stem.pop();
    }
    if stem.chars().count() > 3 {
        if stem.ends_with('e') {
            stem.pop();
        } else if stem.ends_with('y') {
            stem.pop();
            stem.push('i');
        }
    }
    stem
}

/// How alike two stems are, from 0 to 1: `asked` from the question, `named` from a name.
pub(super) fn likeness(asked: &str, named: &str) -> f64 {
    if asked == named {
        return 1.0;
    }
    let (shorter, longer) = if asked.len() <= named.len() {
        (asked, named)
    } else {
        (named, asked)
    };
    if shorter.len() >= 3 && longer.starts_with(shorter) {
        // `cust` for customer, `national` and nationality.
        return if shorter.len() >= 4 { 0.7 } else { 0.5 };
    }
    if asked.len() >= 4 && named.contains(asked) {
        // Names written together: `birthdate`, `playername`.
        return 0.6;
    }
    if named.len() >= 4 && asked.contains(named) {
        return 0.5;
    }
    let common = shorter
        .bytes()
        .zip(longer.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    if common >= 4 && common * 3 >= longer.len() * 2 {
        return 0.5;
    }
    if named.len() >= 2 && named.len() <= 4 && asked.len() >= 4 && abbreviates(named, asked) {
        return 0.4;
    }
    0.0
}

/// Same first letter, and the rest in order: `qty` for quantity, `amt` for amount.
fn abbreviates(short: &str, long: &str) -> bool {
    let mut rest = long.bytes();
    let in_order = short.bytes().all(|byte| rest.any(|other| other == byte));
    in_order && short.bytes().next() == long.bytes().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_every_style_have_the_same_stems() {
        for name in [
            "order_items",
            "orderItems",
            "OrderItem",
            "order item",
            "Ordered-Items",
        ] {
            assert_eq!(name_stems(name), ["order", "item"], "{name}");
        }
        assert_eq!(name_stems("address2"), ["address", "2"]);
        assert_eq!(name_stems("FLIGHT_ID"), ["flight", "id"]);
    }

    #[test]
    fn forms_of_one_word_have_one_stem() {
        for (a, b) in [
            ("cities", "city"),
            ("addresses", "address"),
            ("shipped", "ship"),
            ("boxes", "box"),
            ("named", "name"),
            ("people", "person"),
            ("statuses", "status"),
            ("companies", "company"),
        ] {
            assert!(
                likeness(&stem(a), &stem(b)) >= 0.7,
                "{a} {b}: {} {}",
                stem(a),
                stem(b)
            );
        }
    }

    #[test]
    fn a_question_is_what_is_left_without_small_words() {
        assert_eq!(
            question_stems("How many orders did each customer make?"),
            ["order", "custom", "mak"]
        );
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn abbreviations_and_parts_are_alike_and_strangers_are_not() {
        for (asked, named) in [
            ("department", "dept"),
            ("quantity", "qty"),
            ("birth", "birthdat"),
            ("custom", "cust"),
        ] {
            assert!(likeness(asked, named) > 0.0, "{asked} {named}");
        }
        for (asked, named) in [("order", "price"), ("name", "number"), ("city", "date")] {
            assert!(likeness(asked, named) == 0.0, "{asked} {named}");
        }
    }
}
