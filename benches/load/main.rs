//! How db-chat carries load, next to bare relays in the same run: questions per second, CPU per question, time to the first
//! token, delay of each token, memory of an idle connection; and how soon it says something to thousands that ask at once.
//!
//! The bare relay (`bare.rs`) is what is left without db-chat: actix-ws, reqwest and eventsource-stream, the same two calls to the
//! same provider for each question. A second one also runs the query in PostgreSQL, which tells db-chat's own part from
//! PostgreSQL's. db-chat has everything on: a real PostgreSQL, the guard, conversations, the audit log, logs.
//! Provider, relays and db-chat are a process each, the clients are this one, and all share the machine, so it is the ratios
//! that mean something. `make bench` runs it; whole takes about three minutes. `cargo bench --bench load -- flat` runs the part
//! with that in its name: `idle`, `paced`, `flat` or `burst`.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and has nobody to report to"
)]

mod bare;
mod burst;
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
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use burst::ask_at_once;
use client::{Client, Pace};
use process::{ServerProcess, postgres_cpu_time};
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
const BURST_ROUNDS: usize = 5;
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
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        match role.as_str() {
            provider::ROLE => provider::run().await,
            bare::ROLE => bare::run(&rest).await,
            db_chat_server::ROLE => db_chat_server::run(&rest).await,
            // Cargo passes `--bench`, behind what it was given.
            "--bench" => report("").await,
            part => report(part).await,
        }
    });
}

async fn report(part: &str) {
    let is_wanted = |name: &str| name.contains(part);
    let files = raise_files_limit();
    let postgres = PrivatePostgres::start().await.unwrap();
    let database = demo::create(&postgres).await.unwrap();
    let provider = ServerProcess::start(provider::ROLE, &[]);
    let upstream = format!("http://{}", provider.address());
    let urls = [&database.url, &database.state_url].map(|url| url.expose_secret());
    let start_bare = || ServerProcess::start(bare::ROLE, &[&upstream]);
    let start_asking = || ServerProcess::start(bare::ROLE, &[&upstream, urls[0]]);
    let start_db_chat =
        || ServerProcess::start(db_chat_server::ROLE, &[&upstream, urls[0], urls[1]]);

    println!("load average before: {}", process::load_average());
    if is_wanted("idle") {
        compare_idle(&start_bare(), &start_db_chat(), files).await;
    }
    let servers = [
        ("bare relay", start_bare()),
        ("bare relay + PostgreSQL", start_asking()),
        ("db-chat", start_db_chat()),
    ];
    for (name, clients, pace) in LOADS {
        let part = if pace.microseconds == 0 {
            "flat"
        } else {
            "paced"
        };
        if is_wanted(part) {
            compare_load(name, &servers, &provider, clients, pace).await;
        }
    }
    drop(servers);
    if is_wanted("burst") {
        compare_bursts(&start_bare(), &start_db_chat(), files).await;
    }
    println!("\nload average after: {}", process::load_average());
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
    /// The server's own.
    cpu: Duration,
    /// PostgreSQL's.
    postgres_cpu: Duration,
    /// The provider's and the clients'.
    other_cpu: Duration,
    first_token: Vec<Duration>,
    token_delay: Vec<Duration>,
}

async fn compare_load(
    name: &str,
    servers: &[(&str, ServerProcess); 3],
    provider: &ServerProcess,
    clients: usize,
    pace: Pace,
) {
    println!(
        "\n{name:<28}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}",
        "questions/s",
        "CPU ms each",
        "PostgreSQL",
        "the rest",
        "1st tok p50",
        "1st tok p99",
        "delay p50",
        "delay p99"
    );
    let mut loads: [Load; 3] = std::array::from_fn(|_| Load::default());
    for _ in 0..LOAD_ROUNDS {
        for (load, (_, server)) in loads.iter_mut().zip(servers) {
            put_load(load, server, provider, clients, pace).await;
        }
    }
    let figures = loads.map(figures);
    for ((name, _), figures) in servers.iter().zip(&figures) {
        row(name, figures);
    }
    let [bare, asking, db_chat] = &figures;
    for (name, other) in [
        ("db-chat : bare", bare),
        ("db-chat : with PostgreSQL", asking),
    ] {
        let ratios: Vec<f64> = db_chat.iter().zip(other).map(|(a, b)| a / b).collect();
        row(name, &ratios);
    }
}

/// Each client asks its next question as soon as it has the answer to the last.
async fn put_load(
    load: &mut Load,
    server: &ServerProcess,
    provider: &ServerProcess,
    clients: usize,
    pace: Pace,
) {
    let clients = connect_all(server, clients).await;
    let cpu_times = || {
        let others = provider.cpu_time() + process::own_cpu_time();
        [server.cpu_time(), postgres_cpu_time(), others]
    };
    let (before, started) = (cpu_times(), Instant::now());
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
    let [cpu, postgres_cpu, other_cpu] = cpu_times();
    load.cpu += cpu - before[0];
    load.postgres_cpu += postgres_cpu.saturating_sub(before[1]);
    load.other_cpu += other_cpu - before[2];
}

fn figures(mut load: Load) -> Vec<f64> {
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    let each = |cpu: Duration| milliseconds(cpu) / load.questions as f64;
    vec![
        load.questions as f64 / load.elapsed.as_secs_f64(),
        each(load.cpu),
        each(load.postgres_cpu),
        each(load.other_cpu),
        milliseconds(quantile(&mut load.first_token, 0.5)),
        milliseconds(quantile(&mut load.first_token, 0.99)),
        milliseconds(quantile(&mut load.token_delay, 0.5)),
        milliseconds(quantile(&mut load.token_delay, 0.99)),
    ]
}

fn row(name: &str, figures: &[f64]) {
    let mut cells = String::new();
    for figure in figures {
        let _ = write!(cells, "{figure:>12.2}");
    }
    println!("{name:<28}{cells}");
}

/// How soon everybody hears that work on the question has begun, what becomes of the questions, and by how much longer that
/// takes with many than with few. What the machine itself does to that number shows in the relay's.
async fn compare_bursts(bare: &ServerProcess, db_chat: &ServerProcess, files: usize) {
    println!(
        "\n{:<28}{:>12}{:>12}{:>12}{:>12}  outcomes of all rounds",
        "ask at once, first status", "p50 ms", "p99 ms", "max ms", "asked in ms"
    );
    let mut ratios = Vec::new();
    for (name, server) in [("bare relay", bare), ("db-chat", db_chat)] {
        let mut tails = Vec::new();
        for count in BURSTS {
            let count = count.min(files);
            // The first questions of a process wait for connections to PostgreSQL and the provider.
            drop(ask_at_once(connect_all(server, count).await, BURST_PACE).await);
            let mut rounds = Vec::new();
            let mut outcomes = BTreeMap::new();
            for _ in 0..BURST_ROUNDS {
                let mut burst = ask_at_once(connect_all(server, count).await, BURST_PACE).await;
                let mut quantile = |share| quantile(&mut burst.first_status, share);
                rounds.push([quantile(0.5), quantile(0.99), quantile(1.0), burst.asking]);
                for (outcome, count) in burst.outcomes {
                    *outcomes.entry(outcome).or_insert(0) += count;
                }
            }
            // The middle one of the rounds: a burst is over in a moment, and the machine may have had something else to do.
            let figures = [0, 1, 2, 3].map(|at| {
                let mut of_rounds: Vec<Duration> = rounds.iter().map(|round| round[at]).collect();
                quantile(&mut of_rounds, 0.5).as_secs_f64() * 1e3
            });
            let mut cells = String::new();
            for figure in figures {
                let _ = write!(cells, "{figure:>12.1}");
            }
            println!("{:<28}{cells}  {outcomes:?}", format!("{name}, {count}"));
            tails.push(figures[1]);
        }
        let ratio = tails[1] / tails[0];
        println!("{:<28}{ratio:>24.2}", format!("{name}, ratio"));
        ratios.push(ratio);
    }
    println!("{:<28}{:>24.2}", "ratio of ratios", ratios[1] / ratios[0]);
}
