//! The database being asked: its pool, its catalog, and the one function that runs checked SQL.

pub mod catalog;
mod connection_string;
mod cost;
pub mod error;
pub mod grants;
pub mod pool;
pub mod posture;
pub mod read_only;
pub mod row_scope;
mod tls;
mod types;
pub mod unreachable;

pub use error::QueryError;
