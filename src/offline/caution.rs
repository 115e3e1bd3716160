//! Readings that the rules of the parser reach but that a person rarely means: they are declined. In: what was
//! understood. Out: a reason not to answer. Knows no words of the question.

use super::Misunderstanding;
use super::joins;
use super::query::{Condition, Query, When};
use super::vocabulary::{RelationId, Vocabulary};

/// Declines what is said after other rows where it can be about them or about the subject: "customers with more than 3
/// orders in Germany".
///
/// # Errors
///
/// When a condition has two things that it can be about.
pub(super) fn attached(query: &Query, vocabulary: &Vocabulary<'_>) -> Result<(), Misunderstanding> {
    let mut counted: Vec<RelationId> = Vec::new();
    for condition in &query.conditions {
        if let Condition::Related { relation, .. } = condition {
            counted.push(*relation);
        } else if !counted.is_empty() && is_loose(condition, &counted, vocabulary) {
            return Err(Misunderstanding::new(
                "I am not sure what the last condition of this question is about. Please put it right after what it describes.",
            ));
        }
    }
    Ok(())
}

/// Whether a condition can be about one of the relations.
fn is_loose(condition: &Condition, relations: &[RelationId], vocabulary: &Vocabulary<'_>) -> bool {
    if let Condition::Compare { column, .. } | Condition::Between { column, .. } = condition {
        return column
            .readings
            .iter()
            .all(|(id, _)| relations.contains(&id.relation));
    }
    if let Condition::Choice { readings, .. } = condition {
        return readings.iter().all(|choice| {
            relations.contains(&choice.column.relation)
                || vocabulary
                    .column_words(choice.column)
                    .iter()
                    .any(|word| matches!(word.as_str(), "country" | "city"))
        });
    }
    matches!(condition, Condition::Place { .. })
}

/// Declines rows that only share an owner with the subject's: the reviews of the customer of an order are not its reviews.
///
/// # Errors
///
/// When rows are asked for that no key ties to the subject's.
pub(super) fn linked(query: &Query, vocabulary: &Vocabulary<'_>) -> Result<(), Misunderstanding> {
    let Some(subject) = query.subject else {
        return Ok(());
    };
    for condition in &query.conditions {
        let Condition::Related {
            relation,
            conditions,
            ..
        } = condition
        else {
            continue;
        };
        let Some(path) = joins::path(vocabulary, subject, *relation, &query.hints) else {
            continue;
        };
        let mut ways = path.iter().skip_while(|step| step.to_many);
        let shares_an_owner = ways.any(|step| step.to_many);
        let steps_max = conditions
            .iter()
            .map(dated_steps_max)
            .min()
            .unwrap_or(usize::MAX);
        if shares_an_owner || path.len() > steps_max {
            return Err(Misunderstanding::new(
                "The two things that this question connects are not tied to each other directly in this database, so I did not guess which belong together.",
            ));
        }
    }
    Ok(())
}

/// How many steps away the rows can be that a condition dates. What lies between has a date of its own; only a verb
/// ("ordered") says that it is not meant.
fn dated_steps_max(condition: &Condition) -> usize {
    if let Condition::Any(any) = condition {
        return any.iter().map(dated_steps_max).min().unwrap_or(usize::MAX);
    }
    let Condition::Period { when, .. } = condition else {
        return usize::MAX;
    };
    if *when == When::Default { 1 } else { 2 }
}
