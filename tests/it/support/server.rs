//! A running server on a free port.

use std::net::SocketAddr;
use std::sync::Arc;

use db_chat::app::{Application, Services};
use db_chat::config::Config;
use db_chat::conversations::ConversationStore;
use db_chat::domain::schema::{ForeignNames, Snapshot};
use db_chat::http::{Check, SchemaSource};
use db_chat::pipeline::background::Background;
use db_chat::redis::RedisConnection;
use db_chat::telemetry::metrics::Metrics;
use db_chat::turns::RunTurn;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::turns::PATIENCE;
use super::web_socket::{Socket, handshake};

/// A server; it stops when this is dropped.
pub(crate) struct TestServer {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// An HTTP client without proxies.
    pub(crate) http: reqwest::Client,
    /// Its conversations.
    pub(crate) store: Arc<dyn ConversationStore>,
    stop: CancellationToken,
    running: Option<JoinHandle<std::io::Result<()>>>,
}

impl TestServer {
    /// Starts with the default settings.
    pub(crate) async fn start(run_turn: RunTurn) -> Self {
        Self::start_with(run_turn, |_| {}).await
    }

    /// Starts with settings of one's own.
    pub(crate) async fn start_with(run_turn: RunTurn, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_checked(run_turn, Vec::new(), change).await
    }

    /// Starts with dependencies for `/readyz`.
    pub(crate) async fn start_checked(
        run_turn: RunTurn,
        checks: Vec<Check>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config =
            db_chat::config::resolve(None, std::iter::empty(), &[]).expect("the defaults");
        config.server.bind = "127.0.0.1:0".to_owned();
        change(&mut config);
        let (redis, store) = open_store(&config).await;
        let services = Services {
            run_turn,
            store: Arc::clone(&store),
            schema: no_tables(),
            checks,
            redis,
            audit: None,
            background: Background::default(),
            feedback: None,
            metrics: Metrics::default(),
        };
        let application = Application::assemble(&config, services).expect("a server");
        Self::run(application, store)
    }

    /// Starts with nothing replaced: every part as the settings say, with the offline engine by default.
    pub(crate) async fn build(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = db_chat::config::resolve(None, std::iter::empty(), &[]).expect("defaults");
        config.server.bind = "127.0.0.1:0".to_owned();
        change(&mut config);
        // Conversations of this server are behind its doors only; this one stays empty.
        let (_, store) = open_store(&config).await;
        let application = Application::build(config).await.expect("a server");
        Self::run(application, store)
    }

    fn run(application: Application, store: Arc<dyn ConversationStore>) -> Self {
        let address = application.address();
        let stop = CancellationToken::new();
        let running = TaskTracker::new().spawn(application.run_until_stopped(stop.clone()));
        // The client is built without TLS in mind, but asks for a provider all the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .expect("a client");
        Self {
            address,
            http,
            store,
            stop,
            running: Some(running),
        }
    }

    /// An address on this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Connects a socket.
    pub(crate) async fn connect(&self) -> Socket {
        Socket::open(self.address).await
    }

    /// The first frame that a new connection is sent.
    pub(crate) async fn greeting(&self) -> serde_json::Value {
        Socket::open_with(handshake(self.address))
            .await
            .frame()
            .await
    }

    /// Posts a body to the question route.
    pub(crate) fn post(&self, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.http
            .post(self.url("/api/chat/query/"))
            .header("content-type", "application/json")
            .body(body)
    }

    /// Tells the server to stop, as a signal would.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> std::io::Result<()> {
        let running = self.running.take().expect("waited for once");
        tokio::time::timeout(PATIENCE, running)
            .await
            .expect("an end in time")
            .expect("no panic")
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The connection and the store that the settings name.
async fn open_store(config: &Config) -> (Option<RedisConnection>, Arc<dyn ConversationStore>) {
    let redis = RedisConnection::open(&config.conversations, &config.limits)
        .await
        .expect("an address of a Redis");
    let store = db_chat::conversations::open(&config.conversations, &config.limits, redis.as_ref())
        .expect("a store");
    (redis, store)
}

fn no_tables() -> SchemaSource {
    let snapshot = Arc::new(Snapshot {
        database: "empty".to_owned(),
        server_version_num: 150_000,
        fingerprint: String::new(),
        read_at: chrono::DateTime::UNIX_EPOCH,
        relations: Vec::new(),
        types: Vec::new(),
        foreign_names: ForeignNames::default(),
        extensions: Default::default(),
        hidden_relations_count: 0,
    });
    Arc::new(move || {
        let snapshot = Arc::clone(&snapshot);
        Box::pin(async move { Ok(snapshot) })
    })
}
