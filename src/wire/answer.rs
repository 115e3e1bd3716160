//! A pipeline's [`Answer`] to the [`AnswerBody`] that the socket and REST send.

use crate::domain::result::{ResultColumn, ResultSet};
use crate::domain::usage::{ModelName, TurnUsage};
use crate::pipeline::event::{Answer, Clarification, Evidence};
use crate::protocol::answer::{
    AnswerBody, ClarificationBody, ColumnBody, CostBody, EvidenceBody, UsageBody,
};
use serde_json::Value;

use super::cells;
use super::errors::shortfall_code;

/// How many answers to pick from go with a question back to the person.
const OPTIONS_MAX: usize = 4;

/// Shapes an answer for the wire.
#[must_use]
pub fn answer_body(answer: Answer, request_id: String, conversation_id: String) -> AnswerBody {
    let result = answer.result.unwrap_or_default();
    let raw_result = if answer.sql.is_some() {
        cells::markdown(&result)
    } else {
        String::new()
    };
    AnswerBody {
        reply: answer.reply,
        conversation_id,
        sql_query: answer.sql,
        raw_result,
        columns: column_bodies(&result.columns),
        rows: json_rows(&result),
        row_count: result.rows.len(),
        truncated: result.truncation.is_some(),
        evidence: evidence_body(answer.evidence, &result),
        usage: usage_body(answer.usage),
        request_id,
        error: answer.shortfall.map(shortfall_code),
        suggestions: answer.suggestions,
        clarification: answer.clarification.map(clarification_body),
    }
}

/// Names and types of a result's columns.
pub(super) fn column_bodies(columns: &[ResultColumn]) -> Vec<ColumnBody> {
    columns
        .iter()
        .map(|column| ColumnBody {
            name: column.name.clone(),
            type_name: column.type_name.clone(),
        })
        .collect()
}

/// A result's rows, each cell as exact as JSON allows.
pub(super) fn json_rows(result: &ResultSet) -> Vec<Vec<Value>> {
    result
        .rows
        .iter()
        .map(|row| {
            row.iter()
                .zip(&result.columns)
                .map(|(cell, column)| cells::to_json(cell, column.kind))
                .collect()
        })
        .collect()
}

fn evidence_body(evidence: Evidence, result: &ResultSet) -> EvidenceBody {
    EvidenceBody {
        tables: evidence.tables,
        columns: evidence.columns,
        filters: evidence.filters,
        joins: evidence.joins,
        row_count: result.rows.len(),
        truncated: result.truncation.is_some(),
        warnings: evidence.warnings,
        unverified_numbers: evidence.unverified_numbers,
    }
}

fn usage_body(usage: TurnUsage) -> UsageBody {
    let tokens = usage.tokens;
    UsageBody {
        calls: tokens.calls,
        input_tokens: tokens.input_tokens,
        cached_tokens: tokens.cached_tokens,
        output_tokens: tokens.output_tokens,
        models: usage.models.iter().map(ModelName::to_string).collect(),
        estimated: usage.is_estimated,
        cost: usage.cost_usd.map(|amount| CostBody {
            amount,
            currency: "USD",
        }),
    }
}

fn clarification_body(clarification: Clarification) -> ClarificationBody {
    let mut options = clarification.options;
    options.truncate(OPTIONS_MAX);
    ClarificationBody {
        question: clarification.question,
        options,
    }
}
