//! Somebody at the door.

use std::net::IpAddr;
use std::time::SystemTime;

use super::principal::Principal;

/// On whose behalf a request or a connection comes, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who asks.
    pub principal: Principal,
    /// The client's address, behind trusted proxies the one that they name; `None` where there is none, as in a shell.
    pub address: Option<IpAddr>,
    /// When what proved them is good no more; `None` where it has no end, as with an API key. A connection does not outlive it.
    pub expires_at: Option<SystemTime>,
}

impl Caller {
    /// Whoever sits at this machine: nobody in particular, from nowhere.
    #[must_use]
    pub fn local() -> Self {
        Self {
            principal: Principal::anonymous(),
            address: None,
            expires_at: None,
        }
    }
}
