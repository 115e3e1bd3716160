//! A plain TCP load balancer on loopback: each new connection goes to the next backend, or to the one after it if that
//! one does not listen.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The balancer. Dropping it closes everything.
pub(crate) struct RoundRobin {
    address: SocketAddr,
    backends: Arc<Mutex<Vec<SocketAddr>>>,
    stop: CancellationToken,
}

impl RoundRobin {
    /// Starts one on a free port.
    pub(crate) async fn start(backends: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let (stopped, connections) = (stop.clone(), tasks.clone());
        let backends = Arc::new(Mutex::new(backends));
        let current = Arc::clone(&backends);
        let accepting = async move {
            for next in 0.. {
                let Ok((client, _)) = listener.accept().await else {
                    return;
                };
                let backends = current.lock().expect("no panic").clone();
                let stop = stopped.clone();
                connections.spawn(async move {
                    stop.run_until_cancelled(serve(client, &backends, next))
                        .await
                });
            }
        };
        let until = stop.clone();
        tasks.spawn(async move { until.run_until_cancelled(accepting).await });
        Self {
            address,
            backends,
            stop,
        }
    }

    /// From the next connection on, `new` stands where `old` stood.
    pub(crate) fn replace(&self, old: SocketAddr, new: SocketAddr) {
        let mut backends = self.backends.lock().expect("no panic");
        for backend in backends.iter_mut().filter(|backend| **backend == old) {
            *backend = new;
        }
    }

    /// Where clients connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for RoundRobin {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(mut client: TcpStream, backends: &[SocketAddr], next: usize) {
    for step in 0..backends.len() {
        if let Ok(mut server) = TcpStream::connect(backends[(next + step) % backends.len()]).await {
            // Ends when either side does, in whatever way.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}
