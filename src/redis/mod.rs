//! The connection to Redis or Valkey that everything shared between instances goes over: conversations, tickets, limits.
//! Knows commands, scripts and deadlines; what is stored is for others to know.

mod connection;
mod driver;
mod keys;
mod subscription;
mod url;

pub use connection::RedisConnection;
pub use keys::Keys;
pub use subscription::{Heard, Subscription};
pub use url::RedisUrlError;
