//! A PostgreSQL of one test's own, to be stopped and started again while clients use it.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Stdio;

use db_chat::app::private_postgres::PrivatePostgres;
use secrecy::ExposeSecret;
use tokio::process::Command;
use tokio_postgres::Client;

use super::postgres::connect;

/// The server; it is gone when this is.
pub(crate) struct OwnPostgres {
    server: PrivatePostgres,
}

/// How a server ends, as `pg_ctl` calls it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// Its sessions are told, and end in good order.
    Fast,
    /// As a crash: it recovers when it starts again.
    Immediate,
}

impl OwnPostgres {
    /// Starts a server and runs `sql` in it.
    pub(crate) async fn start(sql: &str) -> Self {
        let server = PrivatePostgres::start().await.expect("a PostgreSQL");
        let own = Self { server };
        own.admin().await.batch_execute(sql).await.expect(sql);
        own
    }

    /// The URL for the role that may do everything.
    pub(crate) fn url(&self) -> String {
        self.server.admin_url("postgres").expose_secret().to_owned()
    }

    /// A connection of that role.
    pub(crate) async fn admin(&self) -> Client {
        connect(&self.server.admin_url("postgres")).await
    }

    /// Stops the server, and returns when it is gone.
    pub(crate) async fn stop(&self, end: End) {
        let mode = match end {
            End::Fast => "fast",
            End::Immediate => "immediate",
        };
        self.pg_ctl(&["stop", "--mode", mode]).await;
    }

    /// Starts the stopped server as it was, and returns when it takes connections.
    pub(crate) async fn start_again(&self) {
        // `start` would forget the options that it was started with, its port among them.
        self.pg_ctl(&["restart"]).await;
    }

    async fn pg_ctl(&self, arguments: &[&str]) {
        let data = self.server.directory().join("data");
        let options = std::fs::read_to_string(data.join("postmaster.opts")).expect("the options");
        let postgres = options.split(' ').next().expect("the program");
        let owner = std::fs::metadata(&data).expect("the directory");
        let status = Command::new(PathBuf::from(postgres).with_file_name("pg_ctl"))
            .args(arguments)
            .args(["--wait", "--silent", "--pgdata"])
            .arg(&data)
            .current_dir(&data)
            // PostgreSQL refuses to run as root.
            .uid(owner.uid())
            .gid(owner.gid())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .await
            .expect("pg_ctl");
        assert!(status.success(), "pg_ctl {arguments:?}: {status}");
    }
}
