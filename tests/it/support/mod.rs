//! What the tests share: real servers of their own, and ways to make them fail.

pub(crate) mod cut_proxy;
pub(crate) mod fake_provider;
pub(crate) mod issuer;
pub(crate) mod own_postgres;
pub(crate) mod postgres;
pub(crate) mod raw;
pub(crate) mod redis;
pub(crate) mod roles;
pub(crate) mod round_robin;
pub(crate) mod schemas;
pub(crate) mod serve_process;
pub(crate) mod server;
pub(crate) mod tls_front;
pub(crate) mod turns;
pub(crate) mod web_socket;
