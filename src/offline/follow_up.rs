//! Questions that lean on the one before: "and last year?", "only in Germany", "by month instead". In: the words and the
//! query before. Out: that query, changed.

use chrono::NaiveDate;

use super::Misunderstanding;
use super::calendar::{DateRange, Unit};
use super::parse;
use super::query::{Condition, Function, Group, Measure, Output, Query, Target};
use super::tokens::{Token, tokenize};
use super::vocabulary::Vocabulary;

/// Reads a question by itself, or as a change to `previous` when it is one.
pub(super) fn read(
    question: &str,
    previous: Option<&Query>,
    vocabulary: &Vocabulary<'_>,
    today: NaiveDate,
) -> Result<Query, Misunderstanding> {
    let tokens = tokenize(question);
    if let Some(previous) = previous {
        let leans = lead_length(&tokens);
        if leans > 0 {
            let rest: Vec<Token> = tokens.iter().skip(leans).cloned().collect();
            if let Some(changed) = change(&rest, previous, vocabulary, today) {
                return Ok(changed);
            }
        }
    }
    let alone = parse::question(tokens.clone(), vocabulary, today);
    match (alone, previous) {
        (Ok(query), _) => Ok(query),
        (Err(misunderstanding), Some(previous)) => {
            change(&tokens, previous, vocabulary, today).ok_or(misunderstanding)
        }
        (Err(misunderstanding), None) => Err(misunderstanding),
    }
}

/// How many tokens say "this leans on what came before".
fn lead_length(tokens: &[Token]) -> usize {
    let word = |at: usize| tokens.get(at).map_or("", |t| t.lower.as_str());
    let mut at = 0;
    loop {
        at += match (word(at), word(at + 1)) {
            ("what" | "how", "about") => 2,
            (
                "and" | "but" | "or" | "now" | "also" | "then" | "only" | "just" | "same"
                | "instead" | ",",
                _,
            ) => 1,
            ("show" | "make", "it") => 2,
            ("the", "same") => 2,
            ("break", "it" | "that") if word(at + 2) == "down" => 3,
            ("break", "down") => 2,
            ("split", "it" | "that") => 2,
            ("group", "it" | "them" | "that") => 2,
            ("sort", "it" | "them" | "that") => 0,
            _ => return at,
        };
        if word(at) == "sort" {
            return at;
        }
    }
}

/// The previous query with what the words say changed; `None` when they say anything else.
fn change(
    tokens: &[Token],
    previous: &Query,
    vocabulary: &Vocabulary<'_>,
    today: NaiveDate,
) -> Option<Query> {
    if tokens.is_empty() {
        return None;
    }
    if let Some(range) = neighbour(tokens, previous) {
        let mut query = previous.clone();
        replace_period(&mut query.conditions, range).then_some(())?;
        return Some(query);
    }
    if let Some(query) = counted(tokens, previous) {
        return Some(query);
    }
    let fragment = parse::fragment(tokens.to_vec(), previous, vocabulary, today).ok();
    if let Some(fragment) = fragment
        && (!fragment.conditions.is_empty()
            || !fragment.groups.is_empty()
            || !fragment.orders.is_empty()
            || fragment.limit.is_some())
    {
        return Some(merged(previous, fragment));
    }
    bare_value(tokens, previous, vocabulary, today)
}

/// "the month before", "the previous year", "the quarter after": next to the period asked for before.
fn neighbour(tokens: &[Token], previous: &Query) -> Option<DateRange> {
    let words: Vec<&str> = tokens
        .iter()
        .map(|t| t.lower.as_str())
        .filter(|w| {
            !matches!(
                *w,
                "the" | "in" | "for" | "during" | "one" | "that" | "it" | "and"
            )
        })
        .collect();
    let stem_of = |word: &str| Unit::named(&super::tokens::stem(word));
    let (unit, offset) = match words.as_slice() {
        [unit, "before" | "earlier" | "prior"] => (stem_of(unit)?, -1),
        ["previous" | "prior" | "preceding", unit] => (stem_of(unit)?, -1),
        [unit, "after" | "later"] => (stem_of(unit)?, 1),
        ["next" | "following", unit] => (stem_of(unit)?, 1),
        _ => return None,
    };
    let period = previous.conditions.iter().find_map(period_of)?;
    period.moved(unit, offset)
}

fn period_of(condition: &Condition) -> Option<DateRange> {
    if let Condition::Period { range, .. } = condition {
        Some(*range)
    } else if let Condition::Related { conditions, .. } = condition {
        conditions.iter().find_map(period_of)
    } else {
        None
    }
}

/// Puts another range where one was; whether there was one.
fn replace_period(conditions: &mut [Condition], with: DateRange) -> bool {
    conditions.iter_mut().any(|condition| {
        if let Condition::Period { range, .. } = condition {
            *range = with;
            true
        } else if let Condition::Related { conditions, .. } = condition {
            replace_period(conditions, with)
        } else {
            false
        }
    })
}

/// "how many?", "how many are there?": the rows listed before, counted.
fn counted(tokens: &[Token], previous: &Query) -> Option<Query> {
    let words: Vec<&str> = tokens.iter().map(|t| t.lower.as_str()).collect();
    let asks = matches!(
        words.as_slice(),
        ["how", "many"]
            | ["how", "many", "are", "there"]
            | ["how", "many", "is", "that"]
            | ["how", "many", "are", "they"]
            | ["count", "them"]
            | ["how", "many", "of", "them"]
    );
    let lists = previous.groups.is_empty()
        && previous.limit.is_none()
        && previous
            .outputs
            .iter()
            .all(|output| !matches!(output, Output::Measure(_)));
    if !asks || !lists {
        return None;
    }
    let relation = previous.subject?;
    let mut query = previous.clone();
    query.outputs = vec![Output::Measure(Measure {
        function: Function::Count,
        of: Target::Rows(relation),
    })];
    query.orders.clear();
    query.distinct = false;
    Some(query)
}

/// "France?" after a question about Germany.
fn bare_value(
    tokens: &[Token],
    previous: &Query,
    vocabulary: &Vocabulary<'_>,
    today: NaiveDate,
) -> Option<Query> {
    let mut with_preposition = tokenize("in");
    with_preposition.extend(tokens.iter().cloned());
    let fragment = parse::fragment(with_preposition, previous, vocabulary, today).ok()?;
    let replaces = fragment.groups.is_empty()
        && fragment.orders.is_empty()
        && fragment.conditions.len() == 1
        && fragment.conditions.iter().all(|new| {
            previous
                .conditions
                .iter()
                .any(|old| is_about_the_same(old, new))
        });
    replaces.then(|| merged(previous, fragment))
}

/// The previous query with a fragment's parts in place of those that they speak about too.
fn merged(previous: &Query, fragment: Query) -> Query {
    let mut query = previous.clone();
    for condition in fragment.conditions {
        if let Condition::Period { range, .. } = condition
            && replace_period(&mut query.conditions, range)
        {
            continue;
        }
        match query
            .conditions
            .iter_mut()
            .find(|old| is_about_the_same(old, &condition))
        {
            Some(old) => *old = condition,
            None => query.conditions.push(condition),
        }
    }
    if !fragment.groups.is_empty() {
        let periods = |groups: &[Group]| {
            groups
                .iter()
                .all(|group| matches!(group, Group::Period(..)))
        };
        if query.groups.is_empty() || periods(&query.groups) == periods(&fragment.groups) {
            query.groups.clear();
        }
        // What was listed is counted once it is grouped.
        if let [Output::Relation(relation)] = query.outputs.as_slice() {
            query.outputs = vec![Output::Measure(Measure {
                function: Function::Count,
                of: Target::Rows(*relation),
            })];
        } else {
            query
                .outputs
                .retain(|output| matches!(output, Output::Measure(_)));
        }
        query.groups = fragment.groups;
        query.orders.clear();
        query.limit = None;
    }
    if !fragment.orders.is_empty() {
        query.orders = fragment.orders;
    }
    if fragment.limit.is_some() {
        query.limit = fragment.limit;
    }
    query.hints.extend(fragment.hints);
    query
}

/// Whether a new condition takes an old one's place.
fn is_about_the_same(old: &Condition, new: &Condition) -> bool {
    match (old, new) {
        (Condition::Choice { readings: old, .. }, Condition::Choice { readings: new, .. }) => {
            old.iter().any(|a| new.iter().any(|b| a.column == b.column))
        }
        (Condition::Place { .. }, Condition::Place { .. })
        | (Condition::Period { .. }, Condition::Period { .. }) => true,
        (Condition::Named { relation: old, .. }, Condition::Named { relation: new, .. }) => {
            old == new
        }
        (
            Condition::Compare {
                column: old,
                operator: a,
                ..
            },
            Condition::Compare {
                column: new,
                operator: b,
                ..
            },
        ) => old.readings.first() == new.readings.first() && a == b,
        (Condition::Related { relation: old, .. }, Condition::Related { relation: new, .. }) => {
            old == new
        }
        _ => false,
    }
}
