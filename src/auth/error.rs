//! What can go wrong with credentials. Reasons are fixed words: nothing of a credential is in them.

use std::path::PathBuf;

/// Nobody was proved.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The credential is not valid. The reason is for the log at debug; a client is not told which check failed.
    #[error("the credential is not valid: {reason}")]
    Invalid {
        /// Which check failed.
        reason: &'static str,
    },
    /// The token was valid until its time was over.
    #[error("the token has expired")]
    Expired,
    /// Tenants are kept apart, and the credential names none that can be.
    #[error("the credential names no tenant")]
    NoTenant,
    /// The issuer's keys cannot be had.
    #[error("the keys of the tokens' issuer cannot be fetched")]
    KeysUnavailable {
        /// Why, from the fetch that failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A setting that credentials cannot be checked with.
#[derive(Debug, thiserror::Error)]
pub enum AuthSetupError {
    /// The file with the public key cannot be read.
    #[error("DB_CHAT_JWT_PUBLIC_KEY_FILE: {path} cannot be read")]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// The system's own words.
        #[source]
        source: std::io::Error,
    },
    /// The file holds no key that can be used.
    #[error(
        "DB_CHAT_JWT_PUBLIC_KEY_FILE: {path} is no public key in PEM, RSA of 2048 bits or more, or EC on the curve P-256"
    )]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// The address of the issuer's keys is none.
    #[error("DB_CHAT_JWT_JWKS_URL is no address")]
    KeySetAddress {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The client that fetches keys cannot be built.
    #[error("the client for DB_CHAT_JWT_JWKS_URL cannot be built")]
    Client {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A ticket that could not be written or looked up.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// Redis is away.
    #[error("tickets cannot be kept or looked up in Redis")]
    Unavailable {
        /// The driver's own words.
        #[source]
        source: fred::error::Error,
    },
    /// So many tickets wait to be used that no more are kept.
    #[error("too many tickets wait to be used")]
    TooMany,
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
}
