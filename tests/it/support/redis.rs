//! A Redis of the test's own: started on a free port, gone when the test is, however the test ends.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// Starts a Redis, says how it fares, and ends it as soon as its standard input does: that is when
/// the test drops it, and also when the test process is killed.
const WATCHDOG: &str = r#"
redis-server --port "$1" --bind 127.0.0.1 --save '' --appendonly "$2" --appendfsync always --dir "$3" < /dev/null &
redis=$!
read -r _
kill -KILL "$redis"
wait "$redis"
"#;

const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A running Redis. What it held is gone once it is stopped, unless it was told to keep it.
pub(crate) struct RedisServer {
    port: u16,
    directory: TempDir,
    keeps_data: bool,
    process: Option<(Child, ChildStdin)>,
}

impl RedisServer {
    /// A new, empty Redis that accepts connections.
    pub(crate) async fn start() -> Self {
        loop {
            let mut server = Self {
                port: free_port(),
                directory: tempfile::tempdir().expect("a directory"),
                keeps_data: false,
                process: None,
            };
            // Another process may have taken the port in between.
            if server.try_start().await {
                return server;
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its address as `REDIS_URL`.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Kills it at once, as a crash would. Returns when the port is closed.
    pub(crate) async fn kill(&mut self) {
        if let Some((mut watchdog, stdin)) = self.process.take() {
            drop(stdin);
            watchdog.wait().await.unwrap();
        }
    }

    /// From now on it has every write on disk before it answers.
    pub(crate) async fn keep_data(&mut self) {
        let answer = self.command(&["CONFIG", "SET", "appendonly", "yes"]).await;
        assert_eq!(answer, "OK");
        // What it held before is being written; a restart would not find it until that is done.
        while !self
            .command(&["INFO", "persistence"])
            .await
            .contains("aof_rewrite_in_progress:0")
        {}
        self.keeps_data = true;
    }

    /// Starts it again after [`kill`](Self::kill) on the same port, empty unless it keeps its data.
    pub(crate) async fn start_again(&mut self) {
        assert!(self.try_start().await, "port {} was taken", self.port);
    }

    /// Runs one command with `redis-cli`; gives what it prints, without the line end.
    pub(crate) async fn command(&self, arguments: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(arguments)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    /// `false` when Redis ended instead of listening.
    async fn try_start(&mut self) -> bool {
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "sh", &self.port.to_string()])
            .arg(if self.keeps_data { "yes" } else { "no" })
            .arg(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = watchdog.stdin.take().unwrap();
        let mut log = BufReader::new(watchdog.stdout.take().unwrap()).lines();
        let ready = async {
            while let Some(line) = log.next_line().await.unwrap() {
                if line.contains("Ready to accept connections") {
                    return true;
                }
                if line.contains("Failed listening") {
                    return false;
                }
            }
            false
        };
        let ready = tokio::time::timeout(START_TIMEOUT, ready)
            .await
            .expect("redis-server did not start; is it installed?");
        self.process = Some((watchdog, stdin));
        if !ready {
            self.kill().await;
        }
        ready
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port()
}
