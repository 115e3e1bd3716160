//! Who may come in: API keys and JSON Web Tokens.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use super::layers::Layers;
use super::load::{boolean, list, number, optional, secret, text};
use super::tenants::{self, TenantsConfig};

/// Fewest bytes of the secret of HS256 (RFC 7518, section 3.2): a shorter one can be found by trying.
const SECRET_BYTES_MIN: usize = 32;

/// Longest name of a key, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Who may come in.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// The keys that are let in.
    pub api_keys: Vec<ApiKeyEntry>,
    /// The tokens that are let in; `None`: no tokens.
    pub jwt: Option<JwtConfig>,
    /// How tenants are kept apart; `None`: whoever comes in sees the rows of all.
    pub tenants: Option<TenantsConfig>,
    /// Whether to listen beyond this machine although everybody may come in.
    pub allow_unauthenticated: bool,
}

/// One API key: its name and the SHA-256 of its text. The key itself is known to its client alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyEntry {
    /// Tells the key's conversations, limits and rows of the audit log from those of others.
    pub name: String,
    /// The hash.
    pub sha256: [u8; 32],
}

/// How tokens are checked.
#[derive(Debug, Clone)]
pub struct JwtConfig {
    /// What their signatures are checked with.
    pub keys: JwtKeys,
    /// The `iss` that they must have; `None` only with a secret: then whoever has the secret is the issuer.
    pub issuer: Option<String>,
    /// The `aud` that they must have; `None` only with a secret: then they must have none.
    pub audience: Option<String>,
    /// How far the issuer's clock may be off, in seconds.
    pub clock_skew_seconds: u64,
}

/// What the signatures of tokens are checked with.
#[derive(Debug, Clone)]
pub enum JwtKeys {
    /// A secret shared with the issuer (HS256).
    Secret(SecretString),
    /// A file with a public key in PEM (RS256 or ES256).
    PublicKeyFile(PathBuf),
    /// Where the issuer publishes its keys (RS256 and ES256).
    JwksUrl(String),
}

impl ApiKeyEntry {
    /// Reads `name:sha256` with the hash in 64 hexadecimal digits; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, hash) = text.split_once(':')?;
        let is_name = (1..=NAME_CHARS_MAX).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !is_name || hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut sha256 = [0; 32];
        for (index, byte) in sha256.iter_mut().enumerate() {
            let digits = hash.get(2 * index..2 * index + 2)?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(Self {
            name: name.to_owned(),
            sha256,
        })
    }
}

pub(super) fn read(layers: &mut Layers) -> AuthConfig {
    let mut auth = AuthConfig {
        api_keys: api_keys(layers),
        jwt: jwt(layers),
        tenants: None,
        allow_unauthenticated: boolean(layers, "DB_CHAT_ALLOW_UNAUTHENTICATED_ACCESS"),
    };
    auth.tenants = tenants::read(layers, &auth);
    auth
}

fn api_keys(layers: &mut Layers) -> Vec<ApiKeyEntry> {
    const NAME: &str = "DB_CHAT_API_KEYS";
    let mut entries: Vec<ApiKeyEntry> = Vec::new();
    for (index, item) in list(&text(layers, NAME)).iter().enumerate() {
        match ApiKeyEntry::parse(item) {
            // The entry is not repeated: somebody may have put the key itself there.
            None => layers.reject(
                NAME,
                format!(
                    "entry {} is not name:sha256 as `db-chat key NAME` prints it",
                    index + 1
                ),
            ),
            Some(entry) if entries.iter().any(|other| other.name == entry.name) => {
                layers.reject(NAME, format!("the name {} is there twice", entry.name));
            }
            Some(entry) => entries.push(entry),
        }
    }
    entries
}

fn jwt(layers: &mut Layers) -> Option<JwtConfig> {
    let secret = secret(layers, "DB_CHAT_JWT_SECRET").map(JwtKeys::Secret);
    let file = optional(layers, "DB_CHAT_JWT_PUBLIC_KEY_FILE");
    let url = optional(layers, "DB_CHAT_JWT_JWKS_URL");
    let mut sources: Vec<JwtKeys> = secret
        .into_iter()
        .chain(file.map(|path| JwtKeys::PublicKeyFile(path.into())))
        .chain(url.map(JwtKeys::JwksUrl))
        .collect();
    let issuer = optional(layers, "DB_CHAT_JWT_ISSUER");
    let audience = optional(layers, "DB_CHAT_JWT_AUDIENCE");
    let clock_skew_seconds = number(layers, "DB_CHAT_JWT_CLOCK_SKEW_SECONDS", 0);
    if clock_skew_seconds > 600 {
        layers.reject(
            "DB_CHAT_JWT_CLOCK_SKEW_SECONDS",
            "must not be more than 600: tokens would live on long after their end",
        );
    }
    if sources.len() > 1 {
        layers.reject(
            "DB_CHAT_JWT_SECRET",
            "only one of DB_CHAT_JWT_SECRET, DB_CHAT_JWT_PUBLIC_KEY_FILE and DB_CHAT_JWT_JWKS_URL may be set",
        );
    }
    let Some(keys) = sources.pop() else {
        if issuer.is_some() || audience.is_some() {
            layers.reject(
                "DB_CHAT_JWT_ISSUER",
                "means nothing without DB_CHAT_JWT_SECRET, DB_CHAT_JWT_PUBLIC_KEY_FILE or DB_CHAT_JWT_JWKS_URL",
            );
        }
        return None;
    };
    match &keys {
        JwtKeys::Secret(secret) => {
            if secret.expose_secret().len() < SECRET_BYTES_MIN {
                layers.reject(
                    "DB_CHAT_JWT_SECRET",
                    format!("must be at least {SECRET_BYTES_MIN} bytes long"),
                );
            }
        }
        JwtKeys::PublicKeyFile(_) | JwtKeys::JwksUrl(_) => {
            // Issuers sign for many servers with one key: these two say that a token is for this one.
            for (name, value) in [
                ("DB_CHAT_JWT_ISSUER", &issuer),
                ("DB_CHAT_JWT_AUDIENCE", &audience),
            ] {
                if value.is_none() {
                    layers.reject(name, "must be set with a public key or a JWKS address");
                }
            }
        }
    }
    if let JwtKeys::JwksUrl(url) = &keys
        && !is_safe_url(url)
    {
        layers.reject(
            "DB_CHAT_JWT_JWKS_URL",
            "must begin with https://, or with http:// and a loopback address",
        );
    }
    Some(JwtConfig {
        keys,
        issuer,
        audience,
        clock_skew_seconds,
    })
}

/// Whoever can change the keys on their way can sign any token.
fn is_safe_url(url: &str) -> bool {
    if let Some(rest) = url.strip_prefix("https://") {
        return !rest.is_empty();
    }
    url.strip_prefix("http://").is_some_and(|rest| {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| {
            authority == *host
                || authority
                    .strip_prefix(*host)
                    .is_some_and(|port| port.starts_with(':'))
        })
    })
}
