//! A draft through the guard, away from the sockets' threads and with room on the stack.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::domain::schema::Snapshot;
use crate::domain::sql::DraftSql;
use crate::guard::{self, CheckedSql, Rejection};

/// Runs [`guard::check`] on a thread of its own.
///
/// # Errors
/// The guard's rejection.
pub async fn check(draft: DraftSql, snapshot: Arc<Snapshot>) -> Result<CheckedSql, Rejection> {
    let (sender, receiver) = oneshot::channel();
    let _ = std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn(move || {
            let _ = sender.send(guard::check(&draft, &snapshot));
        });
    receiver.await.unwrap_or_else(|_| panic!())
}
