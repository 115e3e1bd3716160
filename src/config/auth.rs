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

/// A colon and a number; anything else could be a password in front of another host.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':')
        .is_some_and(|port| port.parse::<u16>().is_ok())
}

/// Whoever can change the keys on their way can sign any token.
fn is_safe_url(url: &str) -> bool {
    if let Some(rest) = url.strip_prefix("https://") {
        return !rest.is_empty();
    }
    url.strip_prefix("http://").is_some_and(|rest| {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        ["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .any(|host| authority == *host || authority.strip_prefix(*host).is_some_and(is_port))
    })
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, resolve};

    const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    /// The settings that these variables make, or each fault as `setting: problem`.
    fn read(variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        resolve(None, variables, &[]).map_err(|error| {
            let faults = error.faults.iter();
            faults
                .map(|fault| format!("{}: {}", fault.setting, fault.problem))
                .collect()
        })
    }

    fn check(variables: &[(&str, &str)], expected: &[&str]) {
        let faults = read(variables).err().unwrap_or_default();
        assert_eq!(faults, expected, "{variables:?}");
        // Whatever is wrong with a secret, it is not repeated.
        let repeated = faults.iter().any(|fault| fault.contains("hunter2"));
        assert!(!repeated, "{faults:?}");
    }

    #[test]
    fn nothing_is_set_by_default() {
        let auth = read(&[]).unwrap().auth;
        assert!(auth.api_keys.is_empty() && auth.jwt.is_none() && !auth.allow_unauthenticated);
    }

    #[test]
    fn keys_have_names_and_hashes() {
        let two = format!("ada:{SHA256}, grace.hopper_2-b:{}", SHA256.to_uppercase());
        let keys = read(&[("DB_CHAT_API_KEYS", &two)]).unwrap().auth.api_keys;
        let names: Vec<_> = keys.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, ["ada", "grace.hopper_2-b"]);
        assert_eq!(keys[0].sha256, keys[1].sha256);
        assert_eq!(keys[0].sha256[..3], [0x9f, 0x86, 0xd0]);
        for entry in [
            "dbchat_hunter2".to_owned(),
            "ada:hunter2".to_owned(),
            format!(":{SHA256}"),
            format!("ada{SHA256}"),
            format!("ada :{SHA256}"),
            format!("\u{e4}da:{SHA256}"),
            format!("{}:{SHA256}", "a".repeat(65)),
            format!("ada:{}", &SHA256[1..]),
            format!("ada:{SHA256}0"),
            format!("ada:{}g", &SHA256[1..]),
            format!("ada:+{}", &SHA256[1..]),
        ] {
            check(
                &[("DB_CHAT_API_KEYS", &format!("first:{SHA256},{entry}"))],
                &["DB_CHAT_API_KEYS: entry 2 is not name:sha256 as `db-chat key NAME` prints it"],
            );
        }
        check(
            &[("DB_CHAT_API_KEYS", &format!("ada:{SHA256},ada:{SHA256}"))],
            &["DB_CHAT_API_KEYS: the name ada is there twice"],
        );
    }

    #[test]
    fn tokens_have_one_kind_of_key() {
        const ONE: &str = "DB_CHAT_JWT_SECRET: only one of DB_CHAT_JWT_SECRET, DB_CHAT_JWT_PUBLIC_KEY_FILE and DB_CHAT_JWT_JWKS_URL may be set";
        let (secret, file, url) = (
            ("DB_CHAT_JWT_SECRET", SECRET),
            ("DB_CHAT_JWT_PUBLIC_KEY_FILE", "/key.pem"),
            ("DB_CHAT_JWT_JWKS_URL", "https://login.example.com/keys"),
        );
        let (issuer, audience) = (
            ("DB_CHAT_JWT_ISSUER", "https://login.example.com/"),
            ("DB_CHAT_JWT_AUDIENCE", "db-chat"),
        );
        check(&[secret], &[]);
        check(&[secret, issuer, audience], &[]);
        check(&[file, issuer, audience], &[]);
        check(&[url, issuer, audience], &[]);
        check(&[secret, file, issuer, audience], &[ONE]);
        check(&[secret, url, issuer, audience], &[ONE]);
        check(&[file, url, issuer, audience], &[ONE]);
        check(
            &[("DB_CHAT_JWT_SECRET", "hunter2")],
            &["DB_CHAT_JWT_SECRET: must be at least 32 bytes long"],
        );
        check(
            &[("DB_CHAT_JWT_SECRET", &SECRET[1..])],
            &["DB_CHAT_JWT_SECRET: must be at least 32 bytes long"],
        );
    }

    #[test]
    fn a_published_key_needs_issuer_and_audience_and_these_need_a_key() {
        const ISSUER: &str = "DB_CHAT_JWT_ISSUER: must be set with a public key or a JWKS address";
        const AUDIENCE: &str =
            "DB_CHAT_JWT_AUDIENCE: must be set with a public key or a JWKS address";
        const NOTHING: &str = "DB_CHAT_JWT_ISSUER: means nothing without DB_CHAT_JWT_SECRET, DB_CHAT_JWT_PUBLIC_KEY_FILE or DB_CHAT_JWT_JWKS_URL";
        let (issuer, audience) = (("DB_CHAT_JWT_ISSUER", "i"), ("DB_CHAT_JWT_AUDIENCE", "a"));
        for key in [
            ("DB_CHAT_JWT_PUBLIC_KEY_FILE", "/key.pem"),
            ("DB_CHAT_JWT_JWKS_URL", "https://login.example.com/keys"),
        ] {
            check(&[key], &[ISSUER, AUDIENCE]);
            check(&[key, issuer], &[AUDIENCE]);
            check(&[key, audience], &[ISSUER]);
        }
        check(&[issuer], &[NOTHING]);
        check(&[audience], &[NOTHING]);
    }

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        const UNSAFE: &str = "DB_CHAT_JWT_JWKS_URL: must begin with https://, or with http:// and a loopback address";
        for (url, is_safe) in [
            ("https://login.example.com/keys", true),
            ("http://127.0.0.1/keys", true),
            ("http://127.0.0.1:8080/keys", true),
            ("http://localhost:8080", true),
            ("http://[::1]:8080/keys?a=b", true),
            ("https://", false),
            ("http://login.example.com/keys", false),
            ("http://localhost.evil.test/keys", false),
            ("http://127.0.0.1.evil.test/keys", false),
            ("http://localhost@evil.test/keys", false),
            ("http://localhost:8080@evil.test/keys", false),
            ("http://localhost:@evil.test/keys", false),
            ("http://[::1]:1@evil.test/keys", false),
            ("http://localhost:99999/keys", false),
            ("http://127.0.0.1#@evil.test/keys", false),
            ("ftp://127.0.0.1/keys", false),
            ("login.example.com", false),
        ] {
            let variables = [
                ("DB_CHAT_JWT_JWKS_URL", url),
                ("DB_CHAT_JWT_ISSUER", "i"),
                ("DB_CHAT_JWT_AUDIENCE", "a"),
            ];
            let expected: &[&str] = if is_safe { &[] } else { &[UNSAFE] };
            check(&variables, expected);
        }
    }

    #[test]
    fn a_clock_is_off_by_minutes_at_most() {
        let skew = |value| ("DB_CHAT_JWT_CLOCK_SKEW_SECONDS", value);
        let secret = ("DB_CHAT_JWT_SECRET", SECRET);
        for (value, seconds) in [("0", 0), ("600", 600)] {
            let jwt = read(&[secret, skew(value)]).unwrap().auth.jwt.unwrap();
            assert_eq!(jwt.clock_skew_seconds, seconds);
        }
        check(
            &[secret, skew("601")],
            &[
                "DB_CHAT_JWT_CLOCK_SKEW_SECONDS: must not be more than 600: tokens would live on long after their end",
            ],
        );
        for value in ["-1", "1.5", "a minute"] {
            let faults = read(&[secret, skew(value)]).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].starts_with("DB_CHAT_JWT_CLOCK_SKEW_SECONDS: "));
        }
    }

    #[test]
    fn letting_everybody_in_has_to_be_said_in_so_many_words() {
        let name = "DB_CHAT_ALLOW_UNAUTHENTICATED_ACCESS";
        assert!(read(&[(name, "true")]).unwrap().auth.allow_unauthenticated);
        let faults = read(&[(name, "perhaps")]).unwrap_err();
        assert!(faults[0].starts_with(name), "{faults:?}");
    }
}
