//! "in Germany", "from Berlin": a place whose column the question does not name.

use super::super::column_kind::ColumnKind;
use super::super::places::{Country, country_named};
use super::super::query::ColumnRef;
use super::super::sentence::listing;
use super::super::vocabulary::{ColumnId, RelationId, Vocabulary};
use super::super::{Misunderstanding, joins, meaning, resolve};
use super::predicate::{Scope, locate_over, on_path};
use super::select::Select;
use super::text::literal;

/// A column that can hold the place, and how it may be spelled there: exactly where the column has choices, in lower
/// case otherwise.
struct Candidate {
    column: ColumnId,
    values: Vec<String>,
    is_exact: bool,
}

/// The condition on whatever columns say where, of the nearest relation that has any.
pub(super) fn write(
    select: &mut Select<'_, '_>,
    scope: &Scope,
    text: &str,
    negated: bool,
) -> Result<String, Misunderstanding> {
    let candidates = candidates(select.vocabulary, text);
    if candidates.is_empty() {
        return Err(Misunderstanding::new(format!(
            "I do not know what \u{201c}{text}\u{201d} is here: please say which column holds it, for example \u{201c}with city {text}\u{201d}."
        )));
    }
    // Several columns of one relation may hold it: a city and a state. Which relation is meant must be clear.
    let mut readings: Vec<(ColumnId, u8)> = Vec::new();
    for candidate in &candidates {
        let known = readings
            .iter()
            .any(|(id, _)| id.relation == candidate.column.relation);
        if !known {
            readings.push((candidate.column, 3));
        }
    }
    let said = text.to_owned();
    let near = neighbours(select, scope.subject.relation);
    let (anchor, nearest) = locate_over(select, scope, &ColumnRef { readings, said }, &near)?;
    let columns: Vec<String> = candidates
        .iter()
        .filter(|candidate| candidate.column.relation == nearest.relation)
        .map(|candidate| resolve::describe(select.vocabulary, candidate.column))
        .collect();
    select.assume(format!(
        "I looked for \u{201c}{text}\u{201d} in {}.",
        listing(&columns)
    ));
    on_path(select, &anchor, nearest.relation, |select, anchor| {
        let parts: Vec<String> = candidates
            .iter()
            .filter(|candidate| candidate.column.relation == nearest.relation)
            .map(|candidate| {
                let sql = select.column(anchor, candidate.column);
                let sql = if candidate.is_exact {
                    sql
                } else {
                    format!("lower({sql})")
                };
                let values: Vec<String> = candidate.values.iter().map(|v| literal(v)).collect();
                match values.as_slice() {
                    [one] => format!("{sql} = {one}"),
                    _ => format!("{sql} IN ({})", values.join(", ")),
                }
            })
            .collect();
        let any = match parts.as_slice() {
            [one] => one.clone(),
            _ => format!("({})", parts.join(" OR ")),
        };
        Ok(if negated {
            format!("({any}) IS NOT TRUE")
        } else {
            any
        })
    })
}

/// The relations named in the question, and those one step away: "customers in Berlin" by their addresses.
fn neighbours(select: &Select<'_, '_>, from: RelationId) -> Vec<RelationId> {
    (0..select.vocabulary.snapshot.relations.len())
        .filter(|to| {
            select.mentioned.contains(to)
                || joins::path(select.vocabulary, from, *to, select.hints)
                    .is_some_and(|path| path.len() == 1)
        })
        .collect()
}

fn candidates(vocabulary: &Vocabulary<'_>, text: &str) -> Vec<Candidate> {
    let country = country_named(text);
    let mut candidates = Vec::new();
    for relation in 0..vocabulary.snapshot.relations.len() {
        let own = meaning::relation_words(vocabulary, relation);
        let label = meaning::label(vocabulary, relation);
        for id in vocabulary.columns_of(relation) {
            let textual = matches!(vocabulary.kind(id), ColumnKind::Text | ColumnKind::Enum);
            let named = label.contains(&id) && own.last().is_some_and(|word| holds(word, country));
            if textual
                && (named || says_where(&vocabulary.column_words(id), country))
                && let Some(candidate) = candidate(vocabulary, id, text, country)
            {
                candidates.push(candidate);
            }
        }
    }
    candidates
}

/// Whether a word names the kind of place that is looked for.
fn holds(word: &str, country: Option<Country>) -> bool {
    // A name that is no country that we know may still be one.
    let is_country = matches!(word, "country" | "nation");
    meaning::PLACE_WORDS.contains(&word) && (is_country || country.is_none())
}

/// Whether a column's words do: "city", "country_code", "billing_country", but not "city_id".
fn says_where(words: &[String], country: Option<Country>) -> bool {
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let Some(last) = words.last()
        && (*last == "name" || country.is_some() && matches!(*last, "code" | "iso"))
    {
        words.pop();
    }
    words.last().is_some_and(|word| holds(word, country))
}

fn candidate(
    vocabulary: &Vocabulary<'_>,
    id: ColumnId,
    text: &str,
    country: Option<Country>,
) -> Option<Candidate> {
    let column = vocabulary.column(id)?;
    let mut values = vec![text.to_lowercase()];
    if let Some(country) = country {
        let words = vocabulary.column_words(id);
        let is_code = words.iter().any(|word| word == "code" || word == "iso")
            || column.type_name.ends_with("(2)")
            || column.type_name.ends_with("(3)");
        values = if is_code {
            vec![country.alpha2.to_lowercase(), country.alpha3.to_lowercase()]
        } else {
            country.spellings()
        };
    }
    values.sort();
    values.dedup();
    let is_exact = !column.choices.is_empty();
    if is_exact {
        values = column
            .choices
            .iter()
            .filter(|choice| values.contains(&choice.to_lowercase()))
            .cloned()
            .collect();
    }
    (!values.is_empty()).then_some(Candidate {
        column: id,
        values,
        is_exact,
    })
}
