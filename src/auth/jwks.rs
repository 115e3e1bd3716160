//! The keys that an issuer publishes (JSON Web Key Set, RFC 7517): fetched when needed, kept, and fetched again when a token
//! names one that is not among them, since issuers rotate keys. Whoever sends tokens with made-up names causes no more than
//! one fetch in `jwks_fetch_pause_ms`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use rustls::RootCertStore;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::error::{AuthError, AuthSetupError};
use super::jwt::VerifyingKey;

/// For one fetch: a handshake waits for it.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// After this long the keys are fetched again, so that one which the issuer has withdrawn goes.
const KEYS_LIFE: Duration = Duration::from_secs(10 * 60);

/// How long keys are used on while the issuer cannot be reached: longer than an outage, and no longer than a day.
const STALE_KEYS_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes of a set. Large issuers publish some ten kilobytes.
const SET_BYTES_MAX: usize = 256 * 1024;

/// Keys of a set that are looked at.
const KEYS_MAX: usize = 100;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// The keys of one issuer.
pub(super) struct IssuerKeys {
    url: String,
    client: reqwest::Client,
    /// Between two fetches, whatever asks for them and however the first ended.
    fetch_pause: Duration,
    /// Held locked during a fetch: those who come meanwhile get what it brings.
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    keys: Arc<KeySet>,
    /// When `keys` were fetched.
    fetched_at: Option<Instant>,
    /// When a fetch was last tried.
    tried_at: Option<Instant>,
    /// Why it failed, if it did.
    fault: Option<String>,
}

/// The keys of a set that can be used here.
#[derive(Default)]
struct KeySet {
    by_id: HashMap<String, VerifyingKey>,
    /// The key, where there is exactly one: a token then need not name it.
    only: Option<VerifyingKey>,
}

#[derive(Deserialize)]
struct SetDocument {
    keys: Vec<Value>,
}

impl IssuerKeys {
    pub(super) fn new(url: &str, fetch_pause: Duration) -> Result<Self, AuthSetupError> {
        let client = client(url).map_err(|source| AuthSetupError::Client { source })?;
        Ok(Self {
            url: url.to_owned(),
            client,
            fetch_pause,
            kept: Mutex::default(),
        })
    }

    /// The key that a token names, or the only one there is.
    pub(super) async fn find(&self, key_id: Option<&str>) -> Result<VerifyingKey, AuthError> {
        let mut kept = self.kept.lock().await;
        let is_fresh = kept.is_younger_than(KEYS_LIFE);
        if is_fresh && let Some(key) = kept.keys.find(key_id) {
            return Ok(key);
        }
        let may_fetch = kept
            .tried_at
            .is_none_or(|tried_at| tried_at.elapsed() >= self.fetch_pause);
        if may_fetch {
            kept.tried_at = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => {
                    kept.keys = Arc::new(keys);
                    kept.fetched_at = Some(Instant::now());
                    kept.fault = None;
                }
                Err(fault) => {
                    tracing::warn!(error = %fault, "the keys of the tokens' issuer cannot be fetched");
                    kept.fault = Some(fault.to_string());
                }
            }
        }
        if !kept.is_younger_than(STALE_KEYS_LIFE) {
            let fault = kept.fault.clone().unwrap_or_default();
            return Err(AuthError::KeysUnavailable {
                source: fault.into(),
            });
        }
        match (kept.keys.find(key_id), &kept.fault) {
            (Some(key), _) => Ok(key),
            // The issuer might have published it meanwhile.
            (None, Some(fault)) => Err(AuthError::KeysUnavailable {
                source: fault.clone().into(),
            }),
            (None, None) => Err(AuthError::Invalid {
                reason: "its key is not among the issuer's",
            }),
        }
    }

    async fn fetch(&self) -> Result<KeySet, Fault> {
        tokio::time::timeout(FETCH_TIMEOUT, self.read_set())
            .await
            .map_err(|_| Fault::from("no answer in time"))?
    }

    async fn read_set(&self) -> Result<KeySet, Fault> {
        let response = self.client.get(&self.url).send().await?;
        if !response.status().is_success() {
            return Err(format!("the answer has status {}", response.status()).into());
        }
        let mut bytes = Vec::new();
        let mut pieces = response.bytes_stream();
        while let Some(piece) = pieces.next().await {
            bytes.extend_from_slice(&piece?);
            if bytes.len() > SET_BYTES_MAX {
                return Err("the answer is too large".into());
            }
        }
        let document: SetDocument = serde_json::from_slice(&bytes)?;
        Ok(KeySet::of(document.keys))
    }
}

impl Kept {
    fn is_younger_than(&self, life: Duration) -> bool {
        self.fetched_at
            .is_some_and(|fetched_at| fetched_at.elapsed() < life)
    }
}

impl KeySet {
    /// Keys of other kinds, for other uses or that cannot be read are passed over: a set may hold them.
    fn of(documents: Vec<Value>) -> Self {
        let keys: Vec<(Option<String>, VerifyingKey)> = documents
            .into_iter()
            .take(KEYS_MAX)
            .filter_map(|document| {
                let jwk: Jwk = serde_json::from_value(document).ok()?;
                let key = verifying_key(&jwk)?;
                Some((jwk.common.key_id, key))
            })
            .collect();
        let only = match keys.as_slice() {
            [(_, key)] => Some(key.clone()),
            _ => None,
        };
        let by_id = keys
            .into_iter()
            .filter_map(|(id, key)| Some((id?, key)))
            .collect();
        Self { by_id, only }
    }

    fn find(&self, key_id: Option<&str>) -> Option<VerifyingKey> {
        match key_id {
            Some(id) => self.by_id.get(id).cloned(),
            None => self.only.clone(),
        }
    }
}

/// The key with the one algorithm that it is for. A secret in a published set is a mistake or an attack.
fn verifying_key(jwk: &Jwk) -> Option<VerifyingKey> {
    let is_for_signatures = jwk
        .common
        .public_key_use
        .as_ref()
        .is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let algorithm = if let AlgorithmParameters::RSA(_) = &jwk.algorithm {
        Algorithm::RS256
    } else if let AlgorithmParameters::EllipticCurve(parameters) = &jwk.algorithm
        && parameters.curve == EllipticCurve::P256
    {
        Algorithm::ES256
    } else {
        return None;
    };
    let is_for_algorithm = jwk
        .common
        .key_algorithm
        .is_none_or(|named| named == KeyAlgorithm::from(algorithm));
    if !is_for_signatures || !is_for_algorithm {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(VerifyingKey { key, algorithm })
}

/// Follows no redirect, so that nobody but the address in the settings says what the keys are.
fn client(url: &str) -> Result<reqwest::Client, Fault> {
    let mut roots = RootCertStore::empty();
    if url.starts_with("https://") {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("db-chat/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .timeout(FETCH_TIMEOUT)
        .tls_backend_preconfigured(tls);
    if url.starts_with("http://") {
        // Plain HTTP is for this machine, which is not behind the company's proxy.
        builder = builder.no_proxy();
    }
    Ok(builder.build()?)
}
