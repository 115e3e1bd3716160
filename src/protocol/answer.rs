//! The answer to one question: the body of the REST reply and of the final `chat_response` frame.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// The answer. Field names are those of the Django app where it had them.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct AnswerBody {
    /// What the person is told.
    pub reply: String,
    /// The conversation that the turn belongs to.
    pub conversation_id: String,
    /// The SQL that ran, as the guard emitted it; `null` where none did.
    pub sql_query: Option<String>,
    /// The rows as a Markdown table, what the Django app sent; empty where no SQL ran.
    pub raw_result: String,
    /// Name and type of each column, in order. Names may repeat.
    pub columns: Vec<ColumnBody>,
    /// The rows, each an array with one value per column.
    pub rows: Vec<Vec<Value>>,
    /// How many rows are in `rows`.
    pub row_count: usize,
    /// Whether rows or parts of cells are missing.
    pub truncated: bool,
    /// What backs the answer.
    pub evidence: EvidenceBody,
    /// What the model calls cost.
    pub usage: UsageBody,
    /// The client's reference, or the one made for it.
    pub request_id: String,
    /// Present when the question has no answer although nothing failed: the code that says why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<super::error_code::ErrorCode>,
    /// Up to three questions that could follow; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<String>,
    /// Present when the reply asks the person something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clarification: Option<ClarificationBody>,
}

/// A column of the result.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ColumnBody {
    /// The output name.
    pub name: String,
    /// The PostgreSQL type, e.g. `numeric`, `timestamp with time zone`, `text[]`.
    #[serde(rename = "type")]
    pub type_name: String,
}

/// A question back to the person.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ClarificationBody {
    /// What is asked.
    pub question: String,
    /// Up to four answers to pick from; may be empty.
    pub options: Vec<String>,
}

/// What backs an answer, drawn from the checked query and its rows, never from the model's words.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct EvidenceBody {
    /// Relations read, schema-qualified.
    pub tables: Vec<String>,
    /// Columns read, as `schema.table.column`.
    pub columns: Vec<String>,
    /// Conditions of WHERE and HAVING, as SQL.
    pub filters: Vec<String>,
    /// Join conditions, as SQL.
    pub joins: Vec<String>,
    /// Rows that the query returned, as far as they were read.
    pub row_count: usize,
    /// Whether the result was cut.
    pub truncated: bool,
    /// Warnings about a query that is allowed but doubtful.
    pub warnings: Vec<String>,
    /// Numbers in the prose that are not in the rows.
    pub unverified_numbers: Vec<String>,
}

/// Tokens of the turn; `null` where the provider did not say.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct UsageBody {
    /// Model calls made, retries included.
    pub calls: u32,
    /// Tokens read by the model, cached ones included.
    pub input_tokens: Option<u64>,
    /// The part of the input that came from the provider's prompt cache.
    pub cached_tokens: Option<u64>,
    /// Tokens written by the model.
    pub output_tokens: Option<u64>,
    /// The models that answered, each as `provider:model`, in the order in which they first did.
    pub models: Vec<String>,
    /// Present and true where a counter is a guess by the length of the texts, because a server did not count.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// Present where the operator has given the prices of all models that were called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostBody>,
}

/// An amount of money.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CostBody {
    /// How much, to a billionth.
    pub amount: f64,
    /// ISO 4217: `USD`.
    pub currency: &'static str,
}
