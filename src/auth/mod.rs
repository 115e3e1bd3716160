//! Who somebody is: a credential in, a [`Principal`] out. Knows API keys, JSON Web Tokens and one-time tickets, and
//! nothing of HTTP. No credential stands in any error, log or `Debug` of this layer.

mod api_keys;
pub mod error;
mod jwks;
mod jwt;
mod signatures;
mod tickets;

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

    /// Whom a credential proves.
    ///
    /// # Errors
    /// Nobody: it is not valid, not valid any more, or cannot be checked at present; or somebody of no tenant, where only members
    /// of one may come in.
    pub async fn authenticate(&self, credential: &Credential) -> Result<Principal, AuthError> {
        let principal = self.prove(credential).await?;
        if self.needs_tenant && principal.tenant().is_none() {
            return Err(AuthError::NoTenant);
        }
        Ok(principal)
    }

    async fn prove(&self, credential: &Credential) -> Result<Principal, AuthError> {
        let (text, tokens) = match credential {
            Credential::ApiKey(text) => (text, None),
            Credential::Bearer(text) => (text, self.tokens.as_ref()),
        };
        if let Some(principal) = self.api_keys.find(text) {
            return Ok(principal);
        }
        match tokens {
            Some(tokens) => tokens.verify(text).await,
            None => Err(AuthError::Invalid {
                reason: "no such key",
            }),
        }
    }
}
