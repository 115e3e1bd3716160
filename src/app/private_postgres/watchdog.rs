//! The shell process that cleans up when the pipe from db-chat closes, whatever closed it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::User;
use tokio::process::{Child, ChildStdin};

use super::PrivatePostgresError;
use super::programs::command;

/// `$1` is the directory, `$2` where `pg_ctl` is. Ctrl-C reaches every process of a terminal's group, so
/// the watchdog ignores what would end it. It tries again because `initdb` may still be writing.
const WATCHDOG: &str = r#"
trap '' HUP INT QUIT TERM
read -r closed
tries=30
while [ -e "$1" ] && [ "$tries" -gt 0 ]; do
    [ -e "$1/data/postmaster.pid" ] && "$2/pg_ctl" stop -m immediate -w -t 10 -D "$1/data"
    rm -rf "$1"
    [ -e "$1" ] && sleep 1
    tries=$((tries - 1))
done
"#;

/// The process that cleans up.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// What it will remove.
    pub(super) directory: PathBuf,
    process: Child,
    /// Closing this tells the watchdog to begin.
    alive: Option<ChildStdin>,
}

impl Watchdog {
    /// From here on `directory` is the watchdog's to remove.
    pub(super) fn spawn(
        directory: tempfile::TempDir,
        programs: &Path,
        user: Option<&User>,
    ) -> Result<Self, PrivatePostgresError> {
        let mut process = command(Path::new("/bin/sh"), directory.path(), user)
            .args(["-c", WATCHDOG, "db-chat-watchdog"])
            .arg(directory.path())
            .arg(programs)
            // Not in the directory that it removes.
            .current_dir("/")
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|source| PrivatePostgresError::Program {
                program: "/bin/sh".to_owned(),
                source,
            })?;
        Ok(Self {
            alive: process.stdin.take(),
            process,
            directory: directory.keep(),
        })
    }

    /// Has it stop the server and remove the directory, now.
    pub(super) fn begin(&mut self) {
        drop(self.alive.take());
    }

    /// Waits until it is done, or has given up.
    pub(super) async fn ended(&mut self) -> io::Result<()> {
        self.process.wait().await.map(|_| ())
    }
}
