//! Ends a connection whose client still sends a body in chunks that nobody reads.
//!
//! After a response, actix-http goes on reading such a body for as long as chunks come, so that a client could keep it busy for
//! ever. It does not while somebody still holds the body: then it closes the connection, after a moment for the client to read the
//! response.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header;
use bytes::Bytes;
use futures_util::Stream;

/// The body of a request, held beside whoever reads it.
#[derive(Clone)]
pub(super) struct HeldBody {
    held: Rc<RefCell<Held>>,
}

struct Held {
    payload: Payload,
    has_ended: bool,
}

impl HeldBody {
    /// Takes hold of a body in chunks; others have a length, and the HTTP server knows what to do with them.
    pub(super) fn of(request: &mut ServiceRequest) -> Option<Self> {
        if !request.headers().contains_key(header::TRANSFER_ENCODING) {
            return None;
        }
        let held = Held {
            payload: request.take_payload(),
            has_ended: false,
        };
        let body = Self {
            held: Rc::new(RefCell::new(held)),
        };
        let reading: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> =
            Box::pin(body.clone());
        request.set_payload(Payload::from(reading));
        Some(body)
    }

    /// The same response, which holds the request's body to its own end, unless that was read.
    pub(super) fn within(self, response: BoxBody) -> BoxBody {
        if self.held.borrow().has_ended {
            return response;
        }
        BoxBody::new(Holding {
            response,
            _request: self,
        })
    }
}

impl Stream for HeldBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut held = self.held.borrow_mut();
        let polled = Pin::new(&mut held.payload).poll_next(context);
        held.has_ended |= matches!(polled, Poll::Ready(None));
        polled
    }
}

/// The body of a response and that of its request.
struct Holding {
    response: BoxBody,
    _request: HeldBody,
}

impl MessageBody for Holding {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.response.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.response).poll_next(context)
    }
}
