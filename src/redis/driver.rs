//! The driver's task, which connects and reconnects one client for as long as that is used.

use std::sync::{Mutex, PoisonError};

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::ConnectHandle;

/// A client whose connections are kept up; dropped, they end.
pub(super) struct Driver {
    client: Client,
    /// It ends when the driver gives up for good, and is then begun again.
    task: Mutex<ConnectHandle>,
}

impl Driver {
    /// Begins to connect. Runs within a Tokio runtime.
    pub(super) fn start(client: Client) -> Self {
        let task = Mutex::new(client.connect());
        Self { client, task }
    }

    /// The client. It has a connection once there is one.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// The driver gives up on faults that it takes for lasting ones. They may be mended all the same
    /// (a failing name server, a cluster being set up), and nobody should have to restart db-chat then.
    pub(super) fn revive(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task.is_finished() {
            *task = self.client.connect();
        }
    }
}

impl Drop for Driver {
    /// The task holds the client, and would outlive it.
    fn drop(&mut self) {
        self.task
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .abort();
    }
}
