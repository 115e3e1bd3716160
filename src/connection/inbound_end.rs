//! Ends what comes in on a TCP connection once both close frames are exchanged, so that the HTTP server ends the connection then, as
//! RFC 6455, section 7.1.1, wants it of a server.
//!
//! After an upgrade, actix-http writes what is left and then waits for the client to end TCP first, for up to a second
//! (`client_disconnect_timeout`). A client that rightly waits for the server would not know for as long that the connection is over.

use std::any::Any;
use std::os::fd::{AsRawFd, RawFd};

use actix_web::rt::net::TcpStream;
use nix::sys::socket::{Shutdown, shutdown};

/// Names the TCP connection that a request came on; kept beside the connection by the HTTP server.
#[derive(Debug, Clone, Copy)]
pub struct InboundEnd {
    /// Open for as long as the HTTP server has the connection, and nobody else polls the body of a response.
    connection: RawFd,
}

impl InboundEnd {
    /// For what `HttpServer::on_connect` is given; `None` where that is no TCP connection.
    #[must_use]
    pub fn of(connection: &dyn Any) -> Option<Self> {
        let stream = connection.downcast_ref::<TcpStream>()?;
        Some(Self {
            connection: stream.as_raw_fd(),
        })
    }

    /// To the HTTP server it looks as if the client had ended its side. For the body of the response only, while it is polled.
    pub(super) fn reach(self) {
        // Fails where the client is gone, which comes to the same.
        let _ = shutdown(self.connection, Shutdown::Read);
    }
}

/// Whether a piece of the stream is a client's close frame and nothing else: the answer to ours comes by itself.
pub(super) fn is_close_frame(piece: &[u8]) -> bool {
    const CLOSE: u8 = 0x88;
    const MASKED: u8 = 0x80;
    match piece {
        [CLOSE, second, mask_and_payload @ ..] if second & MASKED != 0 => {
            mask_and_payload.len() == 4 + usize::from(second & !MASKED)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_frame_is_known_by_its_shape() {
        assert!(is_close_frame(&[0x88, 0x80, 1, 2, 3, 4]));
        assert!(is_close_frame(&[0x88, 0x82, 1, 2, 3, 4, 5, 6]));
        for other in [
            &[][..],
            &[0x88],
            &[0x88, 0x82, 1, 2, 3, 4, 5],
            &[0x88, 0x02, 1, 2, 3, 4],
            &[0x81, 0x80, 1, 2, 3, 4],
        ] {
            assert!(!is_close_frame(other), "{other:?}");
        }
    }
}
