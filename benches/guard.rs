//! What the guard costs: its steps one by one against libpg_query's parser alone, and how the cost grows with the text.
//!
//! Only queries that are accepted are timed; a refusal costs less. The steps of one query are timed in turn, round after round,
//! and of each the shortest time counts: whatever else the machine does can only lengthen one, so the shortest are what the
//! work itself takes. What seems too slow is timed again, up to [`TRIES`] times. Exits with 1 if the whole then still costs more than
//! [`RATIO_MAX`] times the parser alone.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints, and has nobody to report to"
)]

use std::hint::black_box;
use std::process::ExitCode;
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

/// Times that each query is taken through each step in one try.
const ROUNDS: usize = 300;

/// Tries for a row that seems too slow. The shortest times of all of them count, so a machine that is busy for a while costs
/// time and not the verdict.
const TRIES: usize = 10;

/// What the whole check may cost, as a multiple of libpg_query's parser alone.
const RATIO_MAX: f64 = 3.0;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let snapshot = runtime.block_on(library());
    let worker = std::thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(move || report(&snapshot))
        .expect("a thread");
    let worst = worker.join().expect("a report");
    println!("the largest ratio is {worst:.2}, and {RATIO_MAX:.2} is allowed");
    ExitCode::from(u8::from(worst > RATIO_MAX))
}

/// Prints the table and gives the largest ratio in it.
fn report(snapshot: &Snapshot) -> f64 {
    let corpus = include_str!("../tests/guard/accepted.sql");
    let queries: Vec<String> = corpus
        .split("\n\n")
        .filter(|sql| guard::check(&DraftSql::new(*sql), snapshot).is_ok())
        .map(str::to_owned)
        .collect();
    let bytes: usize = queries.iter().map(String::len).sum();
    println!("{} accepted queries, {bytes} bytes", queries.len());
    header();
    let mut worst = row("the corpus, per query", &queries, snapshot);
    for kibibytes in [1, 4, 16] {
        let wanted = kibibytes * 1024;
        for (name, text) in [
            ("a list", list(wanted)),
            ("columns", columns(wanted)),
            ("conditions", conditions(wanted)),
        ] {
            let ratio = row(&format!("{kibibytes} KiB, {name}"), &[text], snapshot);
            worst = worst.max(ratio);
        }
    }
    worst
}

fn header() {
    println!(
        "{:<24}{:>12}{:>12}{:>12}{:>12}{:>12}{:>8}",
        "microseconds", "libpg_query", "parse", "resolve", "write out", "whole", "ratio"
    );
}

/// Times all queries, prints the mean for one of them and gives the ratio.
fn row(name: &str, queries: &[String], snapshot: &Snapshot) -> f64 {
    let mut times = vec![[Duration::MAX; 4]; queries.len()];
    let mut tries = 0;
    let ([library, parse, resolve, write_out], whole) = loop {
        for (sql, times) in queries.iter().zip(&mut times) {
            time(sql, snapshot, times);
        }
        tries += 1;
        let means = means(&times);
        let [library, parse, resolve, write_out] = means;
        let whole = parse + resolve + write_out;
        if whole <= RATIO_MAX * library || tries == TRIES {
            break (means, whole);
        }
    };
    println!(
        "{name:<24}{library:>12.1}{parse:>12.1}{resolve:>12.1}{write_out:>12.1}{whole:>12.1}{:>8.2}",
        whole / library
    );
    whole / library
}

/// Microseconds for one query, on average.
fn means(times: &[[Duration; 4]]) -> [f64; 4] {
    let mut means = [0.0; 4];
    for of_query in times {
        for (mean, time) in means.iter_mut().zip(of_query) {
            *mean += time.as_secs_f64() * 1e6 / times.len() as f64;
        }
    }
    means
}

/// Notes in `times` how long the parser alone and each step of a check take for one query at best. A check is these three steps,
/// one after the other, and nothing else; what they need no more they drop themselves.
fn time(sql: &str, snapshot: &Snapshot, times: &mut [Duration; 4]) {
    let draft = DraftSql::new(sql);
    for _ in 0..ROUNDS {
        let [library, parse, resolve, write_out] = &mut *times;
        // Twice: the first finds the memory as the round before left it, the second as a first parse left it.
        for _ in 0..2 {
            timed(library, || pg_query::parse(sql, 0).expect("a tree"));
        }
        let parsed = timed(parse, || guard::parse(&draft).expect("a tree"));
        let resolved = timed(resolve, || {
            parsed.resolve(snapshot).expect("an allowed query")
        });
        timed(write_out, || resolved.write_out().expect("a text"));
    }
}

/// Does one thing and notes in `shortest` how long it took, without the time to drop what it gives.
fn timed<T>(shortest: &mut Duration, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let outcome = black_box(work());
    *shortest = started.elapsed().min(*shortest);
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
