//! A Redis Cluster of three masters, each with a third of the slots.

use std::ffi::OsString;

use tempfile::TempDir;

use super::process::{Process, free_port, redis_cli, server_arguments};
use crate::support::turns::PATIENCE;

const NODES: usize = 3;

/// Redis puts the port of the cluster's bus this far above that of the clients.
const BUS_OFFSET: u16 = 10_000;

/// A running cluster without persistence.
pub(crate) struct RedisCluster {
    nodes: Vec<Node>,
    /// Holds what the nodes write about each other.
    _directory: TempDir,
}

struct Node {
    port: u16,
    _process: Process,
}

impl RedisCluster {
    /// A new, empty cluster in which every slot is served.
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut nodes = Vec::new();
        while nodes.len() < NODES {
            nodes.extend(Node::start(&directory).await);
        }
        let addresses: Vec<String> = nodes.iter().map(Node::address).collect();
        let mut create = vec!["--cluster", "create"];
        create.extend(addresses.iter().map(String::as_str));
        create.push("--cluster-yes");
        redis_cli(nodes[0].port, &create).await.unwrap();
        let cluster = Self {
            nodes,
            _directory: directory,
        };
        let served = async {
            loop {
                let states = cluster.on_each_node(&["CLUSTER", "INFO"]).await;
                if states
                    .iter()
                    .all(|state| state.contains("cluster_state:ok"))
                {
                    return;
                }
            }
        };
        tokio::time::timeout(PATIENCE, served)
            .await
            .expect("a cluster in time");
        cluster
    }

    /// Its address as `REDIS_URL`: one node tells of the others.
    pub(crate) fn url(&self) -> String {
        format!("redis-cluster://{}", self.nodes[0].address())
    }

    /// Runs one command with `redis-cli` on the node that has its key.
    pub(crate) async fn command(&self, arguments: &[&str]) -> String {
        let arguments = [&["-c"], arguments].concat();
        redis_cli(self.nodes[0].port, &arguments).await.unwrap()
    }

    /// Runs one command on every node.
    pub(crate) async fn on_each_node(&self, arguments: &[&str]) -> Vec<String> {
        let mut answers = Vec::new();
        for node in &self.nodes {
            answers.push(redis_cli(node.port, arguments).await.unwrap());
        }
        answers
    }

    /// Begins to move the slot of a key to another node, its keys first: the node that has the slot still answers for
    /// what it has, and sends clients on with what it has not (`ASK`).
    pub(crate) async fn begin_to_move(&self, key: &str) -> MovingSlot<'_> {
        let slot = self.command(&["CLUSTER", "KEYSLOT", key]).await;
        let mut owner = None;
        for node in &self.nodes {
            let here = redis_cli(node.port, &["CLUSTER", "COUNTKEYSINSLOT", &slot]).await;
            if here.unwrap() != "0" {
                owner = Some(node);
            }
        }
        let from = owner.expect("a node that has the key");
        let mut others = self.nodes.iter().filter(|node| node.port != from.port);
        let to = others.next().expect("another node");
        let (from_id, to_id) = (from.id().await, to.id().await);
        let importing = ["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id];
        redis_cli(to.port, &importing).await.unwrap();
        let migrating = ["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id];
        redis_cli(from.port, &migrating).await.unwrap();
        let moving = MovingSlot {
            cluster: self,
            from,
            to,
            slot,
            to_id,
        };
        moving.migrate_keys().await;
        moving
    }
}

/// A slot on its way.
pub(crate) struct MovingSlot<'a> {
    cluster: &'a RedisCluster,
    from: &'a Node,
    to: &'a Node,
    slot: String,
    to_id: String,
}

impl MovingSlot<'_> {
    /// Ends the move: clients that ask the old node are told where the slot is now (`MOVED`).
    pub(crate) async fn finish(self) {
        self.migrate_keys().await;
        let assign = ["CLUSTER", "SETSLOT", &self.slot, "NODE", &self.to_id];
        // The new owner first, so that nobody is sent in circles.
        let mut nodes: Vec<&Node> = self.cluster.nodes.iter().collect();
        nodes.sort_by_key(|node| node.port != self.to.port);
        for node in nodes {
            redis_cli(node.port, &assign).await.unwrap();
        }
    }

    async fn migrate_keys(&self) {
        let in_slot = ["CLUSTER", "GETKEYSINSLOT", &self.slot, "1000"];
        let keys = redis_cli(self.from.port, &in_slot).await.unwrap();
        let port = self.to.port.to_string();
        let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        migrate.extend(keys.lines());
        if !keys.is_empty() {
            redis_cli(self.from.port, &migrate).await.unwrap();
        }
    }
}

impl Node {
    /// `None` when one of its ports was taken.
    async fn start(directory: &TempDir) -> Option<Self> {
        let port = free_port();
        if port > u16::MAX - BUS_OFFSET {
            return None;
        }
        let mut arguments = server_arguments(port);
        let cluster =
            format!("--cluster-enabled yes --cluster-config-file nodes-{port}.conf --dir");
        arguments.extend(cluster.split(' ').map(OsString::from));
        arguments.push(directory.path().into());
        let process = Process::start(arguments).await?;
        Some(Self {
            port,
            _process: process,
        })
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    async fn id(&self) -> String {
        redis_cli(self.port, &["CLUSTER", "MYID"]).await.unwrap()
    }
}
