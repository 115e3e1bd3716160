//! The keys that an issuer publishes (JSON Web Key Set, RFC 7517): fetched when needed, kept, and fetched again when a token
//! names one that is not among them, since issuers rotate keys. Whoever sends tokens with made-up names causes no more than
//! one fetch in `jwks_fetch_pause_ms`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Url;
use rustls::RootCertStore;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

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
    publisher: Arc<Publisher>,
    /// Between two fetches, whatever asks for them and however the first ended.
    fetch_pause: Duration,
    /// Held by the one fetch that is under way: those who need it get what it brings.
    fetching: Arc<tokio::sync::Mutex<()>>,
    /// Runs fetches. Whoever asked for one may leave, and must not take it along: then a stranger who sends a token and hangs up
    /// would keep everybody else out for a pause, again and again.
    tasks: TaskTracker,
}

/// Where keys are published, and what was there.
struct Publisher {
    url: Url,
    client: reqwest::Client,
    kept: Mutex<Kept>,
}

#[derive(Clone, Default)]
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
        let address = |source| AuthSetupError::KeySetAddress { source };
        let publisher = Publisher {
            url: url.parse().map_err(|error| address(Fault::from(error)))?,
            client: client(url).map_err(|source| AuthSetupError::Client { source })?,
            kept: Mutex::default(),
        };
        Ok(Self {
            publisher: Arc::new(publisher),
            fetch_pause,
            fetching: Arc::default(),
            tasks: TaskTracker::new(),
        })
    }

    /// The key that a token names, or the only one there is. Waits for a fetch at most, and for none that somebody else waits for
    /// if the key is known.
    ///
    /// # Cancel safety
    /// A fetch that was begun goes on.
    pub(super) async fn find(&self, key_id: Option<&str>) -> Result<VerifyingKey, AuthError> {
        let kept = self.publisher.kept();
        let known = kept.keys.find(key_id);
        if kept.is_younger_than(KEYS_LIFE)
            && let Some(key) = known
        {
            return Ok(key);
        }
        let fetching = Arc::clone(&self.fetching);
        let place = match fetching.clone().try_lock_owned() {
            Ok(place) => place,
            Err(_) => match known.filter(|_| kept.is_younger_than(STALE_KEYS_LIFE)) {
                Some(key) => return Ok(key),
                None => fetching.lock_owned().await,
            },
        };
        let kept = self.publisher.kept();
        let is_there = kept.is_younger_than(KEYS_LIFE) && kept.keys.find(key_id).is_some();
        let kept = if !is_there && kept.may_fetch(self.fetch_pause) {
            self.fetch(place).await
        } else {
            kept
        };
        kept.into_key(key_id)
    }

    /// Fetches, and answers what there is then.
    async fn fetch(&self, place: OwnedMutexGuard<()>) -> Kept {
        let publisher = Arc::clone(&self.publisher);
        let fetch = self.tasks.spawn(async move {
            publisher.fetch().await;
            drop(place);
        });
        if let Err(error) = fetch.await {
            tracing::error!(%error, "a fetch of the tokens' issuer's keys broke off");
        }
        self.publisher.kept()
    }
}

impl Publisher {
    fn kept(&self) -> Kept {
        self.lock().clone()
    }

    /// Nothing in it can be half-changed, so a poisoned lock is still sound.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) {
        self.lock().tried_at = Some(Instant::now());
        let fetched = tokio::time::timeout(FETCH_TIMEOUT, self.read_set());
        let fetched = fetched
            .await
            .unwrap_or_else(|_| Err("no answer in time".into()));
        let mut kept = self.lock();
        match fetched {
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

    async fn read_set(&self) -> Result<KeySet, Fault> {
        let response = self.client.get(self.url.clone()).send().await?;
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

    fn may_fetch(&self, pause: Duration) -> bool {
        self.tried_at
            .is_none_or(|tried_at| tried_at.elapsed() >= pause)
    }

    fn into_key(self, key_id: Option<&str>) -> Result<VerifyingKey, AuthError> {
        if !self.is_younger_than(STALE_KEYS_LIFE) {
            let fault = self.fault.unwrap_or_default();
            return Err(AuthError::KeysUnavailable {
                source: fault.into(),
            });
        }
        match (self.keys.find(key_id), self.fault) {
            (Some(key), _) => Ok(key),
            // The issuer might have published it meanwhile.
            (None, Some(fault)) => Err(AuthError::KeysUnavailable {
                source: fault.into(),
            }),
            (None, None) => Err(AuthError::Invalid {
                reason: "its key is not among the issuer's",
            }),
        }
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

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use futures_util::FutureExt;
    use serde_json::json;

    use super::*;

    const KNOWN: Option<&str> = Some("known");

    /// Keys of an issuer that takes connections and never says a word; `known` is the one that it published before.
    fn keys_of_a_silent_issuer() -> (IssuerKeys, TcpListener) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let keys = IssuerKeys::new(&url, Duration::from_secs(10)).unwrap();
        // The base point of the curve.
        let published = KeySet::of(vec![json!({"kty": "EC", "crv": "P-256", "kid": "known",
            "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY", "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"})]);
        assert!(published.find(KNOWN).is_some());
        *keys.publisher.lock() = Kept {
            keys: Arc::new(published),
            fetched_at: Some(Instant::now()),
            ..Kept::default()
        };
        (keys, listener)
    }

    #[tokio::test(start_paused = true)]
    async fn who_names_a_known_key_waits_for_nobodys_fetch() {
        let (keys, _listener) = keys_of_a_silent_issuer();
        let mut unknown = Box::pin(keys.find(Some("made-up")));
        assert!(unknown.as_mut().now_or_never().is_none(), "a fetch");
        assert!(matches!(keys.find(KNOWN).now_or_never(), Some(Ok(_))));
        // Nor when the keys are old: the fetch that would tell whether it was withdrawn is somebody else's.
        keys.publisher.lock().fetched_at = Some(Instant::now() - KEYS_LIFE);
        assert!(matches!(keys.find(KNOWN).now_or_never(), Some(Ok(_))));
        // Silence ends, and is no reason to refuse for good.
        assert!(matches!(
            unknown.await,
            Err(AuthError::KeysUnavailable { .. })
        ));
        assert!(matches!(keys.find(KNOWN).now_or_never(), Some(Ok(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_goes_on_when_whoever_asked_for_it_leaves() {
        let (keys, _listener) = keys_of_a_silent_issuer();
        let begun = Instant::now();
        assert!(keys.find(Some("made-up")).now_or_never().is_none());
        // Within the pause: this one waits for the same fetch, to its end.
        let found = keys.find(Some("made-up")).await;
        assert!(matches!(found, Err(AuthError::KeysUnavailable { .. })));
        assert!(begun.elapsed() >= FETCH_TIMEOUT);
        assert!(keys.publisher.kept().fault.is_some());
    }
}
