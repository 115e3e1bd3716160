//! An issuer of tokens: it signs them, and publishes its keys over real HTTP.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{OwnedMutexGuard, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::turns::PATIENCE;

/// For these tests only: nobody trusts it.
const RSA_KEY: &[u8] = include_bytes!("keys/rsa_for_tests.pk8");

/// The public half of [`RSA_KEY`].
pub(crate) const RSA_PUBLIC_PEM: &str = include_str!("keys/rsa_for_tests.pem");

/// What tokens are signed with.
pub(crate) enum SigningKey {
    Secret(Vec<u8>),
    Ec(Box<EcdsaKeyPair>),
    Rsa(Box<RsaKeyPair>),
}

impl SigningKey {
    pub(crate) fn secret(text: &str) -> Self {
        Self::Secret(text.as_bytes().to_vec())
    }

    /// A new key on P-256.
    pub(crate) fn ec() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random);
        Self::Ec(Box::new(key.expect("a key")))
    }

    pub(crate) fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(RSA_KEY).expect("a key")))
    }

    /// The name of the algorithm that this key is for.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Secret(_) => "HS256",
            Self::Ec(_) => "ES256",
            Self::Rsa(_) => "RS256",
        }
    }

    /// The public key as an entry of a key set.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        match self {
            Self::Secret(_) => panic!("a secret is not published"),
            Self::Ec(key) => {
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "use": "sig", "kid": id,
                       "x": encode(&point[1..33]), "y": encode(&point[33..])})
            }
            Self::Rsa(key) => {
                let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(key.public_key());
                json!({"kty": "RSA", "alg": "RS256", "kid": id, "n": encode(&public.n), "e": encode(&public.e)})
            }
        }
    }

    /// A token with this header and these claims, whatever they say.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!(
            "{}.{}",
            encode(header.to_string().as_bytes()),
            encode(claims.to_string().as_bytes())
        );
        let random = SystemRandom::new();
        let signature = match self {
            Self::Secret(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
            }
            Self::Ec(key) => {
                let signed = key.sign(&random, message.as_bytes()).expect("a signature");
                signed.as_ref().to_vec()
            }
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(
                    &RSA_PKCS1_SHA256,
                    &random,
                    message.as_bytes(),
                    &mut signature,
                )
                .expect("a signature");
                signature
            }
        };
        format!("{message}.{}", encode(&signature))
    }

    /// A token with the fitting header.
    pub(crate) fn token(&self, id: Option<&str>, claims: &Value) -> String {
        let mut header = json!({"typ": "JWT", "alg": self.algorithm()});
        if let Some(id) = id {
            header["kid"] = id.into();
        }
        self.sign(&header, claims)
    }
}

/// Claims that are good for an hour.
pub(crate) fn claims(subject: &str) -> Value {
    json!({"iss": "https://issuer.test/", "aud": "db-chat", "sub": subject, "exp": from_now(3_600)})
}

/// A moment, in seconds from now, as tokens write it.
pub(crate) fn from_now(seconds: i64) -> i64 {
    chrono::Utc::now().timestamp() + seconds
}

/// The form in which tokens write bytes.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A server that publishes a key set.
pub(crate) struct Issuer {
    address: SocketAddr,
    state: Arc<Mutex<Published>>,
    /// How many requests have come.
    asked: watch::Receiver<usize>,
    /// Held while answers are held back.
    answering: Arc<tokio::sync::Mutex<()>>,
    _end: DropGuard,
}

#[derive(Default)]
struct Published {
    body: String,
    is_down: bool,
    fetches: usize,
}

impl Issuer {
    /// Publishes these keys.
    pub(crate) async fn start(keys: Vec<Value>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(Published::default()));
        let end = CancellationToken::new();
        let (served, ended) = (Arc::clone(&state), end.clone());
        let (counted, asked) = watch::channel(0);
        let answering = Arc::<tokio::sync::Mutex<()>>::default();
        let may_answer = Arc::clone(&answering);
        TaskTracker::new().spawn(async move {
            let serve = async {
                while let Ok((mut stream, _)) = listener.accept().await {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = stream.read_u8().await else {
                            break;
                        };
                        request.push(byte);
                    }
                    counted.send_modify(|count| *count += 1);
                    drop(may_answer.lock().await);
                    let response = served.lock().expect("sound").response();
                    let _ = stream.write_all(response.as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            };
            let _ = ended.run_until_cancelled(serve).await;
        });
        let issuer = Self {
            address,
            state,
            asked,
            answering,
            _end: end.drop_guard(),
        };
        issuer.publish(keys);
        issuer
    }

    /// For `DB_CHAT_JWT_JWKS_URL`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    /// Publishes other keys from now on.
    pub(crate) fn publish(&self, keys: Vec<Value>) {
        self.state.lock().expect("sound").body = json!({ "keys": keys }).to_string();
    }

    /// Answers every fetch with an error from now on, or not any more.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.state.lock().expect("sound").is_down = is_down;
    }

    /// Holds answers back until what is returned is dropped.
    pub(crate) async fn hold(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.answering).lock_owned().await
    }

    /// Waits until so many requests have come.
    pub(crate) async fn asked(&self, count: usize) {
        let mut asked = self.asked.clone();
        let enough = asked.wait_for(|asked| *asked >= count);
        let enough = tokio::time::timeout(PATIENCE, enough).await;
        enough.expect("requests in time").expect("an issuer");
    }

    /// How often the keys were asked for.
    pub(crate) fn fetches(&self) -> usize {
        self.state.lock().expect("sound").fetches
    }
}

impl Published {
    fn response(&mut self) -> String {
        self.fetches += 1;
        let (status, body) = match self.is_down {
            true => ("503 Service Unavailable", ""),
            false => ("200 OK", self.body.as_str()),
        };
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}
