//! How much of a conversation is kept. Pure; the same rules for every store.
//!
//! In goes a turn, out come its bytes, cut to the limit; and how many of the newest turns fit. The
//! script `append_turn.lua` counts as [`Retention::kept_turns`] does, because Redis must decide and
//! write in one step.

use super::{StoreError, codec};
use crate::config::Limits;
use crate::domain::conversation::StoredTurn;
use crate::domain::result::Truncation;

/// The limits of one conversation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retention {
    /// Turns kept; at least one.
    pub(super) turns_max: usize,
    /// Encoded bytes kept.
    pub(super) bytes_max: usize,
}

impl Retention {
    /// What `conversation_messages_max` (a turn is two messages) and `conversation_bytes_max` come to.
    pub(super) fn of(limits: &Limits) -> Self {
        Self {
            turns_max: (limits.conversation_messages_max / 2).max(1),
            bytes_max: limits.conversation_bytes_max,
        }
    }

    /// The bytes to store for one turn: where it is over the limit all by itself, rows are left out
    /// from the end of its result, and the result is marked as cut.
    ///
    /// A turn whose words alone are over the limit stays whole: question, SQL and reply have limits
    /// of their own, and half a reply would be a false memory. It is then the only turn kept.
    ///
    /// # Errors
    /// The turn cannot be encoded.
    pub(super) fn encode(&self, turn: &StoredTurn) -> Result<Vec<u8>, StoreError> {
        let bytes = codec::encode(turn)?;
        if bytes.len() <= self.bytes_max {
            return Ok(bytes);
        }
        let mut turn = turn.clone();
        // Marked before it is measured: the mark takes bytes too.
        if let Some(result) = &mut turn.result {
            result.truncation = Some(Truncation::Bytes);
        }
        let mut excess = codec::encode(&turn)?.len().saturating_sub(self.bytes_max);
        if let Some(result) = &mut turn.result {
            while excess > 0
                && let Some(row) = result.rows.pop()
            {
                let comma_bytes = usize::from(!result.rows.is_empty());
                excess = excess.saturating_sub(codec::encoded_row_bytes(&row)? + comma_bytes);
            }
        }
        codec::encode(&turn)
    }

    /// How many of the newest turns are kept, given their sizes from the newest to the oldest. The
    /// newest one always is.
    pub(super) fn kept_turns(&self, newest_first: impl Iterator<Item = usize>) -> usize {
        let mut bytes = 0_usize;
        newest_first
            .take(self.turns_max)
            .enumerate()
            .take_while(|&(index, turn_bytes)| {
                bytes = bytes.saturating_add(turn_bytes);
                index == 0 || bytes <= self.bytes_max
            })
            .count()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::conversation::TurnOutcome;
    use crate::domain::ids::RequestId;
    use crate::domain::result::{ResultColumn, ResultSet, ValueKind};

    fn turn(rows_count: usize) -> StoredTurn {
        StoredTurn {
            request_id: RequestId::parse("q").unwrap(),
            asked_at: DateTime::UNIX_EPOCH,
            question: "all names?".to_owned(),
            sql: Some("SELECT name FROM t".to_owned()),
            result: Some(ResultSet {
                columns: vec![ResultColumn {
                    name: "name".to_owned(),
                    type_name: "text".to_owned(),
                    kind: ValueKind::Text,
                }],
                rows: (0..rows_count)
                    .map(|row| vec![Some(format!("row {row} \"quoted\""))])
                    .collect(),
                truncation: None,
            }),
            reply: "Many.".to_owned(),
            outcome: TurnOutcome::Answered,
            options: Vec::new(),
            tokens_spent: 0,
        }
    }

    fn encode(turn: &StoredTurn, bytes_max: usize) -> (usize, StoredTurn) {
        let retention = Retention {
            turns_max: 10,
            bytes_max,
        };
        let bytes = retention.encode(turn).unwrap();
        (bytes.len(), codec::decode(&bytes).unwrap())
    }

    #[test]
    fn a_turn_within_the_limit_is_kept_as_it_is() {
        let whole = turn(20);
        let (bytes, _) = encode(&whole, usize::MAX);
        assert_eq!(encode(&whole, bytes), (bytes, whole));
    }

    #[test]
    fn a_turn_over_the_limit_loses_rows_from_the_end_and_no_more_than_needed() {
        let whole = turn(20);
        let (whole_bytes, _) = encode(&whole, usize::MAX);
        let (bare_bytes, _) = encode(&turn(0), usize::MAX);
        let mark_bytes = "\"bytes\"".len() - "null".len();
        for bytes_max in bare_bytes + mark_bytes..whole_bytes {
            let (bytes, cut) = encode(&whole, bytes_max);
            assert!(bytes <= bytes_max, "{bytes} of {bytes_max}");
            let result = cut.result.unwrap();
            assert_eq!(result.truncation, Some(Truncation::Bytes));
            let kept = result.rows.len();
            assert_eq!(result.rows, whole.result.as_ref().unwrap().rows[..kept]);
            let mut one_more = turn(kept + 1);
            one_more.result.as_mut().unwrap().truncation = Some(Truncation::Bytes);
            assert!(encode(&one_more, usize::MAX).0 > bytes_max || kept == 20);
        }
    }

    #[test]
    fn words_are_never_cut() {
        let (_, kept) = encode(&turn(3), 1);
        assert!(kept.result.unwrap().rows.is_empty());
        assert_eq!(kept.reply, "Many.");
    }

    #[test]
    fn the_newest_turns_are_kept_up_to_both_limits() {
        let kept = |turns_max, bytes_max, newest_first: &[usize]| {
            Retention {
                turns_max,
                bytes_max,
            }
            .kept_turns(newest_first.iter().copied())
        };
        assert_eq!(kept(3, 100, &[]), 0);
        assert_eq!(kept(3, 100, &[10, 10]), 2);
        assert_eq!(kept(3, 100, &[10, 10, 10, 10]), 3);
        assert_eq!(kept(9, 100, &[50, 50, 1]), 2);
        assert_eq!(kept(9, 100, &[50, 51, 1]), 1, "no gap in the middle");
        assert_eq!(kept(9, 100, &[101, 1]), 1, "the newest always stays");
    }

    #[test]
    fn a_message_limit_below_one_turn_still_keeps_one() {
        let limits = Limits {
            conversation_messages_max: 1,
            ..Limits::default()
        };
        assert_eq!(Retention::of(&limits).turns_max, 1);
    }
}
