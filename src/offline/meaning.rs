//! What names usually mean: which column says when, where, how much, and what a thing is called. Knows the habits of
//! database designers, no particular database.

use super::column_kind::ColumnKind;
use super::tokens::{name_stems, stem};
use super::vocabulary::{ColumnId, RelationId, Vocabulary};

/// The columns that name a row for a person: its name or title, first and last name, else its key.
pub(super) fn label(vocabulary: &Vocabulary<'_>, relation: RelationId) -> Vec<ColumnId> {
    let own = relation_words(vocabulary, relation);
    let columns: Vec<(ColumnId, Vec<String>)> = vocabulary
        .columns_of(relation)
        .map(|id| (id, short_words(vocabulary, id, &own)))
        .collect();
    let find = |names: &[&str]| {
        names.iter().find_map(|name| {
            let words: Vec<&str> = name.split(' ').collect();
            columns
                .iter()
                .find(|(id, short)| *short == words && readable(vocabulary.kind(*id)))
                .map(|(id, _)| *id)
        })
    };
    if let Some(name) = find(&["name", "full name", "display name"]) {
        return vec![name];
    }
    let first = find(&["first name", "firstname", "given name", "forename", "fname"]);
    let last = find(&["last name", "lastname", "surname", "family name", "lname"]);
    if let (Some(first), Some(last)) = (first, last) {
        return vec![first, last];
    }
    if let Some(title) = find(&["title"]) {
        return vec![title];
    }
    let named = columns
        .iter()
        .find(|(id, short)| {
            short
                .last()
                .is_some_and(|w| matches!(w.as_str(), "name" | "title"))
                && readable(vocabulary.kind(*id))
        })
        .map(|(id, _)| *id);
    if let Some(named) = named.or_else(|| {
        find(&[
            "label",
            "order number",
            "number",
            "code",
            "subject",
            "description",
            "email",
        ])
    }) {
        return vec![named];
    }
    let same = columns
        .iter()
        .find(|(id, _)| vocabulary.column_words(*id) == own && readable(vocabulary.kind(*id)));
    if let Some((same, _)) = same {
        return vec![*same];
    }
    key(vocabulary, relation)
}

fn readable(kind: ColumnKind) -> bool {
    matches!(kind, ColumnKind::Text | ColumnKind::Enum)
}

/// The visible primary key, or nothing when a part of it is hidden.
pub(super) fn key(vocabulary: &Vocabulary<'_>, relation: RelationId) -> Vec<ColumnId> {
    let Some(here) = vocabulary.relation(relation) else {
        return Vec::new();
    };
    here.primary_key
        .iter()
        .map(|name| vocabulary.column_named(relation, name))
        .collect::<Option<Vec<_>>>()
        .unwrap_or_default()
}

/// The stems of a relation's name.
pub(super) fn relation_words(vocabulary: &Vocabulary<'_>, relation: RelationId) -> Vec<String> {
    vocabulary
        .relation(relation)
        .map(|r| name_stems(&r.name))
        .unwrap_or_default()
}

/// A column's words without those of its relation: "name" for `customer_name` of `customers`.
pub(super) fn short_words(
    vocabulary: &Vocabulary<'_>,
    id: ColumnId,
    relation: &[String],
) -> Vec<String> {
    let words = vocabulary.column_words(id);
    for skipped in 0..relation.len() {
        let start = relation.get(skipped..).unwrap_or_default();
        if words.len() > start.len()
            && let Some(rest) = words.strip_prefix(start)
        {
            return rest.to_vec();
        }
    }
    words
}

/// The column that dates a row: when an order was ordered, a person signed up, a thing was created.
pub(super) fn moment(vocabulary: &Vocabulary<'_>, relation: RelationId) -> Option<ColumnId> {
    let own = relation_words(vocabulary, relation);
    let mut ranked: Vec<(u8, ColumnId)> = vocabulary
        .columns_of(relation)
        .filter(|id| vocabulary.kind(*id).is_moment())
        .filter_map(|id| {
            let words = vocabulary.column_words(id);
            Some((moment_rank(&words, &own)?, id))
        })
        .collect();
    ranked.sort();
    let (rank, best) = ranked.first().copied()?;
    let alone = ranked.get(1).is_none_or(|(second, _)| *second > rank);
    alone.then_some(best)
}

/// Lower is likelier; `None` for dates that never date a row by themselves.
fn moment_rank(words: &[String], relation: &[String]) -> Option<u8> {
    let has = |word: &str| words.iter().any(|w| w == word);
    if has("updated")
        || has("modified")
        || has("deleted")
        || has("birth")
        || has("dob")
        || has("birthday")
        || has("expiry")
        || has("expires")
    {
        return None;
    }
    let thing = relation.last().map_or("", String::as_str);
    // "ordered_at" of orders, "order_date" of orders, "returned_at" of returns.
    let own = words.first().is_some_and(|first| {
        !thing.is_empty() && (first == thing || verb_root(first) == verb_root(thing))
    });
    Some(if own {
        0
    } else if matches!(
        words
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .as_slice(),
        ["date" | "timestamp" | "datetime" | "day"]
    ) || [
        "created",
        "creation",
        "placed",
        "opened",
        "submitted",
        "registered",
        "inserted",
        "added",
        "signup",
        "joined",
    ]
    .iter()
    .any(|word| has(word))
    {
        1
    } else if has("start")
        || has("started")
        || has("begin")
        || has("from")
        || has("shipped")
        || has("hired")
        || has("hire")
        || has("posted")
        || has("launched")
        || has("paid")
    {
        2
    } else {
        3
    })
}

/// What verbs that say the same share: "shipped", "ship", "shipping", "shipment".
pub(super) fn verb_root(word: &str) -> String {
    let word = stem(word);
    for ending in ["ment", "ing", "ed", "al"] {
        if let Some(root) = word.strip_suffix(ending)
            && root.len() >= 3
        {
            let chars: Vec<char> = root.chars().collect();
            if let [start @ .., a, b] = chars.as_slice()
                && a == b
                && !matches!(a, 's' | 'l' | 'e')
            {
                return start.iter().chain([a]).collect();
            }
            return root.strip_suffix('e').unwrap_or(root).to_owned();
        }
    }
    match word.as_str() {
        "paid" | "payment" => "pay".to_owned(),
        "sold" => "sell".to_owned(),
        "bought" => "buy".to_owned(),
        "born" => "birth".to_owned(),
        "sent" => "send".to_owned(),
        "began" | "begun" => "begin".to_owned(),
        _ => word.strip_suffix('e').unwrap_or(&word).to_owned(),
    }
}

/// The date column that a verb speaks of: "shipped" is `shipped_at` or `ship_date`. Verbs of coming into being ("signed
/// up", "placed") are the default moment when no column says them.
pub(super) fn moment_of_verb(
    vocabulary: &Vocabulary<'_>,
    relation: RelationId,
    verb: &str,
) -> Option<ColumnId> {
    let root = verb_root(verb);
    let exact = vocabulary.columns_of(relation).find(|id| {
        vocabulary.kind(*id).is_moment()
            && vocabulary
                .column_words(*id)
                .iter()
                .any(|word| verb_root(word) == root)
    });
    exact.or_else(|| {
        is_beginning(verb)
            .then(|| moment(vocabulary, relation))
            .flatten()
    })
}

/// Verbs that say no more than that a row came into being.
pub(super) fn is_beginning(verb: &str) -> bool {
    matches!(
        verb,
        "created"
            | "placed"
            | "made"
            | "added"
            | "registered"
            | "signed"
            | "joined"
            | "submitted"
            | "received"
            | "opened"
            | "posted"
            | "written"
            | "ordered"
            | "recorded"
            | "issued"
    )
}

/// Words for money taken.
pub(super) fn is_revenue_word(stem: &str) -> bool {
    matches!(
        stem,
        "revenue" | "sale" | "turnover" | "income" | "earning" | "spending" | "spend"
    )
}

/// How well a column serves as the money value of its row; `None` when it does not.
pub(super) fn worth_rank(vocabulary: &Vocabulary<'_>, id: ColumnId) -> Option<u8> {
    if !vocabulary.kind(id).is_number() {
        return None;
    }
    let own = relation_words(vocabulary, id.relation);
    let words = short_words(vocabulary, id, &own);
    let has = |word: &str| words.iter().any(|w| w == word);
    let partial = [
        "tax", "discount", "shipping", "freight", "fee", "refund", "refunded", "item", "items",
        "unit", "cost", "purchase", "paid", "net", "sub", "subtotal", "min", "max", "count", "id",
        "number", "quantity", "balance",
    ];
    if partial.iter().any(|word| has(word)) {
        return None;
    }
    let comment_says = vocabulary
        .column(id)
        .and_then(|column| column.comment.as_deref())
        .is_some_and(|comment| {
            name_stems(comment)
                .iter()
                .any(|word| matches!(word.as_str(), "revenue" | "turnover"))
        });
    if has("revenue") {
        return Some(0);
    }
    if comment_says {
        return Some(1);
    }
    let last = words.last().map_or("", String::as_str);
    if has("total") || (has("grand") && has("total")) {
        Some(if words.len() <= 2 { 2 } else { 3 })
    } else if matches!(last, "amount" | "value" | "sale") {
        Some(4)
    } else {
        None
    }
}

/// The column that holds what one row is worth, when exactly one does so best.
pub(super) fn worth(vocabulary: &Vocabulary<'_>, relation: RelationId) -> Option<ColumnId> {
    let mut ranked: Vec<(u8, ColumnId)> = vocabulary
        .columns_of(relation)
        .filter_map(|id| Some((worth_rank(vocabulary, id)?, id)))
        .collect();
    ranked.sort();
    let (rank, best) = ranked.first().copied()?;
    ranked
        .get(1)
        .is_none_or(|(second, _)| *second > rank)
        .then_some(best)
}

/// Quantity, unit price and, where there is one, the discount of a relation whose rows are parts of a sale.
pub(super) fn line_columns(
    vocabulary: &Vocabulary<'_>,
    relation: RelationId,
) -> Option<(ColumnId, ColumnId)> {
    let find = |names: &[&str]| {
        vocabulary.columns_of(relation).find(|id| {
            vocabulary.kind(*id).is_number()
                && names.contains(&vocabulary.column_words(*id).join(" ").as_str())
        })
    };
    let quantity = find(&["quantity", "qty", "order quantity", "item quantity"])?;
    let price = find(&[
        "unit price",
        "unitprice",
        "price",
        "sale price",
        "item price",
        "price each",
        "product price",
    ])?;
    Some((quantity, price))
}

/// Columns that say where, from the widest to the narrowest.
pub(super) const PLACE_WORDS: &[&str] = &[
    "continent",
    "country",
    "nation",
    "region",
    "state",
    "province",
    "county",
    "city",
    "town",
    "location",
];

/// How likely a relation's rows are sales: whole ones first, then their lines; `None` when nothing says so.
pub(super) fn sale_rank(vocabulary: &Vocabulary<'_>, relation: RelationId) -> Option<u8> {
    let words = relation_words(vocabulary, relation);
    let is_sale = words.iter().any(|w| {
        matches!(
            w.as_str(),
            "order" | "sale" | "invoice" | "transaction" | "purchase" | "receipt"
        )
    });
    let is_line = words.len() > 1
        && words.iter().any(|w| {
            matches!(
                w.as_str(),
                "item" | "line" | "detail" | "position" | "entry"
            )
        });
    let best = worth(vocabulary, relation).and_then(|id| worth_rank(vocabulary, id));
    match best {
        Some(0 | 1) if !is_line => Some(0),
        Some(_) if is_sale && !is_line => Some(1),
        Some(_) if is_line => Some(3),
        Some(_) | None => line_columns(vocabulary, relation)
            .filter(|_| is_line || is_sale)
            .map(|_| 3),
    }
}

/// A numeric column that holds a year, where there is exactly one.
pub(super) fn year(vocabulary: &Vocabulary<'_>, relation: RelationId) -> Option<ColumnId> {
    let mut years = vocabulary.columns_of(relation).filter(|id| {
        vocabulary.kind(*id) == ColumnKind::Integer
            && vocabulary
                .column_words(*id)
                .iter()
                .any(|word| word == "year")
    });
    let only = years.next()?;
    years.next().is_none().then_some(only)
}

/// A discount that is a share of the price: a fraction too small to be an amount of money.
pub(super) fn discount_share(
    vocabulary: &Vocabulary<'_>,
    relation: RelationId,
) -> Option<ColumnId> {
    vocabulary.columns_of(relation).find(|id| {
        let fraction = vocabulary.column(*id).is_some_and(|column| {
            matches!(column.type_internal_name.as_str(), "float4" | "float8")
                || matches!(
                    column.type_name.as_str(),
                    "numeric(3,2)" | "numeric(4,3)" | "numeric(5,4)"
                )
        });
        fraction && vocabulary.column_words(*id) == ["discount"]
    })
}

/// The numeric column that goes by one of these names: a price before a cost, but of several sizes (an area, a
/// population) none.
pub(super) fn number_called(
    vocabulary: &Vocabulary<'_>,
    relation: RelationId,
    names: &[&str],
) -> Option<ColumnId> {
    let own = relation_words(vocabulary, relation);
    let mut found = names.iter().filter_map(|name| {
        let words = name_stems(&name.replace(' ', "_"));
        vocabulary.columns_of(relation).find(|id| {
            short_words(vocabulary, *id, &own) == words && vocabulary.kind(*id).is_number()
        })
    });
    let first = found.next()?;
    (names.contains(&"price") || found.next().is_none()).then_some(first)
}
