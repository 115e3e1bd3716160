//! Conversations in this process: for one instance, gone when it ends.
//!
//! Keeps the same bytes as the store in Redis, under the same limits, so that the two behave alike.
//! Bounded in all by `memory_store_bytes_max`: past it the conversations unused for longest go. There
//! is no task that sweeps: every call drops what has expired, and the readiness probe is a call.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::retention::Retention;
use super::{ConversationStore, StoreError, codec};
use crate::config::{ConversationsConfig, Limits};
use crate::domain::conversation::{Conversation, StoredTurn, Summary};
use crate::domain::ids::ConversationId;

/// What one conversation takes beside its turns (map entries, headers of vectors), in bytes. Rounded
/// up from what the types come to; it keeps a flood of tiny conversations within the bound.
const ENTRY_OVERHEAD_BYTES: usize = 512;

/// Conversations in memory.
pub(super) struct MemoryStore {
    shelf: Mutex<Shelf>,
}

impl MemoryStore {
    /// An empty store.
    pub(super) fn new(config: &ConversationsConfig, limits: &Limits) -> Self {
        Self {
            shelf: Mutex::new(Shelf::new(
                Retention::of(limits),
                Duration::from_secs(config.ttl_seconds),
                limits.memory_store_bytes_max,
            )),
        }
    }

    /// Nothing on the shelf can panic half-way through a change, so a poisoned lock is still sound.
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ConversationStore for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn load(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        let encoded = self.shelf().load(id, Instant::now());
        let Some((encoded, summary)) = encoded else {
            return Ok(None);
        };
        let turns = encoded
            .iter()
            .map(|turn| codec::decode(turn))
            .collect::<Result<_, _>>()?;
        Ok(Some(Conversation {
            id,
            turns,
            summary: summary.and_then(|bytes| codec::decode_summary(&bytes)),
        }))
    }

    async fn append(&self, id: ConversationId, turn: StoredTurn) -> Result<(), StoreError> {
        let retention = self.shelf().retention;
        let encoded = retention.encode(&turn)?;
        self.shelf().append(id, encoded, Instant::now());
        Ok(())
    }

    async fn summarise(&self, id: ConversationId, summary: Summary) -> Result<bool, StoreError> {
        let encoded = codec::encode_summary(&summary)?;
        Ok(self.shelf().summarise(id, encoded, Instant::now()))
    }

    async fn forget(&self, id: ConversationId) -> Result<bool, StoreError> {
        let mut shelf = self.shelf();
        shelf.drop_expired(Instant::now());
        Ok(shelf.remove(id))
    }

    async fn reachable(&self) -> Result<(), StoreError> {
        self.shelf().drop_expired(Instant::now());
        Ok(())
    }
}

/// The state and its rules; takes the time as an argument.
struct Shelf {
    retention: Retention,
    ttl: Duration,
    bytes_max: usize,
    /// Bytes of all entries, overhead included.
    bytes: usize,
    /// Counts uses, to order them.
    uses: u64,
    entries: HashMap<ConversationId, Entry>,
    /// By last use, oldest first. As all live equally long, this is also the order in which they expire.
    by_use: BTreeMap<u64, ConversationId>,
}

struct Entry {
    turns: VecDeque<Vec<u8>>,
    summary: Option<Vec<u8>>,
    bytes: usize,
    last_use: u64,
    expires_at: Option<Instant>,
}

/// The turns, oldest first, and the summary.
type EncodedConversation = (Vec<Vec<u8>>, Option<Vec<u8>>);

impl Entry {
    /// Counts its bytes anew.
    fn weigh(&mut self) -> usize {
        let turns: usize = self.turns.iter().map(Vec::len).sum();
        let summary = self.summary.as_ref().map_or(0, Vec::len);
        self.bytes = ENTRY_OVERHEAD_BYTES + turns + summary;
        self.bytes
    }
}

impl Shelf {
    fn new(retention: Retention, ttl: Duration, bytes_max: usize) -> Self {
        Self {
            retention,
            ttl,
            bytes_max,
            bytes: 0,
            uses: 0,
            entries: HashMap::new(),
            by_use: BTreeMap::new(),
        }
    }

    /// The encoded turns and the encoded summary; renews the time to live.
    fn load(&mut self, id: ConversationId, now: Instant) -> Option<EncodedConversation> {
        self.drop_expired(now);
        self.touch(id, now);
        let entry = self.entries.get(&id)?;
        Some((entry.turns.iter().cloned().collect(), entry.summary.clone()))
    }

    fn append(&mut self, id: ConversationId, turn: Vec<u8>, now: Instant) {
        self.drop_expired(now);
        let entry = self.entries.entry(id).or_insert_with(|| Entry {
            turns: VecDeque::new(),
            summary: None,
            bytes: 0,
            last_use: 0,
            expires_at: None,
        });
        entry.turns.push_back(turn);
        let newest_first = entry.turns.iter().rev().map(Vec::len);
        let kept = self.retention.kept_turns(newest_first);
        entry.turns.drain(..entry.turns.len() - kept);
        self.bytes = self.bytes - entry.bytes + entry.weigh();
        self.touch(id, now);
        self.make_room();
    }

    /// Keeps a summary with a conversation that is there; whether it is.
    fn summarise(&mut self, id: ConversationId, summary: Vec<u8>, now: Instant) -> bool {
        self.drop_expired(now);
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        entry.summary = Some(summary);
        self.bytes = self.bytes - entry.bytes + entry.weigh();
        self.make_room();
        true
    }

    fn remove(&mut self, id: ConversationId) -> bool {
        let Some(entry) = self.entries.remove(&id) else {
            return false;
        };
        self.by_use.remove(&entry.last_use);
        self.bytes -= entry.bytes;
        true
    }

    fn drop_expired(&mut self, now: Instant) {
        while let Some((_, &id)) = self.by_use.first_key_value() {
            let expired = self
                .entries
                .get(&id)
                .and_then(|entry| entry.expires_at)
                .is_some_and(|expires_at| expires_at <= now);
            if !expired {
                return;
            }
            self.remove(id);
        }
    }

    /// Drops what was unused for longest until the rest fits; the conversation just used stays.
    fn make_room(&mut self) {
        while self.bytes > self.bytes_max && self.entries.len() > 1 {
            let Some((_, &id)) = self.by_use.first_key_value() else {
                return;
            };
            self.remove(id);
        }
    }

    fn touch(&mut self, id: ConversationId, now: Instant) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        self.uses += 1;
        self.by_use.remove(&entry.last_use);
        self.by_use.insert(self.uses, id);
        entry.last_use = self.uses;
        // A time to live beyond what the clock can count is for ever.
        entry.expires_at = now.checked_add(self.ttl);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(60);

    fn shelf(bytes_max: usize) -> Shelf {
        let retention = Retention {
            turns_max: 10,
            bytes_max: 1_000,
        };
        Shelf::new(retention, TTL, bytes_max)
    }

    #[test]
    fn a_conversation_expires_after_its_last_use_and_leaves_nothing_behind() {
        let (mut shelf, start) = (shelf(usize::MAX), Instant::now());
        let (used, unused) = (ConversationId::random(), ConversationId::random());
        shelf.append(used, vec![1], start);
        shelf.append(unused, vec![2], start);
        assert!(shelf.load(used, start + TTL / 2).is_some());

        assert_eq!(shelf.load(unused, start + TTL), None);
        assert_eq!(shelf.load(used, start + TTL), Some((vec![vec![1]], None)));
        assert_eq!(shelf.load(used, start + TTL + TTL), None);
        assert_eq!((shelf.bytes, shelf.entries.len()), (0, 0));
        assert!(shelf.by_use.is_empty());
    }

    #[test]
    fn a_sweep_drops_conversations_that_nobody_asks_for() {
        let (mut shelf, start) = (shelf(usize::MAX), Instant::now());
        for _ in 0..100 {
            shelf.append(ConversationId::random(), vec![0; 9], start);
        }
        shelf.drop_expired(start + TTL);
        assert_eq!((shelf.bytes, shelf.by_use.len()), (0, 0));
    }

    #[test]
    fn past_the_bound_the_conversation_unused_for_longest_goes() {
        let entry_bytes = ENTRY_OVERHEAD_BYTES + 100;
        let (mut shelf, now) = (shelf(3 * entry_bytes), Instant::now());
        let ids: Vec<_> = (0..4).map(|_| ConversationId::random()).collect();
        for &id in &ids[..3] {
            shelf.append(id, vec![0; 100], now);
        }
        shelf.load(ids[0], now);
        shelf.append(ids[3], vec![0; 100], now);

        let left: Vec<bool> = ids
            .iter()
            .map(|&id| shelf.load(id, now).is_some())
            .collect();
        assert_eq!(left, [true, false, true, true]);
        assert_eq!(shelf.bytes, 3 * entry_bytes);
    }

    #[test]
    fn a_summary_is_counted_and_goes_with_its_conversation() {
        let (mut shelf, now) = (shelf(usize::MAX), Instant::now());
        let id = ConversationId::random();
        assert!(!shelf.summarise(id, vec![0; 10], now));
        shelf.append(id, vec![1], now);
        for _ in 0..3 {
            assert!(shelf.summarise(id, vec![0; 10], now));
        }
        assert_eq!(shelf.bytes, ENTRY_OVERHEAD_BYTES + 11);
        assert_eq!(
            shelf.load(id, now),
            Some((vec![vec![1]], Some(vec![0; 10])))
        );
        assert!(shelf.remove(id));
        assert_eq!(shelf.bytes, 0);
    }

    #[test]
    fn the_bound_counts_what_a_conversation_loses_to_its_own_limits() {
        let (mut shelf, now) = (shelf(usize::MAX), Instant::now());
        let id = ConversationId::random();
        for _ in 0..50 {
            shelf.append(id, vec![0; 400], now);
        }
        assert_eq!(shelf.bytes, ENTRY_OVERHEAD_BYTES + 800);
        assert!(shelf.remove(id));
        assert_eq!(shelf.bytes, 0);
        assert!(!shelf.remove(id));
    }
}
