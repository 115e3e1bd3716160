//! A server that speaks TLS with a certificate for which nobody vouches, and nothing after the handshake.
//!
//! Certificate and key were made for this file alone:
//!
//! ```sh
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 \
//!     -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out certificate.pem
//! openssl x509 -in certificate.pem -outform der -out self_signed.der
//! openssl pkcs8 -topk8 -nocrypt -in key.pem -outform der -out self_signed.key.der
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Listens until it is dropped.
pub(crate) struct TlsListener {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl TlsListener {
    pub(crate) async fn start() -> Self {
        let certificate = CertificateDer::from(include_bytes!("tls/self_signed.der").as_slice());
        let key = PrivatePkcs8KeyDer::from(include_bytes!("tls/self_signed.key.der").as_slice());
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivateKeyDer::from(key))
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // The client is the one to break it off.
                let _ = acceptor.accept(stream).await;
            }
        });
        Self {
            address,
            _tasks: tasks,
        }
    }
}
