//! The database being asked: its pool, its catalog, and the one function that runs checked SQL.

pub mod catalog;
pub mod error;

pub use error::QueryError;
