//! A model provider of our own: an HTTP server on a loopback port that speaks the real wire protocols and plays a script.
//!
//! The dialect follows from the path that is called, so one script serves all of them:
//!
//! ```text
//! let fake = FakeProvider::start().await;
//! // Either a queue, one reply a call …
//! fake.push(Reply::text("SELECT 1"));
//! fake.push(Reply::error(429, "rate_limit_error").header("retry-after-ms", "1"));
//! // … or, where the queue is empty, an answer by request:
//! fake.answer_with(|request| match request.system().contains("SQL") {
//!     true => Reply::text("SELECT 1"),
//!     false => Reply::text("There is one."),
//! });
//! // Gates hold a reply until the test has seen what it wants to see:
//! let gate = Gate::new();
//! fake.push(Reply::script().begin().delta("There ").wait(&gate).delta("is one.").finish(Stop::Complete));
//! // … point the product at `fake.url()`, ask, read "There " …
//! gate.open();
//! // What was asked, and what became of the connections:
//! assert_eq!(fake.request(0).await.body["model"], "model-1");
//! fake.all_connections_closed().await;
//! ```
//!
//! `fake.url()` suits `ANTHROPIC_BASE_URL` and `OPENAI_BASE_URL` alike. Waits have a deadline and panic with what they waited for.
//! Dropping the fake closes its port and its connections.

mod dialect;
mod reply;
mod responses;
mod server;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) use dialect::USAGE;
pub(crate) use reply::{Gate, LineEnd, Reply, Stop};

/// For every wait of a test. Generous: it only ends tests that have failed.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The running fake.
pub(crate) struct FakeProvider {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// The accepting task, which owns the tasks of the connections.
    _tasks: JoinSet<()>,
}

/// One call as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// E.g. `POST`.
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// Names in lower case, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// `Null` where there is none.
    pub(crate) body: Value,
}

impl Request {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// The instructions, whatever the dialect.
    pub(crate) fn system(&self) -> &str {
        [
            &self.body["system"][0]["text"],
            &self.body["instructions"],
            &self.body["messages"][0]["content"],
        ]
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or_default()
    }

    /// The last message, whatever the dialect.
    pub(crate) fn last_message(&self) -> &str {
        ["messages", "input"]
            .into_iter()
            .find_map(|name| self.body[name].as_array()?.last()?["content"].as_str())
            .unwrap_or_default()
    }
}

/// What became of the connections.
#[derive(Debug, Clone, Copy, Default)]
struct Connections {
    open: usize,
    accepted: usize,
    /// Replies on their way.
    playing: usize,
    /// Closed by the client while a reply was on its way.
    abandoned: usize,
}

type AnswerFn = dyn Fn(&Request) -> Reply + Send + Sync;

struct Shared {
    queue: Mutex<VecDeque<Reply>>,
    answer: Mutex<Option<Arc<AnswerFn>>>,
    models_status: Mutex<u16>,
    requests: watch::Sender<Vec<Request>>,
    connections: watch::Sender<Connections>,
}

impl FakeProvider {
    /// Starts a fake on a free port.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            answer: Mutex::default(),
            models_status: Mutex::new(200),
            requests: watch::Sender::default(),
            connections: watch::Sender::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(server::serve(listener, Arc::clone(&shared)));
        Self {
            address,
            shared,
            _tasks: tasks,
        }
    }

    /// The base URL, for either provider's setting.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens, for a proxy in front of it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Adds a reply to the queue; each call takes one.
    pub(crate) fn push(&self, reply: Reply) {
        self.shared.queue.lock().unwrap().push_back(reply);
    }

    /// Answers the calls for which the queue has nothing.
    pub(crate) fn answer_with(&self, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) {
        *self.shared.answer.lock().unwrap() = Some(Arc::new(answer));
    }

    /// The status of `GET …/models`; 200 until set.
    pub(crate) fn set_models_status(&self, status: u16) {
        *self.shared.models_status.lock().unwrap() = status;
    }

    /// The calls so far; listing models is none.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.shared.requests.borrow().clone()
    }

    /// Call number `index`, counted from 0, as soon as it has arrived.
    pub(crate) async fn request(&self, index: usize) -> Request {
        let mut requests = self.shared.requests.subscribe();
        let arrived = requests.wait_for(|requests| requests.len() > index);
        let requests = within(&format!("call number {index}"), arrived)
            .await
            .unwrap();
        requests[index].clone()
    }

    /// Connections that clients hold open now.
    pub(crate) fn open_connections(&self) -> usize {
        self.shared.connections.borrow().open
    }

    /// Connections opened since the start.
    pub(crate) fn accepted_connections(&self) -> usize {
        self.shared.connections.borrow().accepted
    }

    /// Returns once no reply is on its way: each has been read to its end, or abandoned.
    pub(crate) async fn all_replies_ended(&self) {
        let mut connections = self.shared.connections.subscribe();
        let ended = connections.wait_for(|connections| connections.playing == 0);
        within("all replies to end", ended).await.unwrap();
    }

    /// Returns once no client holds a connection. After a reply that was read to its end a client rightly keeps its
    /// connection for the next call, until the client is dropped.
    pub(crate) async fn all_connections_closed(&self) {
        let mut connections = self.shared.connections.subscribe();
        let closed = connections.wait_for(|connections| connections.open == 0);
        within("all connections to be closed", closed)
            .await
            .unwrap();
    }

    /// Returns once clients have closed `count` connections in the middle of a reply.
    pub(crate) async fn abandoned(&self, count: usize) {
        let mut connections = self.shared.connections.subscribe();
        let abandoned = connections.wait_for(|connections| connections.abandoned >= count);
        within("a reply to be abandoned", abandoned).await.unwrap();
    }
}

/// Waits for something that must happen.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .unwrap_or_else(|_| panic!("waited {DEADLINE:?} for {what}"))
}
