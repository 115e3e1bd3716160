//! JSON Web Tokens (RFC 7519), checked as RFC 8725 advises: the algorithm is that of the key and never the token's choice,
//! issuer and audience are compared, and a token without an end is none.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::Identity;
use super::error::{AuthError, AuthSetupError};
use super::jwks::IssuerKeys;
use super::signatures;
use crate::config::{JwtConfig, JwtKeys, Limits, TenantsConfig};
use crate::domain::principal::Principal;

/// Longest `sub`, and longest tenant, in bytes: they are kept with every conversation and row of the audit log.
const SUBJECT_BYTES_MAX: usize = 256;

/// The types of tokens that may open the door (RFC 7519, section 5.1, and RFC 9068). Others, such as logout tokens, are
/// signed with the same keys and mean something else.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];

/// Checks tokens of one issuer.
pub(super) struct TokenVerifier {
    keys: Keys,
    issuer: Option<String>,
    audience: Option<String>,
    clock_skew_seconds: u64,
    /// The claim with the tenant; `None` where tenants are not kept apart.
    tenant_claim: Option<String>,
}

enum Keys {
    /// One key, and the only algorithm that it is for.
    One(VerifyingKey),
    /// The keys that the issuer publishes.
    OfIssuer(IssuerKeys),
}

/// A key with the algorithm that it is for.
#[derive(Clone)]
pub(super) struct VerifyingKey {
    pub(super) key: DecodingKey,
    pub(super) algorithm: Algorithm,
}

/// What is read of a token beside what the crate checks by itself.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// Seconds since 1970, in whole ones or not (NumericDate).
    exp: f64,
    /// One name. The crate also takes a list that the issuer is in, which no issuer may write (RFC 7519, section 4.1.1).
    iss: Option<Value>,
    /// All others; only the tenant's is looked at.
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

impl TokenVerifier {
    pub(super) fn new(
        config: &JwtConfig,
        tenants: Option<&TenantsConfig>,
        limits: &Limits,
    ) -> Result<Self, AuthSetupError> {
        signatures::install();
        let keys = match &config.keys {
            JwtKeys::Secret(secret) => Keys::One(VerifyingKey {
                key: DecodingKey::from_secret(secret.expose_secret().as_bytes()),
                algorithm: Algorithm::HS256,
            }),
            JwtKeys::PublicKeyFile(path) => Keys::One(read_key(path)?),
            JwtKeys::JwksUrl(url) => Keys::OfIssuer(IssuerKeys::new(
                url,
                Duration::from_millis(limits.jwks_fetch_pause_ms),
            )?),
        };
        Ok(Self {
            keys,
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            clock_skew_seconds: config.clock_skew_seconds,
            tenant_claim: tenants.map(|tenants| tenants.claim.clone()),
        })
    }

    /// Whom a token proves: `jwt:issuer|subject`; until its `exp` and the clock skew are over.
    pub(super) async fn verify(&self, token: &SecretString) -> Result<Identity, AuthError> {
        let token = token.expose_secret();
        let header = decode_header(token).map_err(|_| invalid("it is no token"))?;
        check_header(&header)?;
        let key = match &self.keys {
            Keys::One(key) => key.clone(),
            Keys::OfIssuer(keys) => keys.find(header.kid.as_deref()).await?,
        };
        let claims = decode::<Claims>(token, &key.key, &self.validation(key.algorithm))
            .map_err(|error| refusal(error.kind()))?
            .claims;
        if !is_name(&claims.sub) {
            return Err(invalid("the subject is no name"));
        }
        if self.issuer.is_some() && !matches!(claims.iss, Some(Value::String(_))) {
            return Err(invalid("the issuer is no name"));
        }
        let expires_at = self.end(claims.exp);
        // The crate counts in whole seconds, and a connection must not be opened only to end at once.
        if expires_at.is_some_and(|expires_at| expires_at <= SystemTime::now()) {
            return Err(AuthError::Expired);
        }
        let issuer = self.issuer.as_deref().unwrap_or_default();
        let mut principal = Principal::proved("jwt", &format!("{issuer}|{}", claims.sub));
        if let Some(claim) = &self.tenant_claim {
            let tenant = match claim.as_str() {
                "sub" => Some(claims.sub),
                claim => claims.others.get(claim).and_then(tenant),
            };
            principal = principal.in_tenant(&tenant.ok_or(AuthError::NoTenant)?);
        }
        Ok(Identity {
            principal,
            expires_at,
        })
    }

    /// `None` for a token that lives longer than clocks can tell.
    fn end(&self, exp: f64) -> Option<SystemTime> {
        let since_1970 = Duration::try_from_secs_f64(exp).ok()?;
        SystemTime::UNIX_EPOCH
            .checked_add(since_1970)?
            .checked_add(Duration::from_secs(self.clock_skew_seconds))
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = self.clock_skew_seconds;
        validation.validate_nbf = true;
        let mut required = vec!["exp", "sub"];
        if let Some(issuer) = &self.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        // Without a configured audience a token that names one is refused: it is meant for somebody else.
        if let Some(audience) = &self.audience {
            validation.set_audience(&[audience]);
            required.push("aud");
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

/// A tenant as PostgreSQL is told it: a name or a whole number. A list would leave open which one is meant.
fn tenant(claim: &Value) -> Option<String> {
    let text = match claim {
        Value::String(text) => text.clone(),
        Value::Number(number) if !number.is_f64() => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            return None;
        }
    };
    is_name(&text).then_some(text)
}

/// Whether a text can be the name of somebody or of a tenant.
fn is_name(text: &str) -> bool {
    (1..=SUBJECT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn check_header(header: &Header) -> Result<(), AuthError> {
    // Extensions that must be understood (RFC 7515, section 4.1.11), and none is.
    if header.crit.is_some() {
        return Err(invalid("it needs an extension"));
    }
    let is_known = header
        .typ
        .as_ref()
        .is_none_or(|typ| TYPES.contains(&typ.to_ascii_lowercase().as_str()));
    if !is_known {
        return Err(invalid("it is a token of another type"));
    }
    Ok(())
}

fn read_key(path: &Path) -> Result<VerifyingKey, AuthSetupError> {
    let pem = std::fs::read(path).map_err(|source| AuthSetupError::KeyFile {
        path: path.to_owned(),
        source,
    })?;
    let rsa = DecodingKey::from_rsa_pem(&pem).map(|key| (key, Algorithm::RS256));
    let (key, algorithm) = rsa
        .or_else(|_| DecodingKey::from_ec_pem(&pem).map(|key| (key, Algorithm::ES256)))
        .map_err(|_| AuthSetupError::Key {
            path: path.to_owned(),
        })?;
    Ok(VerifyingKey { key, algorithm })
}

fn invalid(reason: &'static str) -> AuthError {
    AuthError::Invalid { reason }
}

/// What a failed check means. The crate's own errors can hold parts of a token.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the list of another crate, which may grow: what is not known is refused"
)]
fn refusal(kind: &ErrorKind) -> AuthError {
    match kind {
        ErrorKind::ExpiredSignature => AuthError::Expired,
        ErrorKind::InvalidSignature => invalid("the signature is wrong"),
        ErrorKind::InvalidAlgorithm => invalid("the algorithm is not the key's"),
        ErrorKind::InvalidIssuer => invalid("it is of another issuer"),
        ErrorKind::InvalidAudience => invalid("it is for another audience"),
        ErrorKind::ImmatureSignature => invalid("it is not valid yet"),
        ErrorKind::MissingRequiredClaim(_) => invalid("a claim is missing"),
        _ => invalid("it is not a token that can be used"),
    }
}
