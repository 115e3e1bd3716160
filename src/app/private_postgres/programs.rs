//! PostgreSQL's own programs: where they are, and as whom and how to run one.
//!
//! It must not know what they are run for.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::{Uid, User};
use tokio::process::Command;

use super::PrivatePostgresError;

/// The folder that holds the server's programs: from PATH, or the newest of the usual places.
pub(super) async fn find_programs() -> Result<PathBuf, PrivatePostgresError> {
    // The shell looks at PATH for us; the environment is read in `config` only.
    let on_path = Command::new("/bin/sh")
        .args(["-c", "command -v postgres || command -v initdb"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .await
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .and_then(|path| std::fs::canonicalize(path.trim()).ok())
        .and_then(|path| path.parent().map(Path::to_owned));
    on_path
        .into_iter()
        .chain(usual_places())
        .find(|folder| {
            ["initdb", "postgres", "pg_ctl"]
                .iter()
                .all(|program| folder.join(program).is_file())
        })
        .ok_or(PrivatePostgresError::NotInstalled)
}

/// `bin` folders of Debian, Red Hat and Homebrew (Apple silicon, Intel, Linux), newest version first.
fn usual_places() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
        ("/home/linuxbrew/.linuxbrew/opt", "postgresql@"),
    ]
    .into_iter()
    .flat_map(|(parent, prefix)| {
        std::fs::read_dir(parent)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(move |entry| {
                let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse();
                Some((version.ok()?, entry.path().join("bin")))
            })
    })
    .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// Whom to run the server as when db-chat is root; `None`: as db-chat itself.
pub(super) fn unprivileged_user() -> Result<Option<User>, PrivatePostgresError> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .map(Some)
        .ok_or(PrivatePostgresError::NoUnprivilegedUser)
}

/// A command in `directory`, out of reach of the terminal's Ctrl-C, as `user` where one is given.
pub(super) fn command(program: &Path, directory: &Path, user: Option<&User>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(directory)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Messages in English, and none of the caller's own settings for another server.
        .env("LC_ALL", "C")
        .env_remove("PGDATA")
        .env_remove("PGOPTIONS")
        .env_remove("PGPORT");
    if let Some(user) = user {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}
