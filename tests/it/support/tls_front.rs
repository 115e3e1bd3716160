//! TLS in front of a plain server, with certificates of authorities that live as long as the test.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::turns::PATIENCE;

/// Signs certificates.
pub(crate) struct Authority {
    /// Its own certificate, for those who are to trust it.
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// A server with a certificate for loopback.
    fn acceptor(&self) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a signature");
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .expect("a certificate");
        Arc::new(config).into()
    }
}

/// The front. Dropping it closes everything.
pub(crate) struct TlsFront {
    address: SocketAddr,
    acceptor: watch::Sender<TlsAcceptor>,
    /// Handshakes that clients gave up.
    refused: watch::Receiver<usize>,
    _tasks: JoinSet<()>,
}

impl TlsFront {
    /// In front of `target`, with a certificate of this authority.
    pub(crate) async fn start(target: SocketAddr, authority: &Authority) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let acceptor = watch::Sender::new(authority.acceptor());
        let (refusals, refused) = watch::channel(0);
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, target, acceptor.subscribe(), refusals));
        Self {
            address,
            acceptor,
            refused,
            _tasks: tasks,
        }
    }

    /// Its base URL.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// From now on new connections are shown a certificate of this authority.
    pub(crate) fn present(&self, authority: &Authority) {
        self.acceptor.send_replace(authority.acceptor());
    }

    /// How many handshakes clients have given up, once it is as many as are expected: the front hears of one a moment
    /// after the client.
    pub(crate) async fn refused_count(&self, expected: usize) -> usize {
        let mut refused = self.refused.clone();
        let enough = refused.wait_for(|count| *count >= expected);
        let count = tokio::time::timeout(PATIENCE, enough).await;
        *count.expect("refusals in time").expect("a front")
    }
}

async fn serve(
    listener: TcpListener,
    target: SocketAddr,
    acceptor: watch::Receiver<TlsAcceptor>,
    refusals: watch::Sender<usize>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let acceptor = acceptor.borrow().clone();
        let refusals = refusals.clone();
        connections.spawn(async move {
            match acceptor.accept(stream).await {
                Ok(mut client) => {
                    let mut server = TcpStream::connect(target).await.expect("the target");
                    // Whichever side breaks off, the other one hears of it.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
                Err(_) => refusals.send_modify(|count| *count += 1),
            }
        });
        while connections.try_join_next().is_some() {}
    }
}
