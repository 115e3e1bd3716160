//! The TLS side of a connection: from a [`TlsMode`] to a rustls configuration.
//!
//! Where no authority is asked for, the handshake is still checked (the server holds the key of the certificate
//! that it shows), but anyone's certificate will do: that is what `prefer` and `require` promise, and no more.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connection_string::{ConnectionString, RootCertificates, TlsMode};

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("{parameter} cannot be read as a PEM file")]
    File {
        /// The parameter that names it.
        parameter: &'static str,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// There is no authority to trust.
    #[error("no trusted certificates were found; set sslrootcert to a PEM file")]
    NoRoots,
    /// rustls does not take them.
    #[error("the TLS certificates cannot be used")]
    Refused {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Reads the certificate files and builds the connector.
///
/// # Errors
/// A file that cannot be read, or certificates that rustls does not take.
pub(super) fn connector(string: &ConnectionString) -> Result<MakeRustlsConnect, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (roots, verifies_host) = match &string.tls {
        TlsMode::Unverified => (None, false),
        TlsMode::Authority(roots) => (Some(roots), false),
        TlsMode::AuthorityAndHost(roots) => (Some(roots), true),
    };
    let authority = match roots {
        None => None,
        Some(roots) => Some(
            WebPkiServerVerifier::builder_with_provider(
                Arc::new(read_roots(roots)?),
                Arc::clone(&provider),
            )
            .build()
            .map_err(refused)?,
        ),
    };
    let verifier = ModeVerifier {
        authority,
        verifies_host,
        provider: Arc::clone(&provider),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match &string.client_certificate {
        None => builder.with_no_client_auth(),
        Some((certificates, key)) => builder
            .with_client_auth_cert(
                read_certificates(certificates, "sslcert")?,
                PrivateKeyDer::from_pem_file(key).map_err(|source| TlsError::File {
                    parameter: "sslkey",
                    source,
                })?,
            )
            .map_err(refused)?,
    };
    Ok(MakeRustlsConnect::new(config))
}

fn read_roots(roots: &RootCertificates) -> Result<RootCertStore, TlsError> {
    let certificates = match roots {
        // What the system store cannot give is missed at the handshake; an empty one is reported below.
        RootCertificates::System => rustls_native_certs::load_native_certs().certs,
        RootCertificates::File(path) => read_certificates(path, "sslrootcert")?,
    };
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates);
    if store.is_empty() {
        return Err(TlsError::NoRoots);
    }
    Ok(store)
}

fn read_certificates(
    path: &Path,
    parameter: &'static str,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|source| TlsError::File { parameter, source })
}

fn refused(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TlsError {
    TlsError::Refused {
        source: source.into(),
    }
}

/// Verifies as much as libpq's mode says.
#[derive(Debug)]
struct ModeVerifier {
    /// `None` takes any certificate.
    authority: Option<Arc<WebPkiServerVerifier>>,
    /// Whether the certificate must be for the host.
    verifies_host: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ModeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authority) = &self.authority else {
            return Ok(ServerCertVerified::assertion());
        };
        let verdict = authority.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verdict {
            // The name is looked at after the chain, so nothing else is wrong with the certificate.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.verifies_host => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
