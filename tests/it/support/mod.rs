//! The wiring that all tests share.

pub(crate) mod postgres;
