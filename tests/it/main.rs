//! Everything that needs IO: one binary, a module per behaviour.
#[cfg(test)]
mod providers;
//! All tests that need a server, a socket or a file, in one binary: one to link.
mod conversations;
mod support;
