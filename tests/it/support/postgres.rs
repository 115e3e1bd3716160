//! A real PostgreSQL for tests: one private server for each test process, one database for each test.
//!
//! The server is started by the first test that asks and is gone when the process is, however it ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use db_chat::app::private_postgres::PrivatePostgres;
use db_chat::domain::schema::{Catalog, Snapshot};
use db_chat::domain::sql::DraftSql;
use db_chat::guard::policy::Policy;
use db_chat::guard::{self, CheckedSql};
use db_chat::postgres::catalog;
use db_chat::postgres::pool::{DatabasePool, PoolLimits};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// Started once, never dropped: the watchdog ends it with the process.
static SERVER: OnceCell<PrivatePostgres> = OnceCell::const_new();

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The server that all tests of this process share.
pub(crate) async fn server() -> &'static PrivatePostgres {
    SERVER
        .get_or_init(|| async {
            let started = PrivatePostgres::start().await;
            started.unwrap_or_else(|error| panic!("no PostgreSQL for the tests: {error}"))
        })
        .await
}

/// A server that nothing else uses, for what a server has once: roles that come and go, locks, sessions.
pub(crate) async fn server_alone() -> &'static PrivatePostgres {
    let started = PrivatePostgres::start().await;
    // Like the shared one, it ends with the process.
    Box::leak(Box::new(started.expect("a PostgreSQL of one's own")))
}

/// An empty database of one test's own.
pub(crate) struct TestDatabase {
    name: String,
    server: &'static PrivatePostgres,
}

impl TestDatabase {
    /// Creates a database and runs `sql` in it.
    pub(crate) async fn create(sql: &str) -> Self {
        Self::create_in(server().await, sql).await
    }

    /// The same in a server of the caller's choice.
    pub(crate) async fn create_in(server: &'static PrivatePostgres, sql: &str) -> Self {
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        let admin = connect(&server.admin_url("postgres")).await;
        let create = format!("CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy");
        if admin.batch_execute(&create).await.is_err() {
            // Before PostgreSQL 15 there was only that strategy, and no word for it.
            let create = format!("CREATE DATABASE {name} TEMPLATE template0");
            admin.batch_execute(&create).await.expect("a database");
        }
        let database = Self { name, server };
        database.admin().await.batch_execute(sql).await.expect(sql);
        database
    }

    /// Its URL for the role that may do everything.
    pub(crate) fn url(&self) -> String {
        self.server.admin_url(&self.name).expose_secret().to_owned()
    }

    /// Its URL for the role that may do everything, by way of a proxy that was started for [`address`].
    pub(crate) fn url_through(&self, proxy: SocketAddr) -> String {
        let port = format!(":{}/", self.server.port());
        self.url().replace(&port, &format!(":{}/", proxy.port()))
    }

    /// Its URL for a role that a test has created, with this password.
    pub(crate) fn url_as(&self, role: &str, password: &str) -> String {
        let password = SecretString::from(password.to_owned());
        self.server
            .url(role, &password, &self.name)
            .expose_secret()
            .to_owned()
    }

    /// A connection of the role that may do everything.
    pub(crate) async fn admin(&self) -> Client {
        connect(&self.server.admin_url(&self.name)).await
    }

    /// A pool of `connections_max` connections.
    pub(crate) fn pool(&self, connections_max: usize) -> DatabasePool {
        pool(&self.url(), connections_max)
    }

    /// The structure as db-chat reads it.
    pub(crate) async fn catalog(&self) -> Catalog {
        catalog::read(&self.admin().await).await.expect("a catalog")
    }

    /// The structure with nothing hidden.
    pub(crate) async fn snapshot(&self) -> Snapshot {
        let policy = Policy::compile("*.*", "").expect("a policy");
        policy.apply(self.catalog().await)
    }
}

/// A pool for any URL.
pub(crate) fn pool(url: &str, connections_max: usize) -> DatabasePool {
    let limits = PoolLimits {
        connections_max,
        wait_timeout: Duration::from_secs(5),
    };
    DatabasePool::new(url, limits).expect("a pool")
}

/// Where the server of this process listens.
pub(crate) async fn address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, server().await.port()).into()
}

/// What the guard makes of `sql`, which it must let through.
pub(crate) fn checked(sql: &str, snapshot: &Snapshot) -> CheckedSql {
    guard::check(&DraftSql::new(sql), snapshot)
        .unwrap_or_else(|rejection| panic!("{sql}: {rejection}"))
}

/// The cells that psql would print: names, and rows of texts.
pub(crate) async fn as_psql_prints(
    client: &Client,
    sql: &str,
) -> (Vec<String>, Vec<Vec<Option<String>>>) {
    let mut names = Vec::new();
    let mut rows = Vec::new();
    for message in client.simple_query(sql).await.expect(sql) {
        if let SimpleQueryMessage::RowDescription(columns) = &message {
            names = columns.iter().map(|c| c.name().to_owned()).collect();
        } else if let SimpleQueryMessage::Row(row) = &message {
            let cells = 0..row.len();
            rows.push(cells.map(|i| row.get(i).map(str::to_owned)).collect());
        }
    }
    (names, rows)
}

/// Waits until db-chat has as many sessions as wanted that also meet `condition`, as PostgreSQL sees it.
pub(crate) async fn wait_for_sessions(client: &Client, condition: &str, wanted: i64) {
    let sql = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'db-chat' AND datname = current_database() {condition}"
    );
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let sessions: i64 = client.query_one(&sql, &[]).await.expect("a count").get(0);
        if sessions == wanted {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{sessions} sessions, not {wanted}"
        );
    }
}

/// A connection, to be driven until it is dropped.
pub(crate) async fn connect(url: &SecretString) -> Client {
    let (client, connection) = tokio_postgres::connect(url.expose_secret(), NoTls)
        .await
        .expect("a connection");
    // Ends with the client.
    tokio_util::task::TaskTracker::new().spawn(connection);
    client
}
