//! To be written.

pub mod demo;
pub mod private_postgres;
