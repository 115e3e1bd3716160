//! One turn, or one summary, as the bytes that a store keeps, and back.
//!
//! The bytes are JSON with a version in front, so that instances of different releases can share a
//! Redis: a reader takes the versions it knows and refuses the others. The types here are private,
//! which leaves `domain` free to change.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::domain::conversation::{StoredTurn, Summary, TurnOutcome};
use crate::domain::ids::RequestId;
use crate::domain::result::{Cell, ResultColumn, ResultSet, Truncation, ValueKind};

/// The newest version that is read. It goes up when a reader of the version before would misread a turn;
/// a field that may be missing does not need a new one. What is written is the oldest version that holds
/// the turn, so that an older release beside this one reads all that it can.
const VERSION: u32 = 2;

/// Knows no turn that was stopped.
const VERSION_BEFORE_STOPPED: u32 = 1;

/// Why bytes are no turn.
#[derive(Debug, thiserror::Error)]
enum DecodeError {
    /// Written by a release that this one does not know.
    #[error("the turn has format version {found}, and this release reads up to version {VERSION}")]
    Version {
        /// The version found.
        found: u32,
    },
    /// No JSON, or not the expected fields.
    #[error("the turn is not what any version up to {VERSION} writes")]
    Json(#[source] serde_json::Error),
    /// A field holds something that it cannot hold.
    #[error("the turn's {field} is not valid")]
    Field {
        /// The field's name.
        field: &'static str,
    },
}

/// The bytes of a turn.
///
/// # Errors
/// None is expected: every turn has a JSON form. Should the encoder fail all the same, the turn is
/// reported as not storable.
pub(super) fn encode(turn: &StoredTurn) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(&TurnRecord::of(turn)).map_err(|source| StoreError::Corrupt {
        source: source.into(),
    })
}

/// The turn that `bytes` hold.
///
/// # Errors
/// [`StoreError::Corrupt`]: the bytes are no turn, or one of a version that is not known.
pub(super) fn decode(bytes: &[u8]) -> Result<StoredTurn, StoreError> {
    decode_record(bytes).map_err(|error| StoreError::Corrupt {
        source: error.into(),
    })
}

/// The bytes of a summary.
///
/// # Errors
/// As [`encode`].
pub(super) fn encode_summary(summary: &Summary) -> Result<Vec<u8>, StoreError> {
    let record = SummaryRecord {
        v: VERSION_OF_SUMMARY,
        text: summary.text.clone(),
        last_request_id: summary.last_request_id.as_str().to_owned(),
        last_asked_at: time_text(summary.last_asked_at),
        tokens_spent: summary.tokens_spent,
    };
    serde_json::to_vec(&record).map_err(|source| StoreError::Corrupt {
        source: source.into(),
    })
}

/// The summary that `bytes` hold; `None` where they hold none that this release reads. A conversation
/// can do without its summary, so one that cannot be read is no reason to lose the conversation.
pub(super) fn decode_summary(bytes: &[u8]) -> Option<Summary> {
    let record: SummaryRecord = serde_json::from_slice(bytes).ok()?;
    if record.v != VERSION_OF_SUMMARY {
        return None;
    }
    Some(Summary {
        text: record.text,
        last_request_id: RequestId::parse(&record.last_request_id)?,
        last_asked_at: parse_time(&record.last_asked_at)?,
        tokens_spent: record.tokens_spent,
    })
}

/// The bytes that one row takes within an encoded turn, without the comma between rows.
///
/// # Errors
/// As [`encode`].
pub(super) fn encoded_row_bytes(row: &[Cell]) -> Result<usize, StoreError> {
    serde_json::to_vec(row)
        .map(|json| json.len())
        .map_err(|source| StoreError::Corrupt {
            source: source.into(),
        })
}

fn decode_record(bytes: &[u8]) -> Result<StoredTurn, DecodeError> {
    let VersionRecord { v } = serde_json::from_slice(bytes).map_err(DecodeError::Json)?;
    if !(VERSION_BEFORE_STOPPED..=VERSION).contains(&v) {
        return Err(DecodeError::Version { found: v });
    }
    serde_json::from_slice::<TurnRecord>(bytes)
        .map_err(DecodeError::Json)?
        .into_turn()
}

/// Read before all else: whatever the version, this field is there.
#[derive(Deserialize)]
struct VersionRecord {
    v: u32,
}

#[derive(Serialize, Deserialize)]
struct TurnRecord {
    v: u32,
    request_id: String,
    asked_at: String,
    question: String,
    sql: Option<String>,
    result: Option<ResultRecord>,
    reply: String,
    outcome: OutcomeRecord,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    options: Vec<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    tokens_spent: u64,
}

/// Summaries have versions of their own.
const VERSION_OF_SUMMARY: u32 = 1;

#[derive(Serialize, Deserialize)]
struct SummaryRecord {
    v: u32,
    text: String,
    last_request_id: String,
    last_asked_at: String,
    tokens_spent: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands fields over by reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn time_text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?;
    Some(time.with_timezone(&Utc))
}

#[derive(Serialize, Deserialize)]
struct ResultRecord {
    columns: Vec<ColumnRecord>,
    rows: Vec<Vec<Cell>>,
    truncation: Option<TruncationRecord>,
}

#[derive(Serialize, Deserialize)]
struct ColumnRecord {
    name: String,
    type_name: String,
    kind: KindRecord,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OutcomeRecord {
    Answered,
    Clarified,
    Declined,
    Stopped,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TruncationRecord {
    Rows,
    Bytes,
    Cells,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindRecord {
    Integer,
    Numeric,
    Float,
    Boolean,
    Date,
    Timestamp,
    TimestampTz,
    Time,
    Json,
    Text,
}

impl TurnRecord {
    fn of(turn: &StoredTurn) -> Self {
        Self {
            v: match turn.outcome {
                TurnOutcome::Stopped => VERSION,
                TurnOutcome::Answered | TurnOutcome::Clarified | TurnOutcome::Declined => {
                    VERSION_BEFORE_STOPPED
                }
            },
            request_id: turn.request_id.as_str().to_owned(),
            asked_at: time_text(turn.asked_at),
            question: turn.question.clone(),
            sql: turn.sql.clone(),
            result: turn.result.as_ref().map(ResultRecord::of),
            reply: turn.reply.clone(),
            outcome: match turn.outcome {
                TurnOutcome::Answered => OutcomeRecord::Answered,
                TurnOutcome::Clarified => OutcomeRecord::Clarified,
                TurnOutcome::Declined => OutcomeRecord::Declined,
                TurnOutcome::Stopped => OutcomeRecord::Stopped,
            },
            options: turn.options.clone(),
            tokens_spent: turn.tokens_spent,
        }
    }

    fn into_turn(self) -> Result<StoredTurn, DecodeError> {
        Ok(StoredTurn {
            request_id: RequestId::parse(&self.request_id).ok_or(DecodeError::Field {
                field: "request_id",
            })?,
            asked_at: parse_time(&self.asked_at).ok_or(DecodeError::Field { field: "asked_at" })?,
            question: self.question,
            sql: self.sql,
            result: self.result.map(ResultRecord::into_result).transpose()?,
            reply: self.reply,
            outcome: match self.outcome {
                OutcomeRecord::Answered => TurnOutcome::Answered,
                OutcomeRecord::Clarified => TurnOutcome::Clarified,
                OutcomeRecord::Declined => TurnOutcome::Declined,
                OutcomeRecord::Stopped => TurnOutcome::Stopped,
            },
            options: self.options,
            tokens_spent: self.tokens_spent,
        })
    }
}

impl ResultRecord {
    fn of(result: &ResultSet) -> Self {
        Self {
            columns: result.columns.iter().map(ColumnRecord::of).collect(),
            rows: result.rows.clone(),
            truncation: result.truncation.map(|truncation| match truncation {
                Truncation::Rows => TruncationRecord::Rows,
                Truncation::Bytes => TruncationRecord::Bytes,
                Truncation::Cells => TruncationRecord::Cells,
            }),
        }
    }

    fn into_result(self) -> Result<ResultSet, DecodeError> {
        // Readers index cells by column; a row of another length must not get that far.
        if self.rows.iter().any(|row| row.len() != self.columns.len()) {
            return Err(DecodeError::Field { field: "result" });
        }
        Ok(ResultSet {
            columns: self
                .columns
                .into_iter()
                .map(ColumnRecord::into_column)
                .collect(),
            rows: self.rows,
            truncation: self.truncation.map(|truncation| match truncation {
                TruncationRecord::Rows => Truncation::Rows,
                TruncationRecord::Bytes => Truncation::Bytes,
                TruncationRecord::Cells => Truncation::Cells,
            }),
        })
    }
}

impl ColumnRecord {
    fn of(column: &ResultColumn) -> Self {
        Self {
            name: column.name.clone(),
            type_name: column.type_name.clone(),
            kind: match column.kind {
                ValueKind::Integer => KindRecord::Integer,
                ValueKind::Numeric => KindRecord::Numeric,
                ValueKind::Float => KindRecord::Float,
                ValueKind::Boolean => KindRecord::Boolean,
                ValueKind::Date => KindRecord::Date,
                ValueKind::Timestamp => KindRecord::Timestamp,
                ValueKind::TimestampTz => KindRecord::TimestampTz,
                ValueKind::Time => KindRecord::Time,
                ValueKind::Json => KindRecord::Json,
                ValueKind::Text => KindRecord::Text,
            },
        }
    }

    fn into_column(self) -> ResultColumn {
        ResultColumn {
            name: self.name,
            type_name: self.type_name,
            kind: match self.kind {
                KindRecord::Integer => ValueKind::Integer,
                KindRecord::Numeric => ValueKind::Numeric,
                KindRecord::Float => ValueKind::Float,
                KindRecord::Boolean => ValueKind::Boolean,
                KindRecord::Date => ValueKind::Date,
                KindRecord::Timestamp => ValueKind::Timestamp,
                KindRecord::TimestampTz => ValueKind::TimestampTz,
                KindRecord::Time => ValueKind::Time,
                KindRecord::Json => ValueKind::Json,
                KindRecord::Text => ValueKind::Text,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    fn turn() -> StoredTurn {
        let column = |(kind, type_name): (ValueKind, &str)| ResultColumn {
            name: "?column?".to_owned(),
            type_name: type_name.to_owned(),
            kind,
        };
        let columns: Vec<ResultColumn> = [
            (ValueKind::Integer, "bigint"),
            (ValueKind::Numeric, "numeric"),
            (ValueKind::Float, "double precision"),
            (ValueKind::Boolean, "boolean"),
            (ValueKind::Date, "date"),
            (ValueKind::Timestamp, "timestamp without time zone"),
            (ValueKind::TimestampTz, "timestamp with time zone"),
            (ValueKind::Time, "time without time zone"),
            (ValueKind::Json, "jsonb"),
            (ValueKind::Text, "text[]"),
        ]
        .into_iter()
        .map(column)
        .collect();
        let row = vec![None, Some(String::new()), Some("\"ü\u{1f600}\\\n".into())];
        let row = row.into_iter().cycle().take(columns.len()).collect();
        StoredTurn {
            request_id: RequestId::parse("q-1").unwrap(),
            asked_at: DateTime::from_timestamp(1_700_000_000, 123_456_789).unwrap(),
            question: "how many\t\"customers\"?".to_owned(),
            sql: Some("SELECT 1".to_owned()),
            result: Some(ResultSet {
                columns,
                rows: vec![row],
                truncation: Some(Truncation::Cells),
            }),
            reply: "Three.".to_owned(),
            outcome: TurnOutcome::Answered,
            options: Vec::new(),
            tokens_spent: 0,
        }
    }

    fn cause(bytes: &[u8]) -> String {
        let error = decode(bytes).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        error.source().unwrap().to_string()
    }

    #[test]
    fn what_is_written_is_read_back_the_same() {
        let full = turn();
        let bare = StoredTurn {
            sql: None,
            result: None,
            outcome: TurnOutcome::Clarified,
            options: vec!["2025".to_owned(), "\"2026\"".to_owned()],
            ..turn()
        };
        let stopped = StoredTurn {
            outcome: TurnOutcome::Stopped,
            tokens_spent: 7,
            ..turn()
        };
        let declined = StoredTurn {
            outcome: TurnOutcome::Declined,
            result: Some(ResultSet::default()),
            ..turn()
        };
        for turn in [full, bare, stopped, declined] {
            assert_eq!(decode(&encode(&turn).unwrap()).unwrap(), turn);
        }
    }

    #[test]
    fn the_written_form_of_version_1_stays_as_it_is() {
        let turn = StoredTurn {
            result: Some(ResultSet {
                columns: vec![ResultColumn {
                    name: "count".into(),
                    type_name: "bigint".into(),
                    kind: ValueKind::Integer,
                }],
                rows: vec![vec![Some("3".into())], vec![None]],
                truncation: Some(Truncation::Rows),
            }),
            ..turn()
        };
        insta::assert_snapshot!(
            String::from_utf8(encode(&turn).unwrap()).unwrap(),
            @r#"{"v":1,"request_id":"q-1","asked_at":"2023-11-14T22:13:20.123456789Z","question":"how many\t\"customers\"?","sql":"SELECT 1","result":{"columns":[{"name":"count","type_name":"bigint","kind":"integer"}],"rows":[["3"],[null]],"truncation":"rows"},"reply":"Three.","outcome":"answered"}"#
        );
    }

    #[test]
    fn what_an_older_release_can_read_is_written_for_it() {
        let version = |outcome| {
            let bytes = encode(&StoredTurn { outcome, ..turn() }).unwrap();
            serde_json::from_slice::<VersionRecord>(&bytes).unwrap().v
        };
        assert_eq!(version(TurnOutcome::Clarified), 1);
        assert_eq!(version(TurnOutcome::Stopped), 2);
    }

    #[test]
    fn another_version_is_corrupt_and_says_which() {
        for version in [0, 3] {
            assert_eq!(
                cause(format!(r#"{{"v":{version},"anything":[]}}"#).as_bytes()),
                format!(
                    "the turn has format version {version}, and this release reads up to version 2"
                )
            );
        }
    }

    #[test]
    fn a_summary_is_read_back_the_same_and_one_that_cannot_be_read_is_none() {
        let summary = Summary {
            text: "Asked about \"ü\".".to_owned(),
            last_request_id: RequestId::parse("q-1").unwrap(),
            last_asked_at: turn().asked_at,
            tokens_spent: 12,
        };
        let bytes = encode_summary(&summary).unwrap();
        assert_eq!(decode_summary(&bytes), Some(summary));
        let newer = String::from_utf8(bytes)
            .unwrap()
            .replace("\"v\":1", "\"v\":2");
        for bytes in ["", "null", "{}", &newer] {
            assert_eq!(decode_summary(bytes.as_bytes()), None);
        }
    }

    #[test]
    fn what_is_no_turn_is_corrupt() {
        let good = String::from_utf8(encode(&turn()).unwrap()).unwrap();
        let cut = &good[..good.len() - 1];
        let bad_id = good.replace("q-1", "q 1");
        let bad_time = good.replace("2023-11-14T", "yesterday ");
        let short_row = good.replace("\"rows\":[[null,", "\"rows\":[[");
        assert_ne!(good, short_row);
        for bytes in ["", "null", "{}", "\u{0}", cut] {
            assert_eq!(
                cause(bytes.as_bytes()),
                "the turn is not what any version up to 2 writes"
            );
        }
        for (text, field) in [
            (bad_id, "request_id"),
            (bad_time, "asked_at"),
            (short_row, "result"),
        ] {
            assert_eq!(
                cause(text.as_bytes()),
                format!("the turn's {field} is not valid")
            );
        }
    }
}
