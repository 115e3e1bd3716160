//! A throwaway PostgreSQL server of our own, for the demo and for tests.
//!
//! In: nothing but the server programs that are installed. Out: a running server on 127.0.0.1, and URLs
//! for it. It must not know what the server is for.
//!
//! Nothing outlives db-chat, however it ends. A destructor cannot promise that (`kill -9` runs none), so
//! a small shell process watches a pipe whose other end only this process holds. The kernel closes that
//! end when the process is gone; then the shell stops the server and removes its directory.

mod programs;
mod watchdog;

use std::fs::Permissions;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::unistd::User;
use secrecy::{ExposeSecret, SecretString};
use tokio::process::Child;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use programs::{command, find_programs, unprivileged_user};
use watchdog::Watchdog;

/// The role that owns the server.
const ADMIN_ROLE: &str = "postgres";

/// A cold machine reads some 100 MB of programs first; a warm one is ready in 0.2 s.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Between two tries to connect while the server starts.
const CONNECT_PAUSE: Duration = Duration::from_millis(20);

/// An immediate stop takes 0.1 s; past this the watchdog is left to finish alone.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// The port is free when it is chosen, but another program can take it before the server does.
const PORT_TRIES_MAX: u32 = 5;

/// A running server. It is stopped and its directory removed by [`stop`](Self::stop), and as well, a
/// moment later, when this value is dropped or the process ends in any way.
#[derive(Debug)]
pub struct PrivatePostgres {
    port: u16,
    password: SecretString,
    server: Child,
    watchdog: Watchdog,
}

impl PrivatePostgres {
    /// Creates an empty server and waits until it takes connections: about a second.
    ///
    /// It listens on a free port of 127.0.0.1 and on nothing else, and lets nobody in without a password.
    /// It is tuned to be small and to forget: no `fsync`, UTC, 32 MB of buffers.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or does not start; the error says what to do.
    ///
    /// # Cancel safety
    /// Dropping the future removes what it has begun.
    pub async fn start() -> Result<Self, PrivatePostgresError> {
        let programs = find_programs().await?;
        let user = unprivileged_user()?;
        let directory = create_directory(user.as_ref())?;
        let mut watchdog = Watchdog::spawn(directory, &programs, user.as_ref())?;
        let password = random_password();

        init_cluster(&watchdog.directory, &programs, user.as_ref(), &password).await?;

        let mut tries_left = PORT_TRIES_MAX;
        loop {
            tries_left -= 1;
            let port = free_port()?;
            let server = spawn_server(&watchdog.directory, &programs, user.as_ref(), port)?;
            let mut postgres = Self {
                port,
                password: password.clone(),
                server,
                watchdog,
            };
            match postgres.wait_until_ready().await {
                Ok(()) => return Ok(postgres),
                Err(PrivatePostgresError::ServerEnded { .. }) if tries_left > 0 => {
                    watchdog = postgres.watchdog;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the server keeps its files; gone when the server is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.watchdog.directory
    }

    /// A URL for the role that may do everything.
    #[must_use]
    pub fn admin_url(&self, database: &str) -> SecretString {
        self.url(ADMIN_ROLE, &self.password, database)
    }

    /// A URL for a role of the caller's making. `role` and `database` are taken as they are: plain
    /// words, which need no escaping.
    #[must_use]
    pub fn url(&self, role: &str, password: &SecretString, database: &str) -> SecretString {
        format!(
            "postgresql://{role}:{}@127.0.0.1:{}/{database}?sslmode=disable",
            password.expose_secret(),
            self.port,
        )
        .into()
    }

    /// Stops the server, removes its directory and waits until both are done.
    ///
    /// # Errors
    /// They are not done in time. The watchdog goes on trying for a while.
    pub async fn stop(mut self) -> Result<(), PrivatePostgresError> {
        self.watchdog.begin();
        let ended = async {
            self.watchdog.ended().await?;
            self.server.wait().await
        };
        match timeout(STOP_TIMEOUT, ended).await {
            Ok(Ok(_)) if !self.directory().exists() => Ok(()),
            Ok(Err(source)) => Err(PrivatePostgresError::Program {
                program: "the watchdog".to_owned(),
                source,
            }),
            Ok(Ok(_)) | Err(_) => Err(PrivatePostgresError::StillThere {
                directory: self.directory().to_owned(),
            }),
        }
    }

    async fn wait_until_ready(&mut self) -> Result<(), PrivatePostgresError> {
        let url = self.admin_url("postgres");
        let ready = async {
            while tokio_postgres::connect(url.expose_secret(), tokio_postgres::NoTls)
                .await
                .is_err()
            {
                sleep(CONNECT_PAUSE).await;
            }
        };
        let ended = tokio::select! {
            ready = timeout(START_TIMEOUT, ready) => ready.is_err(),
            _ = self.server.wait() => true,
        };
        if ended {
            return Err(PrivatePostgresError::ServerEnded {
                log: last_lines(
                    &std::fs::read(self.directory().join("server.log")).unwrap_or_default(),
                ),
            });
        }
        Ok(())
    }
}

/// Why there is no private server.
#[derive(Debug, thiserror::Error)]
pub enum PrivatePostgresError {
    /// `initdb`, `postgres` and `pg_ctl` are nowhere to be found.
    #[error(
        "PostgreSQL's server programs are not installed: {INSTALL_ADVICE}. If they are somewhere else, add their folder to PATH"
    )]
    NotInstalled,
    /// db-chat runs as root, and there is no one else to run PostgreSQL as.
    #[error(
        "PostgreSQL refuses to run as root, and this machine has neither a user `postgres` nor a user `nobody`: start db-chat as another user"
    )]
    NoUnprivilegedUser,
    /// The server's directory.
    #[error("no directory for the private PostgreSQL in {}", parent.display())]
    Directory {
        /// Where it was to be.
        parent: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// No free port.
    #[error("no free port on 127.0.0.1")]
    Port {
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A program that could not be run at all.
    #[error("{program} cannot be run")]
    Program {
        /// Its path.
        program: String,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// `initdb` ended with an error.
    #[error("initdb did not create the private PostgreSQL: {log}")]
    Initdb {
        /// The end of what it printed.
        log: String,
    },
    /// The server ended or did not answer while it was starting.
    #[error("the private PostgreSQL did not start: {log}")]
    ServerEnded {
        /// The end of what it printed.
        log: String,
    },
    /// The server was told to stop, and something of it is still there.
    #[error("the private PostgreSQL is not gone yet; its directory is {}", directory.display())]
    StillThere {
        /// What to remove by hand if it stays.
        directory: PathBuf,
    },
}

#[cfg(target_os = "macos")]
const INSTALL_ADVICE: &str = "run `brew install postgresql@17`";
#[cfg(not(target_os = "macos"))]
const INSTALL_ADVICE: &str =
    "run `apt-get install postgresql` as root, or your system's counterpart";

/// A password that nobody can guess: 244 random bits.
#[must_use]
pub fn random_password() -> SecretString {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()).into()
}

fn create_directory(user: Option<&User>) -> Result<tempfile::TempDir, PrivatePostgresError> {
    let parent = std::env::temp_dir();
    let create = || {
        let directory = tempfile::Builder::new()
            .prefix("db-chat-postgres-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(&parent)?;
        give_to(directory.path(), user)?;
        Ok(directory)
    };
    create().map_err(|source| PrivatePostgresError::Directory {
        parent: parent.clone(),
        source,
    })
}

fn give_to(path: &Path, user: Option<&User>) -> io::Result<()> {
    match user {
        Some(user) => {
            std::os::unix::fs::chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
        }
        None => Ok(()),
    }
}

async fn init_cluster(
    directory: &Path,
    programs: &Path,
    user: Option<&User>,
    password: &SecretString,
) -> Result<(), PrivatePostgresError> {
    let password_file = directory.join("password");
    let write = || {
        std::fs::write(&password_file, password.expose_secret())?;
        give_to(&password_file, user)
    };
    write().map_err(|source| PrivatePostgresError::Directory {
        parent: directory.to_owned(),
        source,
    })?;

    let initdb = programs.join("initdb");
    let output = command(&initdb, directory, user)
        .arg("--pgdata")
        .arg(directory.join("data"))
        .arg("--pwfile")
        .arg(&password_file)
        .args(["--auth", "scram-sha-256", "--username", ADMIN_ROLE])
        .args(["--encoding", "UTF8", "--locale", "C", "--lc-ctype"])
        // Sorts by code point, but knows the upper and lower case of every letter.
        .arg(if cfg!(target_os = "macos") {
            "UTF-8"
        } else {
            "C.UTF-8"
        })
        .args(["--no-sync", "--no-instructions"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|source| PrivatePostgresError::Program {
            program: initdb.display().to_string(),
            source,
        })?;
    if !output.status.success() {
        return Err(PrivatePostgresError::Initdb {
            log: last_lines(&output.stderr),
        });
    }
    std::fs::remove_file(&password_file).map_err(|source| PrivatePostgresError::Directory {
        parent: directory.to_owned(),
        source,
    })
}

fn free_port() -> Result<u16, PrivatePostgresError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| PrivatePostgresError::Port { source })
}

fn spawn_server(
    directory: &Path,
    programs: &Path,
    user: Option<&User>,
    port: u16,
) -> Result<Child, PrivatePostgresError> {
    let postgres = programs.join("postgres");
    let spawn = || {
        let log = std::fs::File::create(directory.join("server.log"))?;
        command(&postgres, directory, user)
            .arg("-D")
            .arg(directory.join("data"))
            .args(["-c", &format!("port={port}")])
            .args(["-c", "listen_addresses=127.0.0.1"])
            // A socket's path may have 107 bytes at most, and a temporary folder's can be longer.
            .args(["-c", "unix_socket_directories="])
            .args(["-c", "timezone=UTC", "-c", "jit=off"])
            .args(["-c", "shared_buffers=32MB", "-c", "max_connections=100"])
            // In the directory, so that removing it removes all; /dev/shm is small in containers, too.
            .args(["-c", "dynamic_shared_memory_type=mmap"])
            .args(["-c", "fsync=off", "-c", "synchronous_commit=off"])
            .args(["-c", "full_page_writes=off", "-c", "wal_level=minimal"])
            .args(["-c", "max_wal_senders=0"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
    };
    spawn().map_err(|source| PrivatePostgresError::Program {
        program: postgres.display().to_string(),
        source,
    })
}

/// The end of a log as one line.
fn last_lines(log: &[u8]) -> String {
    const LINES_MAX: usize = 3;
    let log = String::from_utf8_lossy(log);
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let skipped = lines.len().saturating_sub(LINES_MAX);
    let last: Vec<&str> = lines.into_iter().skip(skipped).map(str::trim).collect();
    if last.is_empty() {
        "it printed nothing".to_owned()
    } else {
        last.join("; ")
    }
}
