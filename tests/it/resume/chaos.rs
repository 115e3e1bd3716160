//! Everything at once: two real processes behind a balancer, clients that are cut off, and every part failing once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use db_chat::domain::ids::ConversationId;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::fake_provider::{FakeProvider, Reply, Stop};
use crate::support::own_postgres::{End, OwnPostgres};
use crate::support::postgres;
use crate::support::redis::RedisServer;
use crate::support::round_robin::RoundRobin;
use crate::support::serve_process::ServeProcess;
use crate::support::web_socket::{handshake, is_final};

/// Each question is one conversation.
const QUESTIONS: u64 = 200;
const ASKING_AT_ONCE: usize = 24;

/// What the clients do follows from it; when the parts fail follows from how many questions have ended.
const SEED: u64 = 5;

/// No wait is longer: above the 10 seconds after which a lost question has ended.
const PATIENCE: Duration = Duration::from_secs(60);

/// The ends that the failing parts explain. A client is told to try again with each.
const EXCUSED: [&str; 4] = [
    "store_unavailable",
    "database_unavailable",
    "database_busy",
    "turn_lost",
];

const PROSE: [&str; 8] = [
    "There ",
    "are ",
    "3 ",
    "customers ",
    "in ",
    "the ",
    "table",
    ".",
];

const PARTS: &str = "
    CREATE TABLE customers (id int PRIMARY KEY);
    INSERT INTO customers VALUES (1), (2), (3);
    ANALYZE;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_ends_once_for_its_client_whatever_fails() {
    let fake = FakeProvider::start().await;
    fake.answer_with(
        |request| match request.system().starts_with("You tell a person") {
            true => {
                let begun = Reply::script().begin();
                let told = PROSE.iter().fold(begun, |reply, word| {
                    reply.delta(word).pause(Duration::from_millis(25))
                });
                told.finish(Stop::Complete)
            }
            false => Reply::text("```sql\nSELECT count(*) AS customers FROM public.customers\n```"),
        },
    );
    let postgres = OwnPostgres::start(PARTS).await;
    let mut redis = RedisServer::start().await;
    let settings = [
        ("DATABASE_URL", postgres.url()),
        ("REDIS_URL", redis.url()),
        ("LLM_PROVIDER", "anthropic".to_owned()),
        ("ANTHROPIC_API_KEY", "sk-none".to_owned()),
        ("ANTHROPIC_BASE_URL", fake.url()),
    ];
    let settings = settings
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let mut stays = ServeProcess::start(&settings).await;
    let last = Client::new(QUESTIONS, stays.address).answer().await;
    assert_eq!(last["type"], "chat_response", "{last}");
    let files_before = files_at_rest(&stays, &postgres, &fake).await;
    let mut dies = ServeProcess::start(&settings).await;
    let balancer = RoundRobin::start(vec![dies.address, stays.address]).await;

    let (ended, mut progress) = watch::channel(0);
    let ended = Arc::new(ended);
    let places = Arc::new(Semaphore::new(ASKING_AT_ONCE));
    let is_well = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for number in 0..QUESTIONS {
        let (places, ended, address) =
            (Arc::clone(&places), Arc::clone(&ended), balancer.address());
        let all_is_well = Arc::clone(&is_well);
        clients.spawn(async move {
            let _place = places.acquire().await.expect("open");
            let begins_well = all_is_well.load(Ordering::SeqCst);
            let last = Client::new(number, address).answer().await;
            ended.send_modify(|count| *count += 1);
            (begins_well, last)
        });
    }
    let failing = async {
        let mut reached = async |count: u64| {
            let reached = progress.wait_for(|ended| *ended >= count);
            drop(
                tokio::time::timeout(PATIENCE, reached)
                    .await
                    .expect("progress"),
            );
        };
        reached(QUESTIONS / 8).await;
        // Crashes, and comes back with nothing: the instances write again what can be resumed.
        redis.kill().await;
        redis.start_again().await;
        reached(QUESTIONS * 2 / 8).await;
        postgres.stop(End::Fast).await;
        postgres.start_again().await;
        reached(QUESTIONS * 3 / 8).await;
        // Crashes, and comes back with all that it had.
        redis.keep_data().await;
        redis.kill().await;
        redis.start_again().await;
        reached(QUESTIONS * 4 / 8).await;
        postgres.stop(End::Immediate).await;
        // Until questions have met it.
        reached(QUESTIONS * 5 / 8).await;
        postgres.start_again().await;
        reached(QUESTIONS * 6 / 8).await;
        dies.kill().await;
        is_well.store(true, Ordering::SeqCst);
    };
    let answering = async {
        let mut outcomes: BTreeMap<String, u64> = BTreeMap::new();
        let mut began_well = 0;
        while let Some(last) = clients.join_next().await {
            let (begins_well, last) = last.expect("a client that was served as promised");
            let outcome = match last["type"] == "chat_response" {
                true => last["error"].as_str().unwrap_or("answered"),
                false => last["code"].as_str().unwrap_or("no code"),
            };
            // Once everything is back that will be, nothing is excused any more.
            assert!(!begins_well || outcome == "answered", "{last}");
            began_well += u64::from(begins_well);
            *outcomes.entry(outcome.to_owned()).or_default() += 1;
        }
        assert!(began_well > 0, "{outcomes:?}");
        outcomes
    };
    let (outcomes, ()) = tokio::join!(answering, failing);
    println!("{outcomes:?}");
    assert_eq!(outcomes.values().sum::<u64>(), QUESTIONS);
    for outcome in outcomes.keys() {
        assert!(
            outcome == "answered" || EXCUSED.contains(&outcome.as_str()),
            "{outcomes:?}"
        );
    }

    assert!(outcomes["answered"] > QUESTIONS / 2, "{outcomes:?}");

    // Nothing is left, in the instance that is and of the one that was: no turn, no connection, no call to the model, no query,
    // no file, no key for ever; and no session, once the other one has ended too.
    fake.all_replies_ended().await;
    let files_after = files_at_rest(&stays, &postgres, &fake).await;
    assert!(files_after <= files_before, "{files_before} {files_after}");
    let watcher = postgres.admin().await;
    postgres::wait_for_sessions(&watcher, "AND state <> 'idle'", 0).await;
    for key in redis.command(&["KEYS", "*"]).await.lines() {
        assert_ne!(redis.command(&["PTTL", key]).await, "-1", "{key}");
    }
    stays.stop().await;
    postgres::wait_for_sessions(&watcher, "", 0).await;
}

/// How many files an instance without clients has open, besides the connections that it may keep for the next question: to
/// PostgreSQL and to the model, of which it must be the only client.
async fn files_at_rest(
    instance: &ServeProcess,
    postgres: &OwnPostgres,
    fake: &FakeProvider,
) -> usize {
    for series in [
        "connections",
        "turns_in_flight",
        "turn_tasks",
        "outbox_bytes",
    ] {
        instance
            .metric_falls_to(&format!("db_chat_{series}"), 0)
            .await;
    }
    let watcher = postgres.admin().await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'db-chat'";
    let counts = async || {
        let sessions: i64 = watcher.query_one(sql, &[]).await.expect("a count").get(0);
        (instance.open_files(), sessions, fake.open_connections())
    };
    // A connection that is being closed is not gone at once on both sides.
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (before, after) = (counts().await, counts().await);
        let (files, sessions, calls) = after;
        let kept = usize::try_from(sessions).expect("few") + calls;
        if before == after && files > kept {
            return files - kept;
        }
        assert!(Instant::now() < deadline, "{before:?} {after:?}");
    }
}

type Stream = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// Asks one question, and does not let go of it.
struct Client {
    address: SocketAddr,
    random: fastrand::Rng,
    request_id: String,
    conversation_id: String,
    /// The last frame's number.
    seq: u64,
    /// The tokens, joined.
    prose: String,
    /// A resume needs no more than the question's name; half of the clients do without.
    names_conversation: bool,
    cuts_left: u32,
}

impl Client {
    fn new(number: u64, address: SocketAddr) -> Self {
        let mut random = fastrand::Rng::with_seed(SEED + number);
        Self {
            address,
            request_id: format!("chaos-{number}"),
            conversation_id: ConversationId::random().to_string(),
            seq: 0,
            prose: String::new(),
            names_conversation: number.is_multiple_of(2),
            cuts_left: random.u32(0..4),
            random,
        }
    }

    /// The final frame, over as many connections as it takes.
    async fn answer(mut self) -> Value {
        let mut has_asked = false;
        loop {
            let mut stream = connect(self.address).await;
            let frame = if has_asked {
                self.resume()
            } else {
                self.question()
            };
            has_asked = true;
            if stream.send(Message::text(frame)).await.is_err() {
                continue;
            }
            if let Some(last) = self.read(&mut stream).await {
                self.assert_quiet(stream).await;
                return last;
            }
        }
    }

    /// Reads until the final frame; `None`: the connection is lost, or is cut here.
    async fn read(&mut self, stream: &mut Stream) -> Option<Value> {
        let cut_after = match self.cuts_left {
            0 => None,
            _ => Some(self.random.u32(0..14)),
        };
        self.cuts_left = self.cuts_left.saturating_sub(1);
        let mut read = 0;
        loop {
            if cut_after == Some(read) {
                return None;
            }
            let frame = next(stream).await?;
            if frame["stage"] == "connected" {
                continue;
            }
            assert_eq!(frame["request_id"], self.request_id.as_str(), "{frame}");
            if frame["seq"].is_null() {
                let answer = self.after_refusal(&frame).await;
                stream.send(Message::text(answer)).await.ok()?;
                continue;
            }
            read += 1;
            self.seq += 1;
            assert_eq!(frame["seq"], self.seq, "a gap or a double: {frame}");
            self.prose += frame["token"].as_str().unwrap_or_default();
            if is_final(&frame) {
                if frame["type"] == "chat_response" && frame["error"].is_null() {
                    assert_eq!(frame["reply"], self.prose.as_str(), "{frame}");
                }
                return Some(frame);
            }
        }
    }

    /// What to send after a resume that was not granted.
    async fn after_refusal(&self, refusal: &Value) -> String {
        match refusal["code"].as_str() {
            // The connection was cut before the question had arrived, or before anything was known of it.
            Some("request_not_found") => {
                assert_eq!(self.seq, 0, "forgotten: {refusal}");
                self.question()
            }
            Some("duplicate_request_id") => self.resume(),
            // Honest, and worth another try.
            Some("store_unavailable") => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                self.resume()
            }
            _ => panic!("{refusal}"),
        }
    }

    /// Nothing comes after the final frame.
    async fn assert_quiet(&self, mut stream: Stream) {
        if stream.send(Message::Ping("?".into())).await.is_err() {
            return;
        }
        while let Ok(Some(Ok(message))) = tokio::time::timeout(PATIENCE, stream.next()).await {
            match message {
                Message::Pong(_) => return,
                Message::Ping(_) => {}
                Message::Text(_) | Message::Binary(_) | Message::Close(_) | Message::Frame(_) => {
                    panic!("after the final frame: {message:?}")
                }
            }
        }
    }

    fn question(&self) -> String {
        json!({
            "query": "How many customers are there?",
            "request_id": self.request_id,
            "conversation_id": self.conversation_id,
        })
        .to_string()
    }

    fn resume(&self) -> String {
        let mut frame = json!({"type": "resume", "request_id": self.request_id, "after": self.seq});
        if self.names_conversation {
            frame["conversation_id"] = json!(self.conversation_id);
        }
        frame.to_string()
    }
}

/// The next frame; `None` when the connection is gone.
async fn next(stream: &mut Stream) -> Option<Value> {
    loop {
        let message = tokio::time::timeout(PATIENCE, stream.next());
        match message.await.expect("never silence")?.ok()? {
            Message::Text(text) => return serde_json::from_str(&text).ok(),
            Message::Ping(_) | Message::Pong(_) => {}
            Message::Binary(_) | Message::Close(_) | Message::Frame(_) => return None,
        }
    }
}

/// Connects, however often it takes.
async fn connect(address: SocketAddr) -> Stream {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match tokio_tungstenite::connect_async(handshake(address)).await {
            Ok((stream, _)) => return stream,
            Err(error) => assert!(Instant::now() < deadline, "no connection: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
