//! Where a provider is and how it is reached: base URL, key and TLS in, an HTTP client with two addresses out. Knows no dialect.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue};
use rustls::RootCertStore;
use secrecy::{ExposeSecret, SecretString};

use super::dialect::Credential;
use super::error::LlmSetupError;

/// For TCP and TLS together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Takes a key out of text that is not ours, such as an error answer that repeats the request.
pub(super) struct KeyMask {
    key: Option<SecretString>,
}

impl KeyMask {
    /// A mask for this key; without one it changes nothing.
    pub(super) fn new(key: Option<SecretString>) -> Self {
        Self { key }
    }

    /// The text without the key. Apply it before cutting, which could leave half a key.
    pub(super) fn apply(&self, text: &str) -> String {
        match self.key.as_ref().map(|key| key.expose_secret().trim()) {
            Some(key) if !key.is_empty() => text.replace(key, "[key]"),
            Some(_) | None => text.to_owned(),
        }
    }
}

/// A client bound to one provider.
pub(super) struct Endpoint {
    /// Sends the key with every request; follows no redirect, since that would carry the key along.
    pub(super) client: reqwest::Client,
    /// Where calls go.
    pub(super) call_url: Url,
    /// Lists models; costs nothing.
    pub(super) models_url: Url,
}

impl Endpoint {
    /// Builds the client. Opens no connection.
    ///
    /// `base_url_setting` names the setting of `base` for errors.
    ///
    /// # Errors
    /// What the operator has to correct.
    pub(super) fn new(
        base: &Url,
        call_path: &str,
        headers: HeaderMap,
        base_url_setting: &'static str,
    ) -> Result<Self, LlmSetupError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("db-chat/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .redirect(reqwest::redirect::Policy::none())
            // Tries are counted, spaced and logged in one place only: `provider`.
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .tls_backend_preconfigured(tls(base.scheme() == "https", base_url_setting)?);
        if is_loopback(base) {
            // A model server on this machine is not behind the company's proxy.
            builder = builder.no_proxy();
        }
        Ok(Self {
            client: builder
                .build()
                .map_err(|source| LlmSetupError::Client { source })?,
            call_url: below(base, call_path),
            models_url: below(base, "models"),
        })
    }
}

/// Reads a base URL in any of the forms in which people give one: with or without the version `/v1`, a slash at the end, or the
/// path of calls.
///
/// `version_required` is false for servers that keep their API elsewhere: there only an empty path gets the version.
///
/// # Errors
/// It is not an `http` or `https` URL with a host. The error never repeats the URL, which may hold a password.
pub(super) fn parse_base_url(
    text: &str,
    call_path: &str,
    version_required: bool,
    setting: &'static str,
) -> Result<Url, LlmSetupError> {
    let invalid = |problem: String| LlmSetupError::BaseUrl { setting, problem };
    let mut url = Url::parse(text.trim()).map_err(|error| invalid(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(invalid(
            "it has to begin with http:// or https://".to_owned(),
        ));
    }
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/');
    let path = path
        .strip_suffix(call_path)
        .unwrap_or(path)
        .trim_end_matches('/');
    let path = if path.is_empty() || (version_required && !path.ends_with("/v1")) {
        format!("{path}/v1")
    } else {
        path.to_owned()
    };
    url.set_path(&path);
    Ok(url)
}

/// Makes a key ready for headers.
///
/// # Errors
/// It holds characters that no header can carry.
pub(super) fn credential(
    key: &SecretString,
    setting: &'static str,
) -> Result<Credential, LlmSetupError> {
    // Keys read from files often end in a line break.
    let key = key.expose_secret().trim();
    let sensitive = |text: &str| {
        let mut value = HeaderValue::from_str(text).map_err(|_| LlmSetupError::Key { setting })?;
        value.set_sensitive(true);
        Ok(value)
    };
    Ok(Credential {
        plain: sensitive(key)?,
        bearer: sensitive(&format!("Bearer {key}"))?,
    })
}

/// A path below the base; a query such as Azure's `api-version` stays.
fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path()));
    url
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// TLS with ring, named here rather than taken from a process-wide default that somebody would have to install first.
fn tls(
    needed: bool,
    base_url_setting: &'static str,
) -> Result<rustls::ClientConfig, LlmSetupError> {
    let mut roots = RootCertStore::empty();
    if needed {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(LlmSetupError::RootCertificates { base_url_setting });
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| LlmSetupError::Tls { source })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base: &str, call_path: &str, version_required: bool, expected: &str) {
        let base = parse_base_url(base, call_path, version_required, "X_BASE_URL").unwrap();
        assert_eq!(below(&base, call_path).as_str(), expected);
    }

    #[test]
    fn every_form_of_an_anthropic_base_url_leads_to_the_same_place() {
        for base in [
            "https://api.anthropic.com",
            "https://api.anthropic.com/",
            "https://api.anthropic.com/v1",
            "https://api.anthropic.com/v1/",
            " https://api.anthropic.com/v1/messages ",
        ] {
            check(
                base,
                "messages",
                true,
                "https://api.anthropic.com/v1/messages",
            );
        }
        check(
            "http://proxy/anthropic",
            "messages",
            true,
            "http://proxy/anthropic/v1/messages",
        );
    }

    #[test]
    fn openai_base_urls_keep_their_own_paths_and_queries() {
        let path = "chat/completions";
        for base in [
            "http://localhost:11434",
            "http://localhost:11434/v1/",
            "http://localhost:11434/v1/chat/completions",
        ] {
            check(
                base,
                path,
                false,
                "http://localhost:11434/v1/chat/completions",
            );
        }
        check(
            "https://api.groq.com/openai/v1",
            path,
            false,
            "https://api.groq.com/openai/v1/chat/completions",
        );
        check(
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            path,
            false,
            "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions",
        );
        check(
            "https://r.openai.azure.com/openai/deployments/d?api-version=2024-10-21",
            path,
            false,
            "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
        );
    }

    #[test]
    fn a_wrong_base_url_is_refused_without_repeating_it() {
        for base in [
            "",
            "api.openai.com/v1",
            "localhost:8080",
            "ftp://user:secret@host/",
            "http://",
            "http://user:secret@:99999",
        ] {
            let error = parse_base_url(base, "models", false, "OPENAI_BASE_URL")
                .unwrap_err()
                .to_string();
            assert!(error.contains("OPENAI_BASE_URL"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_key_loses_its_line_break_and_never_shows_itself() {
        let credential_of = |key: &str| credential(&SecretString::from(key), "OPENAI_API_KEY");
        let key = credential_of("sk-secret\n").ok().unwrap();
        assert_eq!(key.plain.as_bytes(), b"sk-secret");
        assert_eq!(key.bearer.as_bytes(), b"Bearer sk-secret");
        assert!(!format!("{:?}{:?}", key.plain, key.bearer).contains("secret"));
        let error = credential_of("sk-\nsecret").err().unwrap().to_string();
        assert!(
            error.contains("OPENAI_API_KEY") && !error.contains("secret"),
            "{error}"
        );
    }
}
