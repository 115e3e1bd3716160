//! Who somebody is: a credential in, a [`Principal`] out. Knows API keys, JSON Web Tokens and one-time tickets, and
//! nothing of HTTP. No credential stands in any error, log or `Debug` of this layer.

mod api_keys;
pub mod error;
mod jwks;
mod jwt;
mod signatures;
mod tickets;

use std::time::SystemTime;

use secrecy::SecretString;

pub use api_keys::NewApiKey;
pub use error::{AuthError, AuthSetupError, TicketError};
pub use tickets::{TICKET_SECONDS, Tickets};

use crate::config::{AuthConfig, Limits};
use crate::domain::principal::Principal;
use api_keys::ApiKeys;
use jwt::TokenVerifier;

/// What somebody shows at the door.
#[derive(Debug, Clone)]
pub enum Credential {
    /// What stands in a header that holds keys only.
    ApiKey(SecretString),
    /// A bearer token (RFC 6750): a JSON Web Token or a key.
    Bearer(SecretString),
}

/// Whom a credential proves, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub principal: Principal,
    /// When the credential is good no more, the clock skew included; `None` where it has no end.
    pub expires_at: Option<SystemTime>,
}

/// Checks credentials. One a process.
pub struct Authenticator {
    api_keys: ApiKeys,
    tokens: Option<TokenVerifier>,
    /// Whether only members of a tenant may come in; keys belong to none.
    needs_tenant: bool,
}

impl Authenticator {
    /// Reads what the settings name. Opens no connection: keys of an issuer are fetched when the first token comes.
    ///
    /// # Errors
    /// A key of the settings cannot be used.
    pub fn new(config: &AuthConfig, limits: &Limits) -> Result<Self, AuthSetupError> {
        Ok(Self {
            api_keys: ApiKeys::new(&config.api_keys),
            tokens: config
                .jwt
                .as_ref()
                .map(|jwt| TokenVerifier::new(jwt, config.tenants.as_ref(), limits))
                .transpose()?,
            needs_tenant: config.tenants.is_some(),
        })
    }

    /// Whether credentials are needed: where none are configured, everybody comes in unnamed.
    #[must_use]
    pub fn is_required(&self) -> bool {
        !self.api_keys.is_empty() || self.tokens.is_some() || self.needs_tenant
    }

    /// Whom a credential proves, and until when.
    ///
    /// # Errors
    /// Nobody: it is not valid, not valid any more, or cannot be checked at present; or somebody of no tenant, where only members
    /// of one may come in.
    pub async fn authenticate(&self, credential: &Credential) -> Result<Identity, AuthError> {
        let identity = self.prove(credential).await?;
        if self.needs_tenant && identity.principal.tenant().is_none() {
            return Err(AuthError::NoTenant);
        }
        Ok(identity)
    }

    async fn prove(&self, credential: &Credential) -> Result<Identity, AuthError> {
        let (text, tokens) = match credential {
            Credential::ApiKey(text) => (text, None),
            Credential::Bearer(text) => (text, self.tokens.as_ref()),
        };
        if let Some(principal) = self.api_keys.find(text) {
            return Ok(Identity {
                principal,
                expires_at: None,
            });
        }
        match tokens {
            Some(tokens) => tokens.verify(text).await,
            None => Err(AuthError::Invalid {
                reason: "no such key",
            }),
        }
    }
}
