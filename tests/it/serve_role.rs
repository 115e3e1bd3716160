//! The program itself, started with a role that could write where others can reach it.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::support::postgres::TestDatabase;
use super::support::roles::granted;

/// Long enough for a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

fn serve(url: &str, bind: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_db-chat"));
    command
        .args(["serve", "--bind", bind])
        .env("DATABASE_URL", url)
        .env("LLM_PROVIDER", "offline")
        .env_remove("REDIS_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Whether it gets as far as saying where it listens.
async fn listens(mut command: Command) -> bool {
    let mut process = command.spawn().expect("db-chat");
    let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
    let line = line.expect("a word in time").expect("text");
    line.is_some_and(|line| line.contains("http://"))
}

#[tokio::test]
async fn serve_listens_beyond_loopback_with_a_powerful_role_only_when_told_so() {
    let database = TestDatabase::create("CREATE TABLE public.orders (id int)").await;
    let output = serve(&database.url(), "0.0.0.0:0").output();
    let output = tokio::time::timeout(PATIENCE, output).await;
    let output = output.expect("an end in time").expect("db-chat");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    for part in ["superuser", "db-chat grants", "DB_CHAT_ALLOW_UNSAFE_ROLE"] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }

    assert!(listens(serve(&database.url(), "127.0.0.1:0")).await);
    let mut told = serve(&database.url(), "0.0.0.0:0");
    told.env("DB_CHAT_ALLOW_UNSAFE_ROLE", "true")
        .env("DB_CHAT_ALLOW_UNAUTHENTICATED_ACCESS", "true");
    assert!(listens(told).await);
    let reader = granted(&database, "reader_served", "public.*").await;
    let mut served = serve(&reader, "0.0.0.0:0");
    served.env("DB_CHAT_ALLOW_UNAUTHENTICATED_ACCESS", "true");
    assert!(listens(served).await);
}
