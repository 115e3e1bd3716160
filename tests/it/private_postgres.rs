//! The throwaway server: it answers, keeps strangers out, and leaves nothing behind.

use std::fs::Permissions;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use db_chat::app::private_postgres::PrivatePostgres;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

#[tokio::test]
async fn a_private_server_answers_on_a_port_of_its_own() {
    let first = PrivatePostgres::start().await.unwrap();
    let second = PrivatePostgres::start().await.unwrap();
    assert_ne!(first.port(), second.port());
    assert_eq!(ask(&first.admin_url("postgres")).await.unwrap(), "UTC");
    assert_eq!(ask(&second.admin_url("postgres")).await.unwrap(), "UTC");
    first.stop().await.unwrap();
    second.stop().await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let postgres = PrivatePostgres::start().await.unwrap();
    let url = postgres.url("postgres", &"guess".into(), "postgres");
    let error = ask(&url).await.unwrap_err();
    assert_eq!(
        error.code(),
        Some(&tokio_postgres::error::SqlState::INVALID_PASSWORD)
    );
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn stopping_leaves_neither_server_nor_directory() {
    let postgres = PrivatePostgres::start().await.unwrap();
    let (directory, url) = (
        postgres.directory().to_owned(),
        postgres.admin_url("postgres"),
    );
    assert!(directory.exists());
    postgres.stop().await.unwrap();
    assert!(!directory.exists());
    assert!(ask(&url).await.is_err());
}

#[tokio::test]
async fn dropping_leaves_neither_server_nor_directory() {
    let postgres = PrivatePostgres::start().await.unwrap();
    let (directory, url) = (
        postgres.directory().to_owned(),
        postgres.admin_url("postgres"),
    );
    drop(postgres);
    wait_until_gone(&directory).await;
    assert!(ask(&url).await.is_err());
}

#[tokio::test]
async fn killing_the_demo_leaves_neither_server_nor_directory() {
    let mut demo = Demo::start().await;
    demo.end(Signal::SIGKILL).await;
    wait_until_gone(&demo.private_directory).await;
    assert_eq!(demo.files_count(), 0);
    assert!(TcpStream::connect(("127.0.0.1", demo.private_port)).is_err());
}

#[tokio::test]
async fn the_demo_is_not_over_before_its_server_is_gone() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut demo = Demo::start().await;
        demo.end(signal).await;
        assert_eq!(demo.files_count(), 0, "{signal}");
        assert!(TcpStream::connect(("127.0.0.1", demo.private_port)).is_err());
    }
}

/// `db-chat demo`, with a folder for temporary files that only it uses.
struct Demo {
    process: Child,
    temporary: TempDir,
    private_directory: std::path::PathBuf,
    private_port: u16,
}

impl Demo {
    async fn start() -> Self {
        // Like the system's own: whoever the server runs as may use it.
        let temporary = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o1777))
            .tempdir()
            .unwrap();
        // The umask may have taken some of it away.
        std::fs::set_permissions(temporary.path(), Permissions::from_mode(0o1777)).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_db-chat"))
            .args(["demo", "--bind", "127.0.0.1:0"])
            .env("TMPDIR", temporary.path())
            .env("LLM_PROVIDER", "offline")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = tokio::time::timeout(Duration::from_secs(120), lines.next_line());
        let line = ready.await.unwrap().unwrap().unwrap();
        assert!(line.contains("http://127.0.0.1:"), "{line}");

        let private_directory = std::fs::read_dir(temporary.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.join("data").exists())
            .unwrap();
        let pid_file = private_directory.join("data/postmaster.pid");
        let pid_file = std::fs::read_to_string(pid_file).unwrap();
        let private_port = pid_file.lines().nth(3).unwrap().parse().unwrap();
        assert!(TcpStream::connect(("127.0.0.1", private_port)).is_ok());
        Self {
            process,
            temporary,
            private_directory,
            private_port,
        }
    }

    async fn end(&mut self, signal: Signal) {
        let pid = i32::try_from(self.process.id().unwrap()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(60), self.process.wait());
        let status = ended.await.unwrap().unwrap();
        assert_eq!(status.success(), signal != Signal::SIGKILL, "{status}");
    }

    fn files_count(&self) -> usize {
        std::fs::read_dir(self.temporary.path()).unwrap().count()
    }
}

async fn ask(url: &SecretString) -> Result<String, tokio_postgres::Error> {
    let (client, connection) =
        tokio_postgres::connect(url.expose_secret(), tokio_postgres::NoTls).await?;
    tokio::select! {
        row = client.query_one("SELECT current_setting('TimeZone')", &[]) => Ok(row?.get(0)),
        ended = connection => match ended {
            Ok(()) => panic!("the connection ended before its client"),
            Err(error) => Err(error),
        },
    }
}

async fn wait_until_gone(directory: &Path) {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    let gone = async {
        while directory.exists() {
            look.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone)
        .await
        .unwrap_or_else(|_| panic!("{} stays", directory.display()));
}
