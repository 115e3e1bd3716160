//! `db-chat serve` as a process of its own, for what belongs to a whole process: its memory and its trust in certificates.

use std::fs::File;
use std::net::SocketAddr;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::raw::exchange;
use super::turns::PATIENCE;

/// The name of the file that it logs to.
const LOG: &str = "log";

/// The process; it is killed when this is dropped.
pub(crate) struct ServeProcess {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    process: Child,
    /// Holds the log and nothing else, so that no settings file is found there.
    directory: TempDir,
}

impl ServeProcess {
    /// Starts it on a free port with nothing in its environment but these variables.
    pub(crate) async fn start(variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let log = File::create(directory.path().join(LOG)).expect("a file");
        let mut process = Command::new(env!("CARGO_BIN_EXE_db-chat"))
            .args(["serve", "--bind", "127.0.0.1:0"])
            .current_dir(directory.path())
            .env_clear()
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let stdout = process.stdout.take().expect("a pipe");
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await;
        let line = line.expect("a line in time").expect("a readable line");
        let line = line.expect("a line before the end");
        let (_, rest) = line.split_once("http://").expect("an address");
        let address = rest.trim_end_matches('/').parse().expect("an address");
        Self {
            address,
            process,
            directory,
        }
    }

    /// Kills it, as a crash would.
    pub(crate) async fn kill(&mut self) {
        self.process.kill().await.expect("a process");
    }

    /// Has it end as an operator would, and holds it to a good end.
    pub(crate) async fn stop(&mut self) {
        self.terminate();
        self.ended_well().await;
    }

    /// Tells it to end, as an operator would.
    pub(crate) fn terminate(&self) {
        let id = Pid::from_raw(i32::try_from(self.id()).expect("a process id"));
        kill(id, Signal::SIGTERM).expect("a process");
    }

    /// Waits for its end, which must be a good one.
    pub(crate) async fn ended_well(&mut self) {
        let status = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        assert!(status.expect("an end in time").expect("a status").success());
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join(LOG)).expect("the log")
    }

    /// The most memory that it has ever held at once, in bytes, as Linux counts it.
    pub(crate) fn memory_peak_bytes(&self) -> usize {
        self.status_bytes("VmHWM:")
    }

    /// How many files and sockets it has open.
    pub(crate) fn open_files(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.id()));
        files.expect("a living process").count()
    }

    /// What a series of its `/metrics` without labels stands at. The connection that asks is gone when this returns.
    pub(crate) async fn metric(&self, name: &str) -> i64 {
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let response = exchange(self.address, request.as_bytes()).await;
        let value = response
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in {response}"))
    }

    /// Waits until a series stands at `wanted`.
    pub(crate) async fn metric_falls_to(&self, name: &str, wanted: i64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.metric(name).await;
            if value == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "{name} stays at {value}");
        }
    }

    fn id(&self) -> u32 {
        self.process.id().expect("a living process")
    }

    fn status_bytes(&self, field: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()));
        let status = status.expect("a living process");
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kibibytes: usize = kibibytes.and_then(|text| text.parse().ok()).expect("kB");
        kibibytes * 1_024
    }
}
