//! The JSON documents of the HTTP API beside the answer itself.

use schemars::JsonSchema;
use serde::Serialize;

use super::error_code::ErrorCode;

/// Every HTTP error, whatever its status.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HttpErrorBody {
    /// A sentence for people.
    pub error: String,
    /// Stable, for programs.
    pub code: ErrorCode,
    /// Milliseconds after which trying again makes sense, where that is known; `Retry-After` has them in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The value of `X-Request-Id`.
    pub request_id: String,
}

/// `GET /readyz`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ReadinessBody {
    /// `ready`, `degraded` (questions are answered, something beside them is not) or `not_ready`.
    pub status: &'static str,
    /// One entry a dependency.
    pub checks: Vec<CheckBody>,
}

/// The state of one dependency.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CheckBody {
    /// `database`, `store`, `provider`, `fallback` or `audit`.
    pub name: &'static str,
    /// `up`, `down` or `off` (not configured).
    pub status: &'static str,
    /// What stands behind the name: `redis` or `memory`, `anthropic`, `openai` or `offline`. Not for
    /// strangers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// The model's name, for a provider that has one. Not for strangers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What is wrong, or why it is off, without hosts or names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `GET /healthz`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HealthBody {
    /// Always `ok`: a process that cannot say so does not answer.
    pub status: &'static str,
    /// The version of db-chat.
    pub version: &'static str,
    /// The database being asked is the bundled one, which the page at `/` has sample questions for.
    pub demo: bool,
}

/// `POST /api/chat/ticket/`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TicketBody {
    /// For `?ticket=` in the address of a socket; good once.
    pub ticket: String,
    /// Seconds until it is good no more.
    pub expires_in: u32,
}
