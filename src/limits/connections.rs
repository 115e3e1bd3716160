//! Open connections of this process: in all, of one principal, from one address. A permit is given or refused at once, and
//! counts until it is dropped.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::subject::counted_address;
use crate::config::Limits;
use crate::domain::caller::Caller;
use crate::domain::principal::Principal;

/// Counts connections. Cheap to clone.
#[derive(Clone)]
pub struct ConnectionCounts {
    counts: Arc<Mutex<Counts>>,
    in_all_max: usize,
    per_principal_max: usize,
    per_address_max: usize,
}

#[derive(Default)]
struct Counts {
    in_all: usize,
    by_principal: HashMap<Principal, usize>,
    by_address: HashMap<IpAddr, usize>,
}

/// Which limit keeps a connection out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooManyConnections {
    /// Of everybody.
    InAll,
    /// Of this principal.
    OfPrincipal,
    /// From this address.
    FromAddress,
}

/// The right to one connection, given back when dropped.
pub struct ConnectionPermit {
    counts: Arc<Mutex<Counts>>,
    principal: Option<Principal>,
    address: Option<IpAddr>,
}

impl ConnectionCounts {
    /// None is open yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            counts: Arc::default(),
            in_all_max: limits.connections_max,
            per_principal_max: limits.connections_per_principal_max,
            per_address_max: limits.connections_per_address_max,
        }
    }

    /// Counts one more connection. Nobody in particular is not counted as a principal, and this machine not as an address.
    ///
    /// # Errors
    /// Which limit it would pass; then nothing is counted.
    pub fn enter(&self, caller: &Caller) -> Result<ConnectionPermit, TooManyConnections> {
        let principal = (!caller.principal.is_anonymous()).then(|| caller.principal.clone());
        let address = caller.address.map(counted_address);
        let mut counts = lock(&self.counts);
        if counts.in_all >= self.in_all_max {
            return Err(TooManyConnections::InAll);
        }
        if is_full(
            &counts.by_principal,
            principal.as_ref(),
            self.per_principal_max,
        ) {
            return Err(TooManyConnections::OfPrincipal);
        }
        if is_full(&counts.by_address, address.as_ref(), self.per_address_max) {
            return Err(TooManyConnections::FromAddress);
        }
        counts.in_all += 1;
        if let Some(principal) = &principal {
            *counts.by_principal.entry(principal.clone()).or_default() += 1;
        }
        if let Some(address) = address {
            *counts.by_address.entry(address).or_default() += 1;
        }
        drop(counts);
        Ok(ConnectionPermit {
            counts: Arc::clone(&self.counts),
            principal,
            address,
        })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        counts.in_all -= 1;
        leave(&mut counts.by_principal, self.principal.as_ref());
        leave(&mut counts.by_address, self.address.as_ref());
    }
}

fn is_full<K: Hash + Eq>(counts: &HashMap<K, usize>, key: Option<&K>, max: usize) -> bool {
    key.and_then(|key| counts.get(key))
        .is_some_and(|count| *count >= max)
}

/// Whoever has none left is forgotten, so that the map holds no more entries than there are connections.
fn leave<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: Option<&K>) {
    let Some(key) = key else { return };
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// Nothing that holds the lock can panic between two changes, so a poisoned one is still sound.
fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str, address: &str) -> Caller {
        Caller {
            principal: match name {
                "" => Principal::anonymous(),
                name => Principal::proved("key", name),
            },
            address: address.parse().ok(),
            expires_at: None,
        }
    }

    #[test]
    fn each_limit_keeps_out_what_passes_it_and_nothing_else() {
        let limits = Limits {
            connections_max: 5,
            connections_per_principal_max: 2,
            connections_per_address_max: 3,
            ..Limits::default()
        };
        let counts = ConnectionCounts::new(&limits);
        let enter = |name, address| counts.enter(&caller(name, address));
        let first = enter("ada", "192.0.2.1").ok().unwrap();
        let second = enter("ada", "192.0.2.2").ok().unwrap();
        assert_eq!(
            enter("ada", "192.0.2.3").err(),
            Some(TooManyConnections::OfPrincipal)
        );
        let third = enter("grace", "192.0.2.1").ok().unwrap();
        let fourth = enter("", "192.0.2.1").ok().unwrap();
        assert_eq!(
            enter("", "192.0.2.1").err(),
            Some(TooManyConnections::FromAddress)
        );
        let fifth = enter("", "").ok().unwrap();
        assert_eq!(enter("", "").err(), Some(TooManyConnections::InAll));
        drop(first);
        let again = enter("ada", "192.0.2.1").ok().unwrap();
        drop((second, third, fourth, fifth, again));
        let counts = lock(&counts.counts);
        assert_eq!(counts.in_all, 0);
        assert!(counts.by_principal.is_empty() && counts.by_address.is_empty());
    }
}
