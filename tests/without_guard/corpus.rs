//! Every refused statement with nobody to refuse it: no denied value comes back, nothing lasts, and what is left open is what
//! `docs/SECURITY.md` says is left open.

use std::collections::BTreeSet;
use std::time::Duration;

use db_chat::domain::result::ResultSet;
use db_chat::postgres::QueryError;
use db_chat::postgres::pool::DatabasePool;
use db_chat::postgres::read_only::ExecutionLimits;
use futures_util::StreamExt;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use super::postgres::{self, TestDatabase, as_psql_prints, pool};
use super::qualify::qualified;
use super::roles::granted;
use super::{limits, run};

const FIXTURE: &str = include_str!("../guard/fixture.sql");
const ALLOWED_TABLES: &str = "books, members, loans, loan_summary, !public.members.card_number";

/// Changes every value that the policy hides, and no other.
const OTHER_SECRETS: &str = "
    UPDATE public.members SET card_number = 'HIDDEN-' || id;
    UPDATE public.staff SET name = 'Zoe', wage = wage + 8000;
    INSERT INTO public.staff VALUES (3, 'Yan', 12300);
    INSERT INTO archive.loans VALUES (1, 'unheard of');
    INSERT INTO public.\"Loans\" VALUES (1, 'unheard of')";

/// What is denied, on either side. None of them is a part of anything that may be seen.
const DENIED: &[&str] = &[
    "CARD-",
    "HIDDEN-",
    "4100",
    "3900",
    "Ann",
    "Bob",
    "12100",
    "11900",
    "12300",
    "Zoe",
    "Yan",
    "unheard of",
];

/// Three databases and the same role in each: one like another, and one that differs in what is denied.
struct Sides {
    databases: [TestDatabase; 3],
    pools: [DatabasePool; 3],
}

/// What a statement came to, sorted: few of them say an order.
#[derive(Debug, PartialEq)]
enum Answer {
    Rows(Vec<Vec<Option<String>>>),
    Refused(String),
}

impl Sides {
    async fn create(role: &str) -> Self {
        let mut databases = Vec::new();
        let mut pools = Vec::new();
        let twin = format!("{FIXTURE}; {OTHER_SECRETS}");
        // What lasts is looked for in the whole server, which is therefore this test's own.
        let server = postgres::server_alone().await;
        for fixture in [FIXTURE, FIXTURE, &twin] {
            let database = TestDatabase::create_in(server, fixture).await;
            pools.push(pool(&granted(&database, role, ALLOWED_TABLES).await, 1));
            databases.push(database);
        }
        let three = "three of them";
        Self {
            databases: databases.try_into().ok().expect(three),
            pools: pools.try_into().ok().expect(three),
        }
    }

    /// Runs a text on all sides. Whatever differs by what is denied is a leak, told straight out or by a side door.
    async fn ask(&self, sql: &str) -> Answer {
        let mut answers = Vec::new();
        for pool in &self.pools {
            answers.push(match run(pool, sql, &limits()).await {
                Ok(result) => Answer::Rows(sorted(result)),
                Err(QueryError::Refused {
                    sqlstate, message, ..
                }) => Answer::Refused(format!("{sqlstate} {message}")),
                Err(error) => panic!("{sql}: {error:?}"),
            });
        }
        let [first, like, twin] = answers.try_into().expect("three answers");
        // Numbers that PostgreSQL deals out, of processes and transactions for example, differ between any two databases.
        if first == like {
            assert_eq!(first, twin, "{sql}: this depends on what is denied");
        }
        for answer in [&first, &twin] {
            let text = format!("{answer:?}");
            for denied in DENIED.iter().filter(|denied| !sql.contains(**denied)) {
                assert!(!text.contains(denied), "{sql}: {denied} in {text}");
            }
        }
        first
    }

    /// All that a query could have left in the first database.
    async fn state(&self) -> Vec<Vec<Option<String>>> {
        let admin = self.databases[0].admin().await;
        let (_, tables) = as_psql_prints(&admin, TABLES).await;
        let mut state = Vec::new();
        for table in tables.iter().flatten().flatten() {
            let contents = format!("SELECT '{table}', t::text FROM {table} t ORDER BY 2");
            state.extend(as_psql_prints(&admin, &contents).await.1);
        }
        for question in LASTING {
            state.extend(as_psql_prints(&admin, question).await.1);
        }
        state
    }
}

/// Tables, as names that can be written.
const TABLES: &str = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname IN ('public', 'archive') ORDER BY 1";

/// What can outlive a session beside rows: objects, large objects, settings of roles and databases, and the locks and the
/// temporary tables of sessions that go on.
const LASTING: &[&str] = &[
    "SELECT oid::regclass::text, relkind::text, relacl::text FROM pg_class WHERE oid >= 16384 ORDER BY 1",
    "SELECT oid::regprocedure::text, proacl::text FROM pg_proc WHERE oid >= 16384 ORDER BY 1",
    "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2",
    "SELECT 'large object', count(*) FROM pg_largeobject_metadata",
    "SELECT rolname, rolsuper, rolconnlimit FROM pg_roles ORDER BY 1",
    "SELECT setdatabase, setrole, setconfig FROM pg_db_role_setting ORDER BY 1, 2",
    "SELECT 'prepared transaction', count(*) FROM pg_prepared_xacts",
    "SELECT 'slot', count(*) FROM pg_replication_slots",
    "SELECT 'advisory lock', count(*) FROM pg_locks WHERE locktype = 'advisory'",
    "SELECT 'temporary', count(*) FROM pg_class WHERE relpersistence = 't'",
    "SELECT 'in a transaction', count(*) FROM pg_stat_activity WHERE application_name = 'db-chat' AND state <> 'idle'",
];

fn sorted(result: ResultSet) -> Vec<Vec<Option<String>>> {
    let mut rows = result.rows;
    rows.sort_unstable();
    rows
}

/// The statements of a corpus file with the heading that they stand below.
fn statements(file: &str, heading_mark: &str) -> Vec<(String, String)> {
    let mut heading = String::new();
    let mut statements = Vec::new();
    for paragraph in file.split("\n\n") {
        let mut lines = Vec::new();
        for line in paragraph.lines() {
            if let Some(text) = line.strip_prefix(heading_mark) {
                heading = text.to_owned();
            } else if !line.starts_with("-- ") {
                lines.push(line);
            }
        }
        if !lines.is_empty() {
            statements.push((heading.clone(), lines.join("\n")));
        }
    }
    statements
}

/// Listens for whatever could be notified.
async fn listener(database: &TestDatabase) -> (Client, tokio::task::JoinHandle<usize>) {
    let (client, mut connection) = tokio_postgres::connect(&database.url(), NoTls)
        .await
        .expect("a connection");
    let heard = tokio_util::task::TaskTracker::new().spawn(async move {
        let mut messages = futures_util::stream::poll_fn(move |cx| connection.poll_message(cx));
        let mut heard = 0;
        while let Some(Ok(message)) = messages.next().await {
            heard += usize::from(matches!(message, AsyncMessage::Notification(_)));
        }
        heard
    });
    client
        .batch_execute("LISTEN jobs")
        .await
        .expect("listening");
    (client, heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_leaves_open_what_the_security_page_says_and_nothing_else() {
    let sides = Sides::create("reader_alone").await;
    let (client, heard) = listener(&sides.databases[0]).await;
    let before = sides.state().await;
    let mut open = BTreeSet::new();
    for (family, sql) in statements(include_str!("../guard/role.sql"), "-- family: ") {
        if let Answer::Rows(_) = sides.ask(&sql).await {
            open.insert((family, sql));
        }
    }
    assert_eq!(before, sides.state().await);
    // A notification of their own proves that others would have been heard.
    client
        .batch_execute("NOTIFY jobs; SELECT 1")
        .await
        .expect("told");
    drop(client);
    assert_eq!(heard.await.expect("an end"), 1);

    let listed = listed();
    let unlisted: Vec<_> = open.difference(&listed).collect();
    let closed: Vec<_> = listed.difference(&open).collect();
    assert!(
        unlisted.is_empty() && closed.is_empty(),
        "open and not in docs/SECURITY.md: {unlisted:#?}\nin docs/SECURITY.md and not open: {closed:#?}"
    );
}

/// The statements of the page's section about what the role leaves open, below the families' names.
fn listed() -> BTreeSet<(String, String)> {
    let page = include_str!("../../docs/SECURITY.md");
    let (_, section) = page
        .split_once("\n## What the role alone leaves open\n")
        .expect("the section");
    let section = section.split("\n## ").next().expect("its text");
    let listed = statements_of(section);
    let count = format!("{} of the", listed.len());
    assert!(section.contains(&count), "the section must say {count:?}");
    listed
}

fn statements_of(section: &str) -> BTreeSet<(String, String)> {
    let block = section.split("```").nth(1).expect("a block of SQL");
    let mut family = String::new();
    let mut listed = BTreeSet::new();
    for line in block.lines().skip(1) {
        match line.strip_prefix("-- ") {
            Some(name) => family = name.to_owned(),
            None if !line.is_empty() => drop(listed.insert((family.clone(), line.to_owned()))),
            None => {}
        }
    }
    listed
}

/// Whether PostgreSQL may end with all its sessions for a statement, by a fault of its own that no role stops: see the page.
fn ends_postgresql(sql: &str) -> bool {
    [" CYCLE ", " SEARCH "]
        .iter()
        .any(|clause| sql.contains(clause))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_refused_statement_gets_a_denied_value_past_the_role_or_leaves_anything() {
    let sides = Sides::create("reader_refused").await;
    let before = sides.state().await;
    let mut ran = 0;
    for (code, sql) in statements(include_str!("../guard/refused.sql"), "-- refused: ") {
        // Bombs are below.
        if matches!(code.as_str(), "too_expensive" | "too_complex") || ends_postgresql(&sql) {
            continue;
        }
        let as_written = sides.ask(&sql).await;
        ran += usize::from(matches!(as_written, Answer::Rows(_)));
        // The search path knows the system's names only; an attacker would write whole names.
        let qualified = qualified(&sql);
        if qualified != sql {
            ran += usize::from(matches!(sides.ask(&qualified).await, Answer::Rows(_)));
        }
    }
    assert!(ran > 20, "only {ran} statements ran: this proves nothing");
    assert_eq!(before, sides.state().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_end_within_the_limits_and_the_next_question_is_answered() {
    let database = TestDatabase::create(FIXTURE).await;
    let pool = pool(
        &granted(&database, "reader_bombed", ALLOWED_TABLES).await,
        1,
    );
    let limits = ExecutionLimits {
        statement_timeout: Duration::from_secs(1),
        ..limits()
    };
    for (code, sql) in statements(include_str!("../guard/refused.sql"), "-- refused: ") {
        if code != "too_expensive" {
            continue;
        }
        match run(&pool, &qualified(&sql), &limits).await {
            Ok(result) => {
                let bytes: usize = result
                    .rows
                    .iter()
                    .flatten()
                    .flatten()
                    .map(String::len)
                    .sum();
                assert!(bytes <= limits.result_bytes_max, "{sql}: {bytes} bytes");
            }
            Err(QueryError::Refused { .. } | QueryError::StatementTimeout { .. }) => {}
            Err(error) => panic!("{sql}: {error:?}"),
        }
        let next = run(&pool, "SELECT 1", &limits).await.expect("a row");
        assert_eq!(next.rows, [[Some("1".to_owned())]], "after {sql}");
    }
    postgres::wait_for_sessions(&database.admin().await, "AND state = 'active'", 0).await;
}
