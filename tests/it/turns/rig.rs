//! A server with everything real but the model, and a proxy in front of everything that it depends on.

use std::time::Instant;

use db_chat::config::{Config, ProviderKind};
use tokio_postgres::Client as Session;

use super::client::{Client, Transcript};
use crate::support::cut_proxy::CutProxy;
use crate::support::fake_provider::{FakeProvider, Gate, Reply, Request, Stop};
use crate::support::postgres::{self, TestDatabase};
use crate::support::server::TestServer;
use crate::support::turns::PATIENCE;

/// The key that the product is given. In lower case, as secrets are looked for.
pub(super) const KEY: &str = "sk-for-nobody-else";

/// Three customers, three plans, a table that the policy hides, and rows enough for a query that takes minutes.
const SHOP: &str = "
    CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, country text NOT NULL);
    INSERT INTO customers VALUES (1, 'Ada Lovelace', 'Germany'), (2, 'Grace Hopper', 'Germany'), (3, 'Linus', 'Finland');
    CREATE TABLE plans (id int PRIMARY KEY, tier text NOT NULL CHECK (tier IN ('basic', 'gold')), begun date NOT NULL);
    INSERT INTO plans VALUES (1, 'basic', '2026-01-05'), (2, 'gold', '2026-02-05'), (3, 'gold', '2026-02-06');
    CREATE TABLE wages (customer_id int, wage numeric);
    CREATE TABLE numbers AS SELECT n FROM generate_series(1, 60000) AS n;
    ANALYZE;";

/// What the model writes unless told otherwise, and what it says about the rows.
pub(super) const GOOD_SQL: &str = "SELECT count(*) AS customers FROM public.customers";
pub(super) const PROSE: &str = "There are 3 customers.";

/// Minutes of work, of which PostgreSQL sends nothing before it is done.
pub(super) const SLOW_SQL: &str = "SELECT count(*) AS pairs FROM public.numbers a CROSS JOIN public.numbers b WHERE a.n + b.n < 0";

pub(super) const QUESTION: &str = "How many customers are there?";

/// The parts. What is dropped is gone.
pub(super) struct Rig {
    pub(super) fake: FakeProvider,
    pub(super) database: TestDatabase,
    pub(super) server: TestServer,
    /// In front of the fake.
    pub(super) provider: CutProxy,
    /// In front of PostgreSQL.
    pub(super) postgres: CutProxy,
}

/// Where a turn can be stopped to let something happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Point {
    /// Nothing has been asked yet.
    Before,
    /// The model is in the middle of the SQL.
    SqlCall,
    /// PostgreSQL works on the query.
    Execution,
    /// The model is in the middle of the prose.
    ProseCall,
}

impl Rig {
    pub(super) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// With settings of one's own. A failed call of the model is not tried again here, which `providers` is about, and
    /// silence ends after two seconds.
    pub(super) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let fake = FakeProvider::start().await;
        fake.answer_with(|request| match is_prose(request) {
            true => Reply::text(PROSE),
            false => Reply::text(&fenced(GOOD_SQL)),
        });
        let provider = CutProxy::start(fake.address()).await;
        let database = TestDatabase::create(SHOP).await;
        let postgres = CutProxy::start(postgres::address().await).await;
        let server = TestServer::build(|config| {
            config.database.url = Some(database.url_through(postgres.address()).into());
            config.policy.allowed_tables = "public.*,!public.wages".to_owned();
            config.llm.provider = ProviderKind::Anthropic;
            for provider_config in [&mut config.llm.anthropic, &mut config.llm.openai] {
                provider_config.base_url = format!("http://{}", provider.address());
                provider_config.api_key = Some(KEY.to_owned().into());
            }
            config.limits.llm_retries_max = 0;
            // One fault after the other is played here; `waiting` is about what many of them do.
            config.limits.llm_breaker_failures_max = u32::MAX;
            config.limits.llm_breaker_failure_percent_max = 100;
            config.limits.llm_first_token_timeout_ms = 2_000;
            config.limits.llm_idle_timeout_ms = 2_000;
            change(config);
        })
        .await;
        Self {
            fake,
            database,
            server,
            provider,
            postgres,
        }
    }

    pub(super) async fn connect(&self) -> Client {
        Client::connect(&self.server).await
    }

    /// Asks a question, lets something happen while the turn stands at `point`, and reads to the end.
    pub(super) async fn ask_while(
        &mut self,
        client: &mut Client,
        point: Point,
        happens: impl AsyncFnOnce(&mut Self),
    ) -> Transcript {
        let gate = Gate::new();
        match point {
            Point::Before => {
                happens(self).await;
                client.ask(QUESTION).await
            }
            Point::SqlCall => {
                self.fake.push(held(&gate, "```sql\n", GOOD_SQL));
                let id = client.send(QUESTION).await;
                gate.reached().await;
                happens(self).await;
                gate.open();
                client.rest(&id).await
            }
            Point::Execution => {
                self.fake.push(held(&gate, "```sql\n", GOOD_SQL));
                let id = client.send(QUESTION).await;
                gate.reached().await;
                let locker = self.database.admin().await;
                let lock = "BEGIN; LOCK TABLE public.customers IN ACCESS EXCLUSIVE MODE";
                locker.batch_execute(lock).await.expect("a lock");
                gate.open();
                let watcher = self.database.admin().await;
                wait_for_sessions(&watcher, "wait_event_type = 'Lock'", 1).await;
                happens(self).await;
                locker.batch_execute("ROLLBACK").await.expect("unlocked");
                client.rest(&id).await
            }
            Point::ProseCall => {
                self.fake.push(Reply::text(&fenced(GOOD_SQL)));
                self.fake.push(held(&gate, "There ", "are 3 customers."));
                let id = client.send(QUESTION).await;
                gate.reached().await;
                happens(self).await;
                gate.open();
                client.rest(&id).await
            }
        }
    }
}

/// A reply that waits in its middle.
pub(super) fn held(gate: &Gate, begin: &str, end: &str) -> Reply {
    let begun = Reply::script().begin().delta(begin).wait(gate);
    begun.delta(end).finish(Stop::Complete)
}

/// A query as a model writes it.
pub(super) fn fenced(sql: &str) -> String {
    format!("```sql\n{sql}\n```")
}

/// Whether a call asks for prose; else it asks for SQL.
pub(super) fn is_prose(request: &Request) -> bool {
    request.system().starts_with("You tell a person")
}

/// Waits until so many of db-chat's sessions in this database meet the condition, as PostgreSQL sees it.
pub(super) async fn wait_for_sessions(session: &Session, condition: &str, wanted: i64) {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity
         WHERE application_name = 'db-chat' AND datname = current_database() AND {condition}"
    );
    let started = Instant::now();
    loop {
        let found: i64 = session.query_one(&sql, &[]).await.expect("a count").get(0);
        if found == wanted {
            return;
        }
        assert!(
            started.elapsed() < PATIENCE,
            "{found} sessions: {condition}"
        );
    }
}
