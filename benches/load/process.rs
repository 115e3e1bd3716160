//! Servers as processes of their own, so that their time and memory can be told apart: this program once more, in another role.
//!
//! A server prints its address, then serves until its standard input ends, which it does when whoever started it is gone.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What `/proc` counts time in: hundredths of a second, on every architecture (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// A running server; dropped, it is gone.
pub(crate) struct ServerProcess {
    child: Child,
    address: SocketAddr,
}

impl ServerProcess {
    /// Starts this program in a role and waits until it listens.
    pub(crate) fn start(role: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(role)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Logs are written, as in earnest, but nobody wants to read them here.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().parse();
        let address = address.unwrap_or_else(|_| panic!("{role} does not start: {line:?}"));
        Self { child, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// On all its threads, in its own code and in the kernel's for it.
    pub(crate) fn cpu_time(&self) -> Duration {
        Stat::of(self.child.id()).unwrap().cpu_time
    }

    pub(crate) fn resident_bytes(&self) -> usize {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
        kibibytes.parse::<usize>().unwrap() * 1024
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What this process has used so far.
pub(crate) fn own_cpu_time() -> Duration {
    Stat::of(std::process::id()).unwrap().cpu_time
}

/// What all processes called `postgres` that descend from this one have used so far. Those that have ended count as well, as long as
/// the one that started them lives.
pub(crate) fn postgres_cpu_time() -> Duration {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // One that ends meanwhile is counted by its parent.
    let stats: BTreeMap<u32, Stat> = ids.filter_map(|id| Some((id, Stat::of(id)?))).collect();
    let own = std::process::id();
    let is_ours = |stat: &Stat| {
        let ancestors = std::iter::successors(Some(stat), |stat| stats.get(&stat.parent));
        stat.name == "postgres" && ancestors.into_iter().any(|stat| stat.parent == own)
    };
    let ours = stats.values().filter(|stat| is_ours(stat));
    ours.map(|stat| stat.cpu_time + stat.children_cpu_time)
        .sum()
}

/// One line of `/proc/PID/stat`.
struct Stat {
    name: String,
    parent: u32,
    cpu_time: Duration,
    /// Of children that have ended and been waited for.
    children_cpu_time: Duration,
}

impl Stat {
    /// `None`: there is no such process.
    fn of(id: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name in parentheses may hold anything.
        let (name, rest) = stat.rsplit_once(')')?;
        let (_, name) = name.split_once('(')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // Numbered as in proc(5), where the field after the name is the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u32>().ok();
        Some(Self {
            name: name.to_owned(),
            parent: field(4)?,
            cpu_time: TICK * (field(14)? + field(15)?),
            children_cpu_time: TICK * (field(16)? + field(17)?),
        })
    }
}

/// Of the last minute, of the last five and of the last fifteen.
pub(crate) fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap();
    text.split_whitespace()
        .take(3)
        .collect::<Vec<_>>()
        .join(" ")
}

/// For the servers: says where, and returns a token that fires when whoever started this process is gone.
pub(crate) fn announce(tasks: &TaskTracker, address: SocketAddr) -> CancellationToken {
    println!("{address}");
    let parent_left = CancellationToken::new();
    let token = parent_left.clone();
    tasks.spawn_blocking(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        token.cancel();
    });
    parent_left
}
