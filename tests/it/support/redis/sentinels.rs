//! A master and its replica, watched by three sentinels, which make the replica the master when the master is gone.

use std::ffi::OsString;

use tempfile::TempDir;

use super::process::{Process, free_port, redis_cli, server_arguments};
use crate::support::turns::PATIENCE;

const SENTINELS: usize = 3;

/// What the sentinels call the service.
const NAME: &str = "main";

/// The running processes.
pub(crate) struct WatchedRedis {
    master: Server,
    replica: Server,
    sentinels: Vec<Server>,
    /// Holds the sentinels' files.
    _directory: TempDir,
}

struct Server {
    port: u16,
    process: Option<Process>,
}

impl WatchedRedis {
    /// New, empty ones, ready to fail over.
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let master = Server::start(|port| {
            let mut arguments = server_arguments(port);
            // Otherwise the replica waits for five seconds for another one to join it.
            arguments.extend(["--repl-diskless-sync-delay", "0"].map(OsString::from));
            arguments
        })
        .await;
        let replica = Server::start(|port| {
            let mut arguments = server_arguments(port);
            let replicated = format!("--replicaof 127.0.0.1 {}", master.port);
            arguments.extend(replicated.split(' ').map(OsString::from));
            arguments
        })
        .await;
        // A sentinel learns of replicas when it looks at the master, and then not for ten seconds.
        until(&master, &["INFO", "replication"], |info| {
            info.contains("state=online")
        })
        .await;
        let mut sentinels = Vec::new();
        for _ in 0..SENTINELS {
            let sentinel = Server::start(|port| {
                let file = directory.path().join(format!("sentinel-{port}.conf"));
                let master = master.port;
                let settings = format!(
                    "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {NAME} 127.0.0.1 {master} 2\n\
                     sentinel down-after-milliseconds {NAME} 1000\nsentinel failover-timeout {NAME} 5000\n",
                    directory.path().display()
                );
                std::fs::write(&file, settings).unwrap();
                vec![file.into(), "--sentinel".into()]
            })
            .await;
            sentinels.push(sentinel);
        }
        let watched = Self {
            master,
            replica,
            sentinels,
            _directory: directory,
        };
        for sentinel in &watched.sentinels {
            until(sentinel, &["SENTINEL", "MASTER", NAME], |state| {
                let lines: Vec<&str> = state.lines().collect();
                let is =
                    |name: &str, value: &str| lines.windows(2).any(|pair| pair == [name, value]);
                is("num-slaves", "1") && is("num-other-sentinels", "2") && is("flags", "master")
            })
            .await;
        }
        watched
    }

    /// Its address as `REDIS_URL`.
    pub(crate) fn url(&self) -> String {
        let mut addresses = self.sentinels.iter().map(|sentinel| sentinel.port);
        let first = addresses.next().expect("a sentinel");
        let others: String = addresses
            .map(|port| format!("&node=127.0.0.1:{port}"))
            .collect();
        format!("redis-sentinel://127.0.0.1:{first}?sentinelServiceName={NAME}{others}")
    }

    /// Runs one command with `redis-cli` on the present master.
    pub(crate) async fn command(&self, arguments: &[&str]) -> String {
        let present = match self.master.process {
            Some(_) => &self.master,
            None => &self.replica,
        };
        redis_cli(present.port, arguments).await.unwrap()
    }

    /// Kills the master, as a crash would.
    pub(crate) async fn kill_master(&mut self) {
        let master = self.master.process.take().expect("a master");
        master.kill().await;
    }

    /// Returns when the sentinels have made the replica the master.
    pub(crate) async fn until_promoted(&self) {
        until(&self.replica, &["ROLE"], |role| role.starts_with("master")).await;
    }
}

impl Server {
    /// Starts one on a free port, with the arguments for it.
    async fn start(arguments: impl Fn(u16) -> Vec<OsString>) -> Self {
        loop {
            let port = free_port();
            // Another process may have taken the port in between.
            if let Some(process) = Process::start(arguments(port)).await {
                return Self {
                    port,
                    process: Some(process),
                };
            }
        }
    }
}

/// Asks until the answer is as wanted.
async fn until(server: &Server, question: &[&str], is_wanted: impl Fn(&str) -> bool) {
    let answered = async { while !is_wanted(&redis_cli(server.port, question).await.unwrap()) {} };
    tokio::time::timeout(PATIENCE, answered)
        .await
        .unwrap_or_else(|_| panic!("{question:?} of {}", server.port));
}
