//! What the guard costs: its steps one by one against libpg_query's parser alone, and how the cost grows with the text.
//!
//! Only queries that are accepted are timed; a refusal costs less. Times are medians, so that a busy machine shifts
//! them little, and the ratio compares what was timed in the same round.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints, and has nobody to report to"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use db_chat::app::private_postgres::PrivatePostgres;
use db_chat::domain::schema::Snapshot;
use db_chat::domain::sql::DraftSql;
use db_chat::guard;
use db_chat::guard::policy::Policy;
use db_chat::pipeline::check::STACK_BYTES;
use db_chat::postgres::catalog;
use secrecy::ExposeSecret;
use tokio_postgres::NoTls;
use tokio_util::task::TaskTracker;

/// What of the corpus database may be read, as in the tests.
const ALLOWED_TABLES: &str = "books, members, loans, loan_summary, !public.members.card_number";

/// Times that each query is taken through each step.
const ROUNDS: usize = 200;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let snapshot = runtime.block_on(library());
    let worker = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || report(&snapshot))
        .expect("a thread");
    worker.join().expect("a report");
}

fn report(snapshot: &Snapshot) {
    let corpus = include_str!("../tests/guard/accepted.sql");
    let queries: Vec<String> = corpus
        .split("\n\n")
        .filter(|sql| guard::check(&DraftSql::new(*sql), snapshot).is_ok())
        .map(str::to_owned)
        .collect();
    let bytes: usize = queries.iter().map(String::len).sum();
    println!("{} accepted queries, {bytes} bytes", queries.len());
    header();
    row("the corpus, per query", &queries, snapshot);
    for kibibytes in [1, 4, 16] {
        let wanted = kibibytes * 1024;
        row(
            &format!("{kibibytes} KiB, a list"),
            &[list(wanted)],
            snapshot,
        );
        row(
            &format!("{kibibytes} KiB, columns"),
            &[columns(wanted)],
            snapshot,
        );
        row(
            &format!("{kibibytes} KiB, conditions"),
            &[conditions(wanted)],
            snapshot,
        );
    }
}

fn header() {
    println!(
        "{:<24}{:>12}{:>12}{:>12}{:>12}{:>12}{:>8}",
        "microseconds", "libpg_query", "parse", "resolve", "write out", "check", "ratio"
    );
}

/// Times all queries and prints the mean for one of them.
fn row(name: &str, queries: &[String], snapshot: &Snapshot) {
    // A median for each query: a round over all of them is so long that something always interrupts it.
    let mut means = [0.0; 5];
    for sql in queries {
        for (mean, median) in means.iter_mut().zip(medians(sql, snapshot)) {
            *mean += median / queries.len() as f64;
        }
    }
    let [library, .., check] = means;
    print!("{name:<24}");
    for mean in means {
        print!("{mean:>12.1}");
    }
    println!("{:>8.2}", check / library);
}

/// Microseconds that each step takes for one query.
fn medians(sql: &str, snapshot: &Snapshot) -> [f64; 5] {
    let draft = DraftSql::new(sql);
    let mut times: [Vec<Duration>; 5] = Default::default();
    for _ in 0..ROUNDS {
        let [library, parse, resolve, write_out, check] = &mut times;
        timed(library, || pg_query::parse(sql, 0).expect("a tree"));
        let parsed = timed(parse, || guard::parse(&draft).expect("a tree"));
        let resolved = timed(resolve, || {
            parsed.resolve(snapshot).expect("an allowed query")
        });
        timed(write_out, || resolved.write_out().expect("a text"));
        timed(check, || {
            guard::check(&draft, snapshot).expect("an allowed query")
        });
    }
    times.map(|mut times| {
        times.sort_unstable();
        let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
        median.as_secs_f64() * 1e6
    })
}

/// Does one thing and adds to `times` how long it took, without the time to drop what it gives.
fn timed<T>(times: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let outcome = black_box(work());
    times.push(started.elapsed());
    outcome
}

fn list(bytes: usize) -> String {
    let start = "SELECT title FROM books WHERE id IN (1";
    let item = ", 12345";
    format!(
        "{start}{})",
        item.repeat((bytes - start.len() - 1) / item.len())
    )
}

fn columns(bytes: usize) -> String {
    let (start, end) = ("SELECT b.title", " FROM books AS b");
    let item = ", coalesce(upper(b.title), 'none') AS title";
    let count = (bytes - start.len() - end.len()) / item.len();
    format!("{start}{}{end}", item.repeat(count))
}

fn conditions(bytes: usize) -> String {
    let start = "SELECT b.title FROM books AS b WHERE b.price > 1";
    let item = " AND (b.price < 20.5 OR b.title LIKE 'A%')";
    format!("{start}{}", item.repeat((bytes - start.len()) / item.len()))
}

/// What the policy shows of the corpus database, read from a PostgreSQL of our own.
async fn library() -> Snapshot {
    let server = PrivatePostgres::start().await.expect("a PostgreSQL");
    let url = server.admin_url("postgres");
    let (client, connection) = tokio_postgres::connect(url.expose_secret(), NoTls)
        .await
        .expect("a connection");
    TaskTracker::new().spawn(connection);
    client
        .batch_execute(include_str!("../tests/guard/fixture.sql"))
        .await
        .expect("the corpus database");
    let policy = Policy::compile(ALLOWED_TABLES, "").expect("a policy");
    let catalog = catalog::read(&client).await.expect("a catalog");
    policy.apply(catalog)
}
