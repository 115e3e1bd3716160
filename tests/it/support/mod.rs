//! The wiring that all tests share.
pub(crate) mod fake_provider;
//! What the tests share: real servers of their own, and ways to make them fail.
pub(crate) mod cut_proxy;
pub(crate) mod redis;
