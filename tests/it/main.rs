//! Everything that needs IO: one binary, one module per behaviour.

#[cfg(test)]
mod conversations;
#[cfg(test)]
mod private_postgres;
#[cfg(test)]
mod support;
