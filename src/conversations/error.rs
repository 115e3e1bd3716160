//! What can go wrong with a conversation store.

/// A store operation that did not happen.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached or did not answer in time.
    #[error("the conversation store failed to {operation}")]
    Unavailable {
        /// What was tried: `load`, `append`, `rename`, `summarise`, `forget`, `list`, `ping`, or at start `open`.
        operation: &'static str,
        /// The driver's own words, or what is wrong with the address.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another turn was let into the conversation meanwhile; nothing was stored.
    #[error("the conversation was given to another turn")]
    Superseded,
    /// The conversation is of somebody else. A client is told what it would be told if there were none.
    #[error("the conversation is of somebody else")]
    NotOwned,
    /// What is stored under the key is no conversation that this version can read.
    #[error("the stored conversation cannot be read")]
    Corrupt {
        /// What the decoder said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
