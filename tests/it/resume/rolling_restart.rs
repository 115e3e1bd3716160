//! Two real processes behind a balancer are replaced one after the other, while people go on asking.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use db_chat::domain::ids::ConversationId;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::fake_provider::{FakeProvider, Gate, Reply, Stop};
use crate::support::postgres::TestDatabase;
use crate::support::raw::exchange;
use crate::support::redis::RedisServer;
use crate::support::round_robin::RoundRobin;
use crate::support::serve_process::ServeProcess;
use crate::support::turns::PATIENCE;
use crate::support::web_socket::{handshake, is_final};

const CLIENTS: u64 = 32;

/// So many questions are answered before the first instance is stopped, between the two, and after the second one's return.
const ANSWERS_BETWEEN: u64 = 100;

const QUESTION: &str = "How many customers are there?";

/// The answer to it waits for the test.
const HELD_QUESTION: &str = "How many customers are there, by and by?";

const PROSE: [&str; 4] = ["There ", "are ", "3 ", "customers."];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_load_loses_no_answer() {
    let gate = Gate::new();
    let fake = FakeProvider::start().await;
    let hold = gate.clone();
    fake.answer_with(move |request| {
        if !request.system().starts_with("You tell a person") {
            return Reply::text("```sql\nSELECT count(*) AS customers FROM public.customers\n```");
        }
        let begun = Reply::script().begin();
        let told = if request.last_message().contains(HELD_QUESTION) {
            let [first, rest @ ..] = PROSE;
            rest.iter()
                .fold(begun.delta(first).wait(&hold), |reply, word| {
                    reply.delta(word)
                })
        } else {
            PROSE.iter().fold(begun, |reply, word| {
                reply.delta(word).pause(Duration::from_millis(25))
            })
        };
        told.finish(Stop::Complete)
    });
    let database = TestDatabase::create(
        "CREATE TABLE customers (id int PRIMARY KEY); INSERT INTO customers VALUES (1), (2), (3); ANALYZE",
    )
    .await;
    let redis = RedisServer::start().await;
    let settings = [
        ("DATABASE_URL", database.url()),
        ("REDIS_URL", redis.url()),
        ("LLM_PROVIDER", "anthropic".to_owned()),
        ("ANTHROPIC_API_KEY", "sk-none".to_owned()),
        ("ANTHROPIC_BASE_URL", fake.url()),
        ("DB_CHAT_QUESTIONS_PER_MINUTE_MAX", "100000".to_owned()),
    ];
    let settings = settings
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    let mut one = ServeProcess::start(&settings).await;
    let mut two = ServeProcess::start(&settings).await;
    let balancer = RoundRobin::start(vec![one.address, two.address]).await;

    let (answered, mut progress) = watch::channel(0);
    let answered = Arc::new(answered);
    let enough = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (answered, enough) = (Arc::clone(&answered), Arc::clone(&enough));
        let mut client = Client::new(balancer.address(), number);
        clients.spawn(async move {
            while !enough.load(Ordering::Relaxed) {
                client.ask(QUESTION).await;
                answered.send_modify(|count| *count += 1);
            }
            client
        });
    }
    let mut more_answered = async || {
        let wanted = *progress.borrow() + ANSWERS_BETWEEN;
        let reached = progress.wait_for(|count| *count >= wanted);
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        drop(reached.expect("progress").expect("clients"));
    };

    more_answered().await;
    // Somebody on the first one is in the middle of an answer when it is told to stop, and stays.
    let mut stays = Client::new(one.address, CLIENTS);
    stays.begin(HELD_QUESTION).await;
    one.terminate();
    until_stopping(&one).await;
    gate.open();
    stays.finish().await;
    one.ended_well().await;
    one = replace(one, &balancer, &settings).await;

    more_answered().await;
    // Somebody on the second one is too, loses the connection, and comes back on the other one.
    gate.close();
    let mut lost = Client::new(two.address, CLIENTS + 1);
    lost.begin(HELD_QUESTION).await;
    two.terminate();
    until_stopping(&two).await;
    lost.lose_connection(one.address);
    lost.reconnect().await;
    gate.open();
    lost.finish().await;
    two.ended_well().await;
    two = replace(two, &balancer, &settings).await;

    more_answered().await;
    enough.store(true, Ordering::Relaxed);
    while let Some(client) = clients.join_next().await {
        let client = client.expect("a client that was served as promised");
        client.check_history(one.address).await;
    }
    stays.check_history(two.address).await;
    lost.check_history(two.address).await;
    one.stop().await;
    two.stop().await;
}

/// Starts another one in place of one that has ended.
async fn replace(
    ended: ServeProcess,
    balancer: &RoundRobin,
    settings: &[(&str, &str)],
) -> ServeProcess {
    let new = ServeProcess::start(settings).await;
    balancer.replace(ended.address, new.address);
    new
}

/// Waits until an instance says that it is stopping.
async fn until_stopping(instance: &ServeProcess) {
    let probe = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    while !exchange(instance.address, probe)
        .await
        .starts_with("HTTP/1.1 503 ")
    {}
}

type Stream = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// Somebody with one conversation, who does what `docs/PROTOCOL.md` says, and holds the server to it.
struct Client {
    address: SocketAddr,
    random: fastrand::Rng,
    stream: Option<Stream>,
    conversation_id: String,
    /// The questions that have been answered.
    answered: u64,
    question: &'static str,
    /// Whether the question under way has been sent.
    is_asked: bool,
    /// The last frame's number.
    seq: u64,
    prose: String,
}

/// What came instead of a frame about the question.
enum Missed {
    /// The connection is over, with this code if there was one.
    Closed(Option<u16>),
    /// The question, or its resume, was not accepted, for this reason.
    Refused(String),
}

impl Client {
    fn new(address: SocketAddr, number: u64) -> Self {
        Self {
            address,
            random: fastrand::Rng::with_seed(number),
            stream: None,
            conversation_id: ConversationId::random().to_string(),
            answered: 0,
            question: QUESTION,
            is_asked: false,
            seq: 0,
            prose: String::new(),
        }
    }

    /// Asks, and does not let go before the answer.
    async fn ask(&mut self, question: &'static str) {
        self.question = question;
        if self.stream.is_some() {
            self.say().await;
        }
        self.finish().await;
    }

    /// Asks, and reads up to the first word of the answer.
    async fn begin(&mut self, question: &'static str) {
        self.question = question;
        while self.prose.is_empty() {
            assert!(!self.step().await);
        }
    }

    /// Reads up to the end of the answer.
    async fn finish(&mut self) {
        while !self.step().await {}
    }

    /// Takes one frame, or does what it takes to get one; `true`: it was the final one.
    async fn step(&mut self) -> bool {
        if self.stream.is_none() {
            self.reconnect().await;
        }
        match self.next().await {
            Ok(frame) => self.take(&frame),
            Err(Missed::Closed(code)) => {
                self.stream = None;
                match code {
                    // Answers in flight were sent before.
                    Some(1001) | None => assert_eq!(self.seq, 0, "closed in an answer"),
                    Some(code) => panic!("closed with {code}"),
                }
                false
            }
            Err(Missed::Refused(code)) => {
                assert_eq!(self.seq, 0, "{code}");
                match code.as_str() {
                    // It never was one: asked again, elsewhere.
                    "shutting_down" => self.stream = None,
                    // It was closed before it had been heard.
                    "request_not_found" => {}
                    _ => panic!("{code}"),
                }
                self.is_asked = false;
                if self.stream.is_some() {
                    self.say().await;
                }
                false
            }
        }
    }

    fn take(&mut self, frame: &Value) -> bool {
        assert_eq!(frame["request_id"], self.request_id(), "{frame}");
        self.seq += 1;
        assert_eq!(frame["seq"], self.seq, "a gap or a double: {frame}");
        self.prose += frame["token"].as_str().unwrap_or_default();
        if !is_final(frame) {
            return false;
        }
        assert_eq!(frame["type"], "chat_response", "{frame}");
        assert!(frame["error"].is_null(), "{frame}");
        assert_eq!(frame["reply"], PROSE.concat(), "{frame}");
        assert_eq!(self.prose, PROSE.concat());
        self.answered += 1;
        self.is_asked = false;
        self.seq = 0;
        self.prose.clear();
        true
    }

    /// Connects, however often it takes, and asks or resumes.
    async fn reconnect(&mut self) {
        let trying = async {
            loop {
                // Not all at once.
                let pause = self.random.u64(..50);
                tokio::time::sleep(Duration::from_millis(pause)).await;
                match connect_async(handshake(self.address)).await {
                    Ok((stream, _)) => return stream,
                    Err(Error::Http(refusal)) => {
                        assert_eq!(refusal.status(), 503);
                        assert!(refusal.headers().contains_key("retry-after"));
                    }
                    Err(Error::Io(_) | Error::Protocol(_)) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
        };
        let stream = tokio::time::timeout(PATIENCE, trying).await;
        self.stream = Some(stream.expect("a connection in time"));
        self.say().await;
    }

    /// The network is gone, and another address is where to come back to.
    fn lose_connection(&mut self, address: SocketAddr) {
        self.stream = None;
        self.address = address;
    }

    /// Sends the question, or the wish to take it up.
    async fn say(&mut self) {
        let frame = if self.is_asked {
            json!({"type": "resume", "request_id": self.request_id(), "after": self.seq})
        } else {
            json!({
                "query": self.question,
                "request_id": self.request_id(),
                "conversation_id": self.conversation_id,
            })
        };
        self.is_asked = true;
        let stream = self.stream.as_mut().expect("a connection");
        // What failed here is seen where it is read.
        let _ = stream.send(Message::text(frame.to_string())).await;
    }

    /// The next frame about the question.
    async fn next(&mut self) -> Result<Value, Missed> {
        let stream = self.stream.as_mut().expect("a connection");
        loop {
            let message = tokio::time::timeout(PATIENCE, stream.next()).await;
            match message.expect("never silence") {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).expect("JSON");
                    if frame["stage"] == "connected" {
                        continue;
                    }
                    if frame["seq"].is_null() {
                        let code = frame["code"].as_str().unwrap_or_default();
                        return Err(Missed::Refused(code.to_owned()));
                    }
                    return Ok(frame);
                }
                Some(Ok(Message::Close(close))) => {
                    return Err(Missed::Closed(close.map(|close| close.code.into())));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => panic!("{message:?}"),
                Some(Err(_)) | None => return Err(Missed::Closed(None)),
            }
        }
    }

    fn request_id(&self) -> String {
        format!("{}-{}", self.conversation_id, self.answered)
    }

    /// Every question is in the conversation once, in the order in which they were asked.
    async fn check_history(&self, address: SocketAddr) {
        let path = format!("/api/chat/conversations/{}/", self.conversation_id);
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let response = exchange(address, request.as_bytes()).await;
        let (_, body) = response.split_once("\r\n\r\n").expect("a body");
        let history: Value = serde_json::from_str(body).expect("JSON");
        let turns = history["turns"].as_array().expect("turns").iter();
        let found: Vec<_> = turns.map(|turn| turn["request_id"].clone()).collect();
        let asked: Vec<_> = (0..self.answered)
            .map(|number| format!("{}-{number}", self.conversation_id))
            .collect();
        assert_eq!(found, asked);
    }
}
