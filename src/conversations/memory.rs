//! Conversations in this process: for one instance, gone when it ends.
//!
//! Keeps the same bytes as the store in Redis, under the same limits, so that the two behave alike.
//! Bounded in all by `memory_store_bytes_max`: past it the conversations unused for longest go. There
//! is no task that sweeps: every call drops what has expired, and the readiness probe is a call.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::retention::Retention;
use super::{ConversationStore, LISTED_MAX, StoreError, codec};
use crate::config::{ConversationsConfig, Limits};
use crate::domain::conversation::{Conversation, ConversationSummary, StoredTurn, Summary};
use crate::domain::ids::ConversationId;
use crate::domain::principal::Principal;
use crate::domain::title::Title;

/// What one conversation takes beside its turns (map entries, headers of vectors, title, owner), in bytes. Rounded
/// up from what the types come to; it keeps a flood of tiny conversations within the bound.
const ENTRY_OVERHEAD_BYTES: usize = 1_024;

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

    async fn load(
        &self,
        owner: &Principal,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        let found = self.shelf().load(owner, id, Instant::now())?;
        let Some(Encoded {
            title,
            turns,
            summary,
        }) = found
        else {
            return Ok(None);
        };
        let turns = turns
            .iter()
            .map(|turn| codec::decode(turn))
            .collect::<Result<_, _>>()?;
        Ok(Some(Conversation {
            id,
            title,
            turns,
            summary: summary.and_then(|bytes| codec::decode_summary(&bytes)),
        }))
    }

    async fn append(
        &self,
        owner: &Principal,
        id: ConversationId,
        turn: StoredTurn,
    ) -> Result<(), StoreError> {
        let retention = self.shelf().retention;
        let encoded = retention.encode(&turn)?;
        self.shelf().append(
            owner,
            id,
            &turn.question,
            turn.asked_at,
            encoded,
            Instant::now(),
        )
    }

    async fn summarise(
        &self,
        owner: &Principal,
        id: ConversationId,
        summary: Summary,
    ) -> Result<bool, StoreError> {
        let encoded = codec::encode_summary(&summary)?;
        self.shelf().summarise(owner, id, encoded, Instant::now())
    }

    async fn rename(
        &self,
        owner: &Principal,
        id: ConversationId,
        title: &Title,
    ) -> Result<bool, StoreError> {
        self.shelf().rename(owner, id, title, Instant::now())
    }

    async fn forget(&self, owner: &Principal, id: ConversationId) -> Result<bool, StoreError> {
        let mut shelf = self.shelf();
        shelf.drop_expired(Instant::now());
        if !shelf.check_owner(owner, id)? {
            return Ok(false);
        }
        Ok(shelf.remove(id))
    }

    async fn list(&self, owner: &Principal) -> Result<Vec<ConversationSummary>, StoreError> {
        Ok(self.shelf().list(owner, Instant::now()))
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
    /// The conversations of everybody who is somebody in particular.
    by_owner: HashMap<Principal, HashSet<ConversationId>>,
}

struct Entry {
    owner: Principal,
    title: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    turns: VecDeque<Vec<u8>>,
    summary: Option<Vec<u8>>,
    bytes: usize,
    last_use: u64,
    expires_at: Option<Instant>,
}

/// What a reader takes off the shelf.
struct Encoded {
    title: String,
    turns: Vec<Vec<u8>>,
    summary: Option<Vec<u8>>,
}

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
            by_owner: HashMap::new(),
        }
    }

    /// Whether the conversation is there.
    ///
    /// # Errors
    /// It is of somebody else.
    fn check_owner(&self, owner: &Principal, id: ConversationId) -> Result<bool, StoreError> {
        match self.entries.get(&id) {
            None => Ok(false),
            Some(entry) if entry.owner == *owner => Ok(true),
            Some(_) => Err(StoreError::NotOwned),
        }
    }

    /// The title, the encoded turns and the encoded summary; renews the time to live.
    fn load(
        &mut self,
        owner: &Principal,
        id: ConversationId,
        now: Instant,
    ) -> Result<Option<Encoded>, StoreError> {
        self.drop_expired(now);
        if !self.check_owner(owner, id)? {
            return Ok(None);
        }
        self.touch(id, now);
        let found = self.entries.get(&id);
        Ok(found.map(|entry| Encoded {
            title: entry.title.clone(),
            turns: entry.turns.iter().cloned().collect(),
            summary: entry.summary.clone(),
        }))
    }

    fn rename(
        &mut self,
        owner: &Principal,
        id: ConversationId,
        title: &Title,
        now: Instant,
    ) -> Result<bool, StoreError> {
        self.drop_expired(now);
        if !self.check_owner(owner, id)? {
            return Ok(false);
        }
        self.touch(id, now);
        if let Some(entry) = self.entries.get_mut(&id) {
            title.as_str().clone_into(&mut entry.title);
        }
        Ok(true)
    }

    fn list(&mut self, owner: &Principal, now: Instant) -> Vec<ConversationSummary> {
        self.drop_expired(now);
        let Some(ids) = self.by_owner.get(owner) else {
            return Vec::new();
        };
        let mut summaries: Vec<ConversationSummary> = ids
            .iter()
            .filter_map(|id| Some((*id, self.entries.get(id)?)))
            .map(|(id, entry)| ConversationSummary {
                id,
                title: entry.title.clone(),
                created_at: entry.created_at,
                updated_at: entry.updated_at,
                messages_count: 2 * entry.turns.len(),
            })
            .collect();
        summaries.sort_by_key(|summary| std::cmp::Reverse((summary.updated_at, summary.id)));
        summaries.truncate(LISTED_MAX);
        summaries
    }

    fn append(
        &mut self,
        owner: &Principal,
        id: ConversationId,
        question: &str,
        asked_at: DateTime<Utc>,
        turn: Vec<u8>,
        now: Instant,
    ) -> Result<(), StoreError> {
        self.drop_expired(now);
        self.check_owner(owner, id)?;
        if !owner.is_anonymous() {
            self.by_owner.entry(owner.clone()).or_default().insert(id);
        }
        let entry = self.entries.entry(id).or_insert_with(|| Entry {
            owner: owner.clone(),
            title: Title::of_question(question).as_str().to_owned(),
            created_at: asked_at,
            updated_at: asked_at,
            turns: VecDeque::new(),
            summary: None,
            bytes: 0,
            last_use: 0,
            expires_at: None,
        });
        entry.updated_at = asked_at;
        entry.turns.push_back(turn);
        let newest_first = entry.turns.iter().rev().map(Vec::len);
        let kept = self.retention.kept_turns(newest_first);
        entry.turns.drain(..entry.turns.len() - kept);
        self.bytes = self.bytes - entry.bytes + entry.weigh();
        self.touch(id, now);
        self.make_room();
        Ok(())
    }

    /// Keeps a summary with a conversation that is there; whether it is.
    fn summarise(
        &mut self,
        owner: &Principal,
        id: ConversationId,
        summary: Vec<u8>,
        now: Instant,
    ) -> Result<bool, StoreError> {
        self.drop_expired(now);
        self.check_owner(owner, id)?;
        let Some(entry) = self.entries.get_mut(&id) else {
            return Ok(false);
        };
        entry.summary = Some(summary);
        self.bytes = self.bytes - entry.bytes + entry.weigh();
        self.make_room();
        Ok(true)
    }

    fn remove(&mut self, id: ConversationId) -> bool {
        let Some(entry) = self.entries.remove(&id) else {
            return false;
        };
        self.by_use.remove(&entry.last_use);
        if let Some(ids) = self.by_owner.get_mut(&entry.owner) {
            ids.remove(&id);
            if ids.is_empty() {
                self.by_owner.remove(&entry.owner);
            }
        }
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

    impl Shelf {
        fn put(&mut self, id: ConversationId, turn: Vec<u8>, now: Instant) {
            let (owner, asked_at) = (Principal::proved("key", "ada"), DateTime::UNIX_EPOCH);
            self.append(&owner, id, "", asked_at, turn, now).unwrap();
        }

        fn turns(&mut self, id: ConversationId, now: Instant) -> Option<Vec<Vec<u8>>> {
            let found = self.load(&Principal::proved("key", "ada"), id, now);
            found.unwrap().map(|encoded| encoded.turns)
        }
    }

    #[test]
    fn a_conversation_expires_after_its_last_use_and_leaves_nothing_behind() {
        let (mut shelf, start) = (shelf(usize::MAX), Instant::now());
        let (used, unused) = (ConversationId::random(), ConversationId::random());
        shelf.put(used, vec![1], start);
        shelf.put(unused, vec![2], start);
        assert!(shelf.turns(used, start + TTL / 2).is_some());

        assert_eq!(shelf.turns(unused, start + TTL), None);
        assert_eq!(shelf.turns(used, start + TTL), Some(vec![vec![1]]));
        assert_eq!(shelf.turns(used, start + TTL + TTL), None);
        assert_eq!((shelf.bytes, shelf.entries.len()), (0, 0));
        assert!(shelf.by_use.is_empty() && shelf.by_owner.is_empty());
    }

    #[test]
    fn a_sweep_drops_conversations_that_nobody_asks_for() {
        let (mut shelf, start) = (shelf(usize::MAX), Instant::now());
        for _ in 0..100 {
            shelf.put(ConversationId::random(), vec![0; 9], start);
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
            shelf.put(id, vec![0; 100], now);
        }
        shelf.turns(ids[0], now);
        shelf.put(ids[3], vec![0; 100], now);

        let left: Vec<bool> = ids
            .iter()
            .map(|&id| shelf.turns(id, now).is_some())
            .collect();
        assert_eq!(left, [true, false, true, true]);
        assert_eq!(shelf.bytes, 3 * entry_bytes);
    }

    #[test]
    fn a_summary_is_counted_and_goes_with_its_conversation() {
        let (mut shelf, now) = (shelf(usize::MAX), Instant::now());
        let id = ConversationId::random();
        let ada = Principal::proved("key", "ada");
        let summarise = |shelf: &mut Shelf| {
            let kept = shelf.summarise(&ada, id, vec![0; 10], now);
            kept.unwrap()
        };
        assert!(!summarise(&mut shelf));
        shelf.put(id, vec![1], now);
        for _ in 0..3 {
            assert!(summarise(&mut shelf));
        }
        assert_eq!(shelf.bytes, ENTRY_OVERHEAD_BYTES + 11);
        let found = shelf.load(&ada, id, now).unwrap().unwrap();
        assert_eq!(
            (found.turns, found.summary),
            (vec![vec![1]], Some(vec![0; 10]))
        );
        assert!(shelf.remove(id));
        assert_eq!(shelf.bytes, 0);
    }

    #[test]
    fn the_bound_counts_what_a_conversation_loses_to_its_own_limits() {
        let (mut shelf, now) = (shelf(usize::MAX), Instant::now());
        let id = ConversationId::random();
        for _ in 0..50 {
            shelf.put(id, vec![0; 400], now);
        }
        assert_eq!(shelf.bytes, ENTRY_OVERHEAD_BYTES + 800);
        assert!(shelf.remove(id));
        assert_eq!(shelf.bytes, 0);
        assert!(!shelf.remove(id));
    }
}
