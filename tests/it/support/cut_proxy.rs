//! A TCP proxy on loopback that a test can tell to misbehave: to cut, to hang, to refuse. It stands
//! in front of a real PostgreSQL or Redis and knows nothing of what it carries.
//!
//! | call | new connections | open connections |
//! | --- | --- | --- |
//! | [`CutProxy::resume`] (as at start) | forwarded | forwarded |
//! | [`CutProxy::cut`] | as before | closed, once |
//! | [`CutProxy::stall`] | accepted, then silence | silence, both ways |
//! | [`CutProxy::refuse`] | refused | closed |
//!
//! Bytes that arrive during a stall are delivered after it, unless the connection was closed. Each call
//! has taken effect when it returns, so that a test needs no pause after it.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The proxy. Dropping it closes everything.
pub(crate) struct CutProxy {
    address: SocketAddr,
    target: SocketAddr,
    stalled: watch::Sender<bool>,
    /// The connections since the last cut.
    connections: watch::Sender<TaskGroup>,
    /// The task that accepts; `None` while refusing.
    acceptor: Option<TaskGroup>,
}

/// Tasks that are ended together.
#[derive(Clone, Default)]
struct TaskGroup {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl TaskGroup {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks
            .spawn(async move { stop.run_until_cancelled(task).await });
    }

    /// Ends all and waits until they, and the sockets that they hold, are gone.
    async fn end(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl CutProxy {
    /// A proxy on a free loopback port, forwarding.
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut proxy = Self {
            address: listener.local_addr().unwrap(),
            target,
            stalled: watch::Sender::new(false),
            connections: watch::Sender::default(),
            acceptor: None,
        };
        proxy.accept(listener);
        proxy
    }

    /// Where clients connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every open connection; new ones are served as before.
    pub(crate) async fn cut(&self) {
        self.connections
            .send_replace(TaskGroup::default())
            .end()
            .await;
    }

    /// From now on nothing is forwarded; connections stay open, new ones are accepted and hang.
    pub(crate) fn stall(&self) {
        self.stalled.send_replace(true);
    }

    /// Closes the port and every open connection: the next attempt to connect is refused.
    pub(crate) async fn refuse(&mut self) {
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.end().await;
        }
        self.cut().await;
    }

    /// Forwards again, after a stall or on the same port after a refusal.
    pub(crate) async fn resume(&mut self) {
        self.stalled.send_replace(false);
        if self.acceptor.is_none() {
            let listener = TcpListener::bind(self.address)
                .await
                .expect("the proxy's port was taken by another process");
            self.accept(listener);
        }
    }

    fn accept(&mut self, listener: TcpListener) {
        let (target, stalled) = (self.target, self.stalled.subscribe());
        let connections = self.connections.subscribe();
        let acceptor = TaskGroup::default();
        acceptor.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let connection = serve(client, target, stalled.clone());
                // Spawned under the lock that a cut takes, so that none slips past it.
                connections.borrow().spawn(connection);
            }
        });
        self.acceptor = Some(acceptor);
    }
}

impl Drop for CutProxy {
    fn drop(&mut self) {
        if let Some(acceptor) = &self.acceptor {
            acceptor.stop.cancel();
        }
        self.connections.borrow().stop.cancel();
    }
}

/// Carries one connection until either side closes it. A target that is away closes it too.
async fn serve(client: TcpStream, target: SocketAddr, stalled: watch::Receiver<bool>) {
    wait_until_flowing(&mut stalled.clone()).await;
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    tokio::join!(
        forward(client_read, server_write, stalled.clone()),
        forward(server_read, client_write, stalled),
    );
}

/// One direction, to its end; then the other side is told.
async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut stalled: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        wait_until_flowing(&mut stalled).await;
        if to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    wait_until_flowing(&mut stalled).await;
    // The other side may be gone already.
    let _ = to.shutdown().await;
}

async fn wait_until_flowing(stalled: &mut watch::Receiver<bool>) {
    // An error means that the proxy was dropped; the connection's token ends it then.
    let _ = stalled.wait_for(|stalled| !stalled).await;
}
