//! Everything that needs IO: one binary, one module per behaviour.

mod private_postgres;
