//! One `redis-server` process, of whichever role: gone when the test is, however the test ends.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// Starts a Redis, says how it fares, and ends it as soon as its standard input does: that is when
/// the test drops it, and also when the test process is killed.
const WATCHDOG: &str = r#"
redis-server "$@" < /dev/null &
redis=$!
read -r _
kill -KILL "$redis"
wait "$redis"
"#;

const START_TIMEOUT: Duration = Duration::from_secs(20);

/// What a server and a sentinel say when they listen.
const READY: [&str; 2] = ["Ready to accept connections", "+monitor master"];

/// The process; dropping it kills it.
pub(super) struct Process {
    watchdog: Child,
    stdin: ChildStdin,
}

impl Process {
    /// Starts one with these arguments; `None` when it ended instead of listening, as it does where its port is taken.
    pub(super) async fn start(arguments: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "sh"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = watchdog.stdin.take().unwrap();
        let mut log = BufReader::new(watchdog.stdout.take().unwrap()).lines();
        let process = Self { watchdog, stdin };
        let ready = async {
            while let Some(line) = log.next_line().await.unwrap() {
                if READY.iter().any(|words| line.contains(words)) {
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
        if ready {
            return Some(process);
        }
        process.kill().await;
        None
    }

    /// Kills it at once, as a crash would. Returns when its port is closed.
    pub(super) async fn kill(self) {
        let Self {
            mut watchdog,
            stdin,
        } = self;
        drop(stdin);
        watchdog.wait().await.unwrap();
    }
}

/// The arguments of every server; it keeps nothing, where no later ones say otherwise.
pub(super) fn server_arguments(port: u16) -> Vec<OsString> {
    let arguments = format!("--port {port} --bind 127.0.0.1 --appendonly no --save");
    let arguments = arguments.split(' ').chain([""]);
    arguments.map(OsString::from).collect()
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port()
}

/// Runs `redis-cli` against a port; gives what it prints, without the line end, and what it complains about.
pub(super) async fn redis_cli(port: u16, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("redis-cli")
        .args(["-p", &port.to_string()])
        .args(arguments)
        .output()
        .await
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let printed = printed.trim_end().to_owned();
    match output.status.success() {
        true => Ok(printed),
        false => Err(printed + &String::from_utf8_lossy(&output.stderr)),
    }
}
