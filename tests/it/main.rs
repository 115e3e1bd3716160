//! Everything that needs IO: one binary, a module per behaviour.

#[cfg(test)]
mod providers;
#[cfg(test)]
mod support;
