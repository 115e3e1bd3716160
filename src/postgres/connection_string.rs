//! Reads a libpq URL or key=value string as far as tokio-postgres does not know it: the verifying TLS modes,
//! certificate files, and parameters which mean nothing here.
//!
//! In: the setting's text. Out: what tokio-postgres makes of the rest, and a [`TlsMode`]. No IO. Error texts never
//! hold a value, because one of them is a password.

use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// A connection string, taken apart.
#[derive(Debug, Clone)]
pub(super) struct ConnectionString {
    /// Hosts, user, password and the like.
    pub(super) config: Config,
    /// How far the server's certificate is verified.
    pub(super) tls: TlsMode,
    /// The client's certificate chain and key, as PEM files.
    pub(super) client_certificate: Option<(PathBuf, PathBuf)>,
}

/// How far the server's certificate is verified; `sslmode` itself is in the config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TlsMode {
    /// Not at all (`disable`, `prefer`, `require`), as in libpq: only an eavesdropper is kept out.
    Unverified,
    /// By a trusted authority, for whatever host (`verify-ca`).
    Authority(RootCertificates),
    /// By a trusted authority, for this host (`verify-full`).
    AuthorityAndHost(RootCertificates),
}

/// Which authorities are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RootCertificates {
    /// Those of the operating system. libpq would look for a file in the home directory, which a server seldom has.
    System,
    /// Those in this PEM file (`sslrootcert`).
    File(PathBuf),
}

/// A connection string that cannot be used. The text names the parameter, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ConnectionStringError {
    problem: String,
}

/// Parameters of libpq that change nothing here, with the values for which that is true; `None` means any.
const IGNORED: &[(&str, Option<&[&str]>)] = &[
    ("gssencmode", Some(&["disable", "prefer"])),
    (
        "client_encoding",
        Some(&["auto", "UTF8", "utf8", "UTF-8", "utf-8"]),
    ),
    ("sslcompression", None),
    ("sslsni", None),
    ("krbsrvname", None),
    ("gsslib", None),
    ("fallback_application_name", None),
];

impl ConnectionString {
    /// Takes `postgres://…`, `postgresql://…` or `key=value …`.
    ///
    /// # Errors
    /// A parameter that is unknown, has a value that cannot be taken, or contradicts another one.
    pub(super) fn parse(text: &str) -> Result<Self, ConnectionStringError> {
        let (rest, parameters) = take_parameters(text.trim())?;
        let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| {
            // The cause names a parameter or a position; the error itself adds nothing.
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            fault(format!(
                "the connection string cannot be read: {}",
                cause.unwrap_or_else(|| "it has the wrong form".to_owned())
            ))
        })?;
        let roots = match parameters.root_certificate.as_deref() {
            None | Some("system") => RootCertificates::System,
            Some(path) => RootCertificates::File(path.into()),
        };
        let given = parameters.root_certificate.is_some();
        let (mode, tls) = match parameters.mode.as_deref() {
            // `allow` begins without TLS where libpq would; beginning with it is the safer order.
            None | Some("prefer" | "allow") => (SslMode::Prefer, TlsMode::Unverified),
            Some("disable") => (SslMode::Disable, TlsMode::Unverified),
            // libpq: with a root certificate at hand, `require` verifies as `verify-ca` does.
            Some("require") if given => (SslMode::Require, TlsMode::Authority(roots)),
            Some("require") => (SslMode::Require, TlsMode::Unverified),
            Some("verify-ca") => (SslMode::Require, TlsMode::Authority(roots)),
            Some("verify-full") => (SslMode::Require, TlsMode::AuthorityAndHost(roots)),
            Some(_) => {
                return Err(fault(
                    "sslmode must be disable, prefer, require, verify-ca or verify-full",
                ));
            }
        };
        let only_sockets = !config.get_hosts().is_empty()
            && config
                .get_hosts()
                .iter()
                .all(|host| matches!(host, Host::Unix(_)));
        // A Unix socket has no TLS; libpq ignores sslmode there.
        config.ssl_mode(if only_sockets { SslMode::Disable } else { mode });
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(fault("the connection string names no host"));
        }
        let client_certificate = match (parameters.certificate, parameters.key) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            _ => return Err(fault("sslcert and sslkey must be given together")),
        };
        Ok(Self {
            config,
            tls,
            client_certificate,
        })
    }
}

/// The parameters that are kept from tokio-postgres.
#[derive(Default)]
struct Parameters {
    mode: Option<String>,
    root_certificate: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl Parameters {
    /// Whether the parameter was one of these; otherwise it is tokio-postgres's.
    fn take(&mut self, key: &str, value: String) -> Result<bool, ConnectionStringError> {
        match key {
            "sslmode" => self.mode = Some(value),
            "sslrootcert" => self.root_certificate = Some(value),
            "sslcert" => self.certificate = Some(value),
            "sslkey" => self.key = Some(value),
            _ => {
                let Some((_, harmless)) = IGNORED.iter().find(|(name, _)| *name == key) else {
                    return Ok(false);
                };
                if harmless.is_some_and(|values| !values.contains(&value.as_str())) {
                    return Err(fault(format!("{key} has a value that is not supported")));
                }
            }
        }
        Ok(true)
    }
}

fn take_parameters(text: &str) -> Result<(String, Parameters), ConnectionStringError> {
    let mut parameters = Parameters::default();
    let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
    if !is_url {
        let mut rest = String::new();
        for (key, value) in key_value_pairs(text)? {
            if !parameters.take(&key, value.clone())? {
                let value = value.replace('\\', "\\\\").replace('\'', "\\'");
                rest.push_str(&format!("{key}='{value}' "));
            }
        }
        return Ok((rest, parameters));
    }
    let Some((base, query)) = text.split_once('?') else {
        return Ok((text.to_owned(), parameters));
    };
    let mut kept = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode(value)
            .ok_or_else(|| fault(format!("{key} is not percent-encoded correctly")))?;
        if !parameters.take(key, value)? {
            kept.push(pair);
        }
    }
    let rest = if kept.is_empty() {
        base.to_owned()
    } else {
        format!("{base}?{}", kept.join("&"))
    };
    Ok((rest, parameters))
}

/// `key = value` pairs with libpq's quoting: `'…'`, and a backslash before any character.
fn key_value_pairs(text: &str) -> Result<Vec<(String, String)>, ConnectionStringError> {
    let wrong = || {
        fault(
            "the connection string is neither a URL, e.g. postgresql://user:password@host:5432/name, nor a list of key=value pairs",
        )
    };
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(wrong)?;
        let key = key.trim_end();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(wrong());
        }
        let after = after.trim_start();
        let (quoted, body) = match after.strip_prefix('\'') {
            Some(body) => (true, body),
            None => (false, after),
        };
        let mut value = String::new();
        let mut characters = body.char_indices();
        let end = loop {
            match characters.next() {
                Some((_, '\\')) => value.push(characters.next().ok_or_else(wrong)?.1),
                Some((at, '\'')) if quoted => break at + 1,
                Some((at, c)) if !quoted && c.is_whitespace() => break at,
                Some((_, c)) => value.push(c),
                None if quoted => return Err(wrong()),
                None => break body.len(),
            }
        };
        pairs.push((key.to_owned(), value));
        rest = body.get(end..).unwrap_or_default().trim_start();
    }
    Ok(pairs)
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn fault(problem: impl Into<String>) -> ConnectionStringError {
    ConnectionStringError {
        problem: problem.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ConnectionString {
        ConnectionString::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn tls_modes_mean_what_they_mean_to_libpq() {
        let file = || RootCertificates::File("/etc/ca one.pem".into());
        let check = |parameters: &str, mode: SslMode, tls: TlsMode| {
            let url = format!("postgresql://u:p@db.example:5433/shop?{parameters}");
            let parsed = parse(&url);
            assert_eq!(parsed.config.get_ssl_mode(), mode, "{url}");
            assert_eq!(parsed.tls, tls, "{url}");
            assert_eq!(parsed.config.get_dbname(), Some("shop"));
            assert_eq!(parsed.config.get_ports(), [5433]);
        };
        check("", SslMode::Prefer, TlsMode::Unverified);
        check("sslmode=disable", SslMode::Disable, TlsMode::Unverified);
        check("sslmode=require", SslMode::Require, TlsMode::Unverified);
        check(
            "sslmode=require&sslrootcert=/etc/ca%20one.pem",
            SslMode::Require,
            TlsMode::Authority(file()),
        );
        check(
            "connect_timeout=3&sslmode=verify-ca&sslrootcert=/etc/ca%20one.pem",
            SslMode::Require,
            TlsMode::Authority(file()),
        );
        check(
            "sslmode=verify-full",
            SslMode::Require,
            TlsMode::AuthorityAndHost(RootCertificates::System),
        );
    }

    #[test]
    fn key_value_strings_keep_their_quoting() {
        let parsed = parse(
            r"host=db.example user = u password='it\'s a \\ secret' sslmode=verify-full sslrootcert='/etc/ca one.pem' dbname=shop",
        );
        assert_eq!(parsed.config.get_password(), Some(&br"it's a \ secret"[..]));
        assert_eq!(parsed.config.get_dbname(), Some("shop"));
        let roots = RootCertificates::File("/etc/ca one.pem".into());
        assert_eq!(parsed.tls, TlsMode::AuthorityAndHost(roots));
    }

    #[test]
    fn a_unix_socket_has_no_tls() {
        let parsed = parse("postgresql:///shop?host=/var/run/postgresql&sslmode=require");
        assert_eq!(parsed.config.get_ssl_mode(), SslMode::Disable);
    }

    #[test]
    fn parameters_that_change_nothing_are_taken() {
        parse(
            "postgresql://h/db?gssencmode=prefer&sslsni=1&client_encoding=UTF8&application_name=x",
        );
    }

    #[test]
    fn faults_name_the_parameter_and_never_a_value() {
        for (text, names) in [
            ("postgresql://u:hunter2@h/db?sslmode=hunter2", "sslmode"),
            (
                "postgresql://u:hunter2@h/db?gssencmode=hunter2",
                "gssencmode",
            ),
            ("postgresql://u:hunter2@h/db?nonsense=hunter2", "nonsense"),
            ("postgresql://u:hunter2@h/db?sslcert=hunter2", "sslkey"),
            ("postgresql://u:hunter2@h:hunter2/db", "port"),
            ("password=hunter2 dbname=x", "host"),
            ("hunter2", "URL"),
            ("host=h password='hunter2", "URL"),
        ] {
            let error = ConnectionString::parse(text).expect_err(text).to_string();
            assert!(error.contains(names), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{text}: {error}");
        }
    }
}
