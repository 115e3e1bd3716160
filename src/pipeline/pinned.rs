//! What is the same in every prompt of a turn, however long it takes: fixed when the question is accepted.

use chrono::{DateTime, Utc};

/// The zone that "today" is taken in. PostgreSQL's own zone decides what timestamps mean to it.
const TIME_ZONE: &str = "UTC";

/// Day, zone and language of one turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// The day of the question, `YYYY-MM-DD`.
    pub today: String,
    /// The zone of that day.
    pub time_zone: &'static str,
    /// The language to answer in, as a word for the model; `None`: the question's own.
    pub reply_language: Option<String>,
}

impl Pinned {
    /// For a question that was asked at this time.
    pub(super) fn at(asked_at: DateTime<Utc>, reply_language: Option<&str>) -> Self {
        Self {
            today: asked_at.date_naive().to_string(),
            time_zone: TIME_ZONE,
            reply_language: reply_language.map(str::to_owned),
        }
    }
}
