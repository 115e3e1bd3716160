//! How db-chat carries load, next to a bare relay in the same run: questions per second, CPU per question, time to the first
//! token, delay of each token, memory of an idle connection; and how soon it says something to thousands that ask at once.
//!
//! The bare relay (`bare.rs`) is what is left without db-chat: actix-ws, reqwest and eventsource-stream, the same two calls to the
//! same provider for each question. db-chat has everything on: a real PostgreSQL, the guard, conversations, the audit log, logs.
//! Provider, relay and db-chat are a process each, the clients are this one, and all share the machine, so it is the ratios
//! that mean something. `make bench` runs it; whole takes about two minutes.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and has nobody to report to"
)]

mod bare;
mod client;
mod db_chat_server;
mod process;
mod provider;
mod quantiles;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use db_chat::app::demo;
use db_chat::app::private_postgres::PrivatePostgres;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use secrecy::ExposeSecret;
use tokio::sync::{Barrier, Semaphore};
use tokio::task::JoinSet;

use client::{Client, Pace};
use process::ServerProcess;
use quantiles::quantile;

/// How long each load lasts; the two servers take turns, so that what else the machine does meets both.
const LOAD_TIME: Duration = Duration::from_secs(6);
const LOAD_ROUNDS: usize = 2;

/// A model that writes 100 tokens a second, and one that is not there: the servers are all that takes time.
const LOADS: [(&str, usize, Pace); 3] = [
    (
        "20 clients, 10 ms a token",
        20,
        Pace {
            microseconds: 10_000,
            tokens: 60,
        },
    ),
    (
        "100 clients, 10 ms a token",
        100,
        Pace {
            microseconds: 10_000,
            tokens: 60,
        },
    ),
    (
        "20 clients, flat out",
        20,
        Pace {
            microseconds: 0,
            tokens: 60,
        },
    ),
];

const IDLE_CONNECTIONS: usize = 5_000;

/// How many ask at once: the first is what the second is held against.
const BURSTS: [usize; 2] = [100, 2_000];
const BURST_PACE: Pace = Pace {
    microseconds: 10_000,
    tokens: 10,
};

/// Handshakes under way at once: fewer than a listener queues.
const HANDSHAKES_MAX: usize = 128;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let role = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            match role.as_str() {
                provider::ROLE => provider::run().await,
                bare::ROLE => bare::run(&rest).await,
                db_chat_server::ROLE => db_chat_server::run(&rest).await,
                // Cargo passes `--bench`.
                _ => report().await,
            }
        });
}

async fn report() {
    let files = raise_files_limit();
    let postgres = PrivatePostgres::start().await.unwrap();
    let database = demo::create(&postgres).await.unwrap();
    let provider = ServerProcess::start(provider::ROLE, &[]);
    let upstream = format!("http://{}", provider.address());
    let start_bare = || ServerProcess::start(bare::ROLE, &[&upstream]);
    let start_db_chat = || {
        let urls = [&database.url, &database.state_url].map(|url| url.expose_secret());
        ServerProcess::start(db_chat_server::ROLE, &[&upstream, urls[0], urls[1]])
    };

    println!("load average before: {}", process::load_average());
    compare_idle(&start_bare(), &start_db_chat(), files).await;

    let (bare, db_chat) = (start_bare(), start_db_chat());
    for (name, clients, pace) in LOADS {
        compare_load(name, &bare, &db_chat, clients, pace).await;
    }
    drop(bare);
    drop(db_chat);

    burst(&start_db_chat(), files).await;
    println!("load average after: {}", process::load_average());
    drop(provider);
    postgres.stop().await.unwrap();
}

/// As many open files as this process may have; the servers inherit it. Gives how many connections that is enough for.
fn raise_files_limit() -> usize {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    usize::try_from(hard)
        .unwrap_or(usize::MAX)
        .saturating_sub(500)
}

/// What an open connection that says nothing costs each server.
async fn compare_idle(bare: &ServerProcess, db_chat: &ServerProcess, files: usize) {
    let count = IDLE_CONNECTIONS.min(files);
    println!("\n{count} idle connections: resident bytes for each");
    let mut costs = Vec::new();
    for (name, server) in [("bare relay", bare), ("db-chat", db_chat)] {
        // What is made once, for the first connections, is no connection's own.
        drop(connect_all(server, 64).await);
        let before = server.resident_bytes();
        let clients = connect_all(server, count).await;
        let cost = server.resident_bytes().saturating_sub(before) as f64 / count as f64;
        drop(clients);
        println!("{name:<16}{cost:>12.0}");
        costs.push(cost);
    }
    println!("{:<16}{:>12.2}", "ratio", costs[1] / costs[0]);
}

/// Connections that have been greeted.
async fn connect_all(server: &ServerProcess, count: usize) -> Vec<Client> {
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let address = server.address();
    let mut connecting = JoinSet::new();
    for _ in 0..count {
        let places = Arc::clone(&places);
        connecting.spawn(async move {
            let _place = places.acquire().await.unwrap();
            Client::connect(address).await
        });
    }
    connecting.join_all().await
}

/// What one server did under one load.
#[derive(Default)]
struct Load {
    questions: usize,
    elapsed: Duration,
    cpu: Duration,
    first_token: Vec<Duration>,
    token_delay: Vec<Duration>,
}

async fn compare_load(
    name: &str,
    bare: &ServerProcess,
    db_chat: &ServerProcess,
    clients: usize,
    pace: Pace,
) {
    println!(
        "\n{name:<28}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}",
        "questions/s", "CPU ms each", "1st tok p50", "1st tok p99", "delay p50", "delay p99"
    );
    let mut loads = [Load::default(), Load::default()];
    for _ in 0..LOAD_ROUNDS {
        for (load, server) in loads.iter_mut().zip([bare, db_chat]) {
            put_load(load, server, clients, pace).await;
        }
    }
    let [bare, db_chat] = loads.map(figures);
    row("bare relay", &bare, 2);
    row("db-chat", &db_chat, 2);
    let ratios: Vec<f64> = db_chat.iter().zip(&bare).map(|(a, b)| a / b).collect();
    row("ratio", &ratios, 2);
}

/// Each client asks its next question as soon as it has the answer to the last.
async fn put_load(load: &mut Load, server: &ServerProcess, clients: usize, pace: Pace) {
    let clients = connect_all(server, clients).await;
    let (cpu_before, started) = (server.cpu_time(), Instant::now());
    let mut asking = JoinSet::new();
    for mut client in clients {
        asking.spawn(async move {
            let mut told = Vec::new();
            while started.elapsed() < LOAD_TIME {
                told.push(client.ask(pace).await);
            }
            told
        });
    }
    for told in asking.join_all().await.into_iter().flatten() {
        assert_eq!(told.error, None);
        assert_eq!(told.token_delays.len(), pace.tokens);
        load.questions += 1;
        load.first_token.extend(told.first_token);
        load.token_delay.extend(told.token_delays);
    }
    load.elapsed += started.elapsed();
    load.cpu += server.cpu_time() - cpu_before;
}

fn figures(mut load: Load) -> Vec<f64> {
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    vec![
        load.questions as f64 / load.elapsed.as_secs_f64(),
        milliseconds(load.cpu) / load.questions as f64,
        milliseconds(quantile(&mut load.first_token, 0.5)),
        milliseconds(quantile(&mut load.first_token, 0.99)),
        milliseconds(quantile(&mut load.token_delay, 0.5)),
        milliseconds(quantile(&mut load.token_delay, 0.99)),
    ]
}

fn row(name: &str, figures: &[f64], digits: usize) {
    let mut cells = String::new();
    for figure in figures {
        let _ = write!(cells, "{figure:>12.digits$}");
    }
    println!("{name:<28}{cells}");
}

/// How soon everybody hears that work on the question has begun, and what becomes of the questions.
async fn burst(server: &ServerProcess, files: usize) {
    println!(
        "\n{:<28}{:>12}{:>12}{:>12}  outcomes",
        "ask at once, first status", "p50 ms", "p99 ms", "max ms"
    );
    // The first questions of a process wait for connections to PostgreSQL and the provider.
    ask_at_once(server, BURSTS[0]).await;
    let mut tails = Vec::new();
    for count in BURSTS {
        let count = count.min(files);
        let (mut delays, outcomes) = ask_at_once(server, count).await;
        let figures =
            [0.5, 0.99, 1.0].map(|share| quantile(&mut delays, share).as_secs_f64() * 1e3);
        let mut cells = String::new();
        for figure in figures {
            let _ = write!(cells, "{figure:>12.1}");
        }
        println!(
            "{:<28}{cells}  {outcomes:?}",
            format!("{count} connections")
        );
        tails.push(figures[1]);
    }
    println!("{:<28}{:>24.2}", "ratio", tails[1] / tails[0]);
}

async fn ask_at_once(
    server: &ServerProcess,
    count: usize,
) -> (Vec<Duration>, BTreeMap<String, usize>) {
    let barrier = Arc::new(Barrier::new(count));
    let mut asking = JoinSet::new();
    for mut client in connect_all(server, count).await {
        let barrier = Arc::clone(&barrier);
        asking.spawn(async move {
            barrier.wait().await;
            client.ask(BURST_PACE).await
        });
    }
    let mut delays = Vec::with_capacity(count);
    let mut outcomes = BTreeMap::new();
    for told in asking.join_all().await {
        delays.extend(told.first_status);
        let outcome = told.error.unwrap_or_else(|| "answered".to_owned());
        *outcomes.entry(outcome).or_default() += 1;
    }
    (delays, outcomes)
}
