//! How much anybody may have at once and in a minute. Counts, and knows nothing of what is counted.

mod connections;
mod rate;
mod subject;

pub use connections::{ConnectionCounts, ConnectionPermit, TooManyConnections};
pub use rate::{MinuteRate, RateError};
