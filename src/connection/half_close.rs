//! Ends our side of a TCP connection once the last frame is on its way, as RFC 6455, section 7.1.1, wants it of a server.
//!
//! After an upgrade, actix-http waits for the client to go before it does so, for up to a second (`client_disconnect_timeout`): a
//! client that rightly waits for the server would not know for as long that the connection is over.

use std::any::Any;
use std::os::fd::{AsRawFd, RawFd};

use actix_web::rt::net::TcpStream;
use nix::sys::socket::{Shutdown, shutdown};

/// Names the TCP connection that a request came on; kept beside the connection by the HTTP server.
#[derive(Debug, Clone, Copy)]
pub struct HalfClose {
    /// Open for as long as the HTTP server has the connection, and the body of a response is polled by none but that one.
    connection: RawFd,
}

impl HalfClose {
    /// For what `HttpServer::on_connect` is given; `None` where that is no TCP connection.
    #[must_use]
    pub fn of(connection: &dyn Any) -> Option<Self> {
        let stream = connection.downcast_ref::<TcpStream>()?;
        Some(Self {
            connection: stream.as_raw_fd(),
        })
    }

    /// Tells the client that nothing more comes. For the body of the response only, while it is polled.
    pub(super) fn finish(self) {
        // Fails where the client is gone: then there is nobody to be told.
        let _ = shutdown(self.connection, Shutdown::Write);
    }
}
