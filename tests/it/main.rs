//! Everything that needs IO: one binary, one module per behaviour.

mod catalog;
mod execute;
mod private_postgres;
mod support;
