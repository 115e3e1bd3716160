//! A Redis of the test's own, on free ports of loopback, gone when the test is, however the test ends: one server, a
//! cluster, or servers watched by sentinels.

mod cluster;
mod process;
mod sentinels;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};

use tempfile::TempDir;

pub(crate) use cluster::RedisCluster;
pub(crate) use sentinels::WatchedRedis;

use process::{Process, free_port, redis_cli, server_arguments};

/// A running Redis. What it held is gone once it is stopped, unless it was told to keep it.
pub(crate) struct RedisServer {
    port: u16,
    directory: TempDir,
    keeps_data: bool,
    process: Option<Process>,
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
        if let Some(process) = self.process.take() {
            process.kill().await;
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
        redis_cli(self.port, arguments).await.unwrap()
    }

    /// `false` when Redis ended instead of listening.
    async fn try_start(&mut self) -> bool {
        let mut arguments = server_arguments(self.port);
        let keeping = if self.keeps_data { "yes" } else { "no" };
        let keeping = format!("--appendonly {keeping} --appendfsync always --dir");
        arguments.extend(keeping.split(' ').map(OsString::from));
        arguments.push(self.directory.path().into());
        self.process = Process::start(arguments).await;
        self.process.is_some()
    }
}

/// What may stand behind a `REDIS_URL`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RedisKind {
    OneServer,
    Cluster,
    Watched,
}

/// A Redis of any kind: what a scenario needs that is to be the same over all of them.
pub(crate) enum AnyRedis {
    OneServer(Box<RedisServer>),
    Cluster(RedisCluster),
    Watched(Box<WatchedRedis>),
}

impl AnyRedis {
    /// A new, empty one.
    pub(crate) async fn start(kind: RedisKind) -> Self {
        match kind {
            RedisKind::OneServer => Self::OneServer(Box::new(RedisServer::start().await)),
            RedisKind::Cluster => Self::Cluster(RedisCluster::start().await),
            RedisKind::Watched => Self::Watched(Box::new(WatchedRedis::start().await)),
        }
    }

    /// Its address as `REDIS_URL`.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::OneServer(server) => server.url(),
            Self::Cluster(cluster) => cluster.url(),
            Self::Watched(watched) => watched.url(),
        }
    }

    /// Runs one command with `redis-cli` where its key is.
    pub(crate) async fn command(&self, arguments: &[&str]) -> String {
        match self {
            Self::OneServer(server) => server.command(arguments).await,
            Self::Cluster(cluster) => cluster.command(arguments).await,
            Self::Watched(watched) => watched.command(arguments).await,
        }
    }

    /// Every key there is.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let keys = match self {
            Self::Cluster(cluster) => cluster.on_each_node(&["KEYS", "*"]).await.join("\n"),
            Self::OneServer(_) | Self::Watched(_) => self.command(&["KEYS", "*"]).await,
        };
        let keys = keys.lines().filter(|key| !key.is_empty());
        keys.map(str::to_owned).collect()
    }

    /// Forgets everything.
    pub(crate) async fn flush(&self) {
        match self {
            Self::Cluster(cluster) => drop(cluster.on_each_node(&["FLUSHALL"]).await),
            Self::OneServer(_) | Self::Watched(_) => drop(self.command(&["FLUSHALL"]).await),
        }
    }
}

/// Each scenario as one test for each kind of Redis; a scenario takes a running one.
macro_rules! with_each_redis {
    ($($scenario:ident)*) => {
        mod on_one_server {
            $(#[tokio::test(flavor = "multi_thread")] async fn $scenario() {
                let kind = crate::support::redis::RedisKind::OneServer;
                super::$scenario(crate::support::redis::AnyRedis::start(kind).await).await;
            })*
        }
        mod on_a_cluster {
            $(#[tokio::test(flavor = "multi_thread")] async fn $scenario() {
                let kind = crate::support::redis::RedisKind::Cluster;
                super::$scenario(crate::support::redis::AnyRedis::start(kind).await).await;
            })*
        }
        mod behind_sentinels {
            $(#[tokio::test(flavor = "multi_thread")] async fn $scenario() {
                let kind = crate::support::redis::RedisKind::Watched;
                super::$scenario(crate::support::redis::AnyRedis::start(kind).await).await;
            })*
        }
    };
}
pub(crate) use with_each_redis;
