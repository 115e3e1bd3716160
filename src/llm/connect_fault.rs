//! Why there was no connection, read off the types in an error's chain of causes, never off its words.

use std::error::Error;
use std::io;

use rustls::CertificateError;

/// Why there was no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectFault {
    /// Nothing listens at the address.
    Refused,
    /// No answer from the address in time.
    TimedOut,
    /// TCP was there, TLS was not.
    Tls(TlsFault),
    /// Anything else, such as a host that no name server knows.
    Other,
}

/// What was wrong with TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFault {
    /// Nobody whom this machine trusts vouches for the certificate; a self-signed one is the usual case.
    Untrusted,
    /// The certificate has expired, or is not valid yet.
    Expired,
    /// The certificate is for another host.
    WrongName,
    /// The server does not speak TLS: it answers something else, or closes the connection.
    NotTls,
    /// Anything else.
    Other,
}

impl ConnectFault {
    /// Of an error of the HTTP client that is one of connecting.
    pub(super) fn of(error: &reqwest::Error) -> Self {
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(fault) = Self::of_cause(error) {
                return fault;
            }
            cause = error.source();
        }
        if error.is_timeout() {
            return Self::TimedOut;
        }
        Self::Other
    }

    fn of_cause(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(Self::Tls(TlsFault::of(error)));
        }
        let error = error.downcast_ref::<io::Error>()?;
        // An I/O error gives what it wraps only here: its `source` is already the next one.
        if let Some(inner) = error.get_ref() {
            let inner: &(dyn Error + 'static) = inner;
            if let Some(fault) = Self::of_cause(inner) {
                return Some(fault);
            }
        }
        let kind = error.kind();
        if kind == io::ErrorKind::ConnectionRefused {
            return Some(Self::Refused);
        }
        if kind == io::ErrorKind::UnexpectedEof {
            // There is nothing else to read before the first request.
            return Some(Self::Tls(TlsFault::NotTls));
        }
        (kind == io::ErrorKind::TimedOut).then_some(Self::TimedOut)
    }
}

impl TlsFault {
    fn of(error: &rustls::Error) -> Self {
        if matches!(error, rustls::Error::InvalidMessage(_)) {
            return Self::NotTls;
        }
        let rustls::Error::InvalidCertificate(error) = error else {
            return Self::Other;
        };
        if matches!(
            error,
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        ) {
            return Self::Expired;
        }
        if matches!(
            error,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        ) {
            return Self::WrongName;
        }
        Self::Untrusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(error: impl Error + 'static, expected: Option<ConnectFault>) {
        assert_eq!(ConnectFault::of_cause(&error), expected);
    }

    #[test]
    fn faults_are_known_by_type_however_they_are_wrapped() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        check(refused(), Some(ConnectFault::Refused));
        check(io::Error::other(refused()), Some(ConnectFault::Refused));
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        let fault = Some(ConnectFault::Tls(TlsFault::Expired));
        check(io::Error::other(io::Error::other(expired.clone())), fault);
        check(expired, fault);
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        check(unknown, Some(ConnectFault::Tls(TlsFault::Untrusted)));
        let alien = rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType);
        check(alien, Some(ConnectFault::Tls(TlsFault::NotTls)));
        // Words prove nothing.
        check(io::Error::other("connection refused: tls"), None);
    }
}
