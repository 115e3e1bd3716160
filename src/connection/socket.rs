//! Bytes to messages and back: the only file that names actix-ws. In: the upgrade request and the
//! outbox. Out: the handshake's response, whose body writes the outbox, and a [`SocketReader`].
//! Knows no JSON.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::error::PayloadError;
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, web};
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseReason, ProtocolError, Session};
use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Stream};
use tokio::task::coop::unconstrained;

use crate::protocol::close_code::CloseCode;

use super::frame_bounds::FrameBounds;
use super::half_close::HalfClose;
use super::outbox::{Outbox, Outgoing};

/// What came from the client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inbound {
    /// A text message, whole, valid UTF-8, within the size limit.
    Text(String),
    /// A ping, to be answered with the same bytes.
    Ping(Bytes),
    /// A pong, asked for or not.
    Pong,
    /// The client closes the connection in good order, with this code if it gave one.
    Closed(Option<u16>),
    /// The client broke the protocol or a limit; the connection is to be closed with this code.
    Broken(CloseCode),
    /// The socket is gone.
    Gone,
}

/// The reading half. Not `Send`: it stays on the worker thread that accepted the socket.
pub(super) struct SocketReader {
    messages: AggregatedMessageStream,
    watch: Rc<RefCell<Watch>>,
}

/// What the payload's watcher and the reader share.
struct Watch {
    bounds: FrameBounds,
    breach: Option<CloseCode>,
}

/// What a client may offer in `Sec-WebSocket-Protocol`. A browser that offers subprotocols fails a connection for which none
/// of them was selected, so one that has to offer something has a name that it can.
const SUBPROTOCOL: &str = "db-chat";

/// Frames that wait together are written together, up to about so many bytes.
const WRITE_BYTES: usize = 16 * 1024;

/// Shakes hands. No extension and no subprotocol but [`SUBPROTOCOL`] is accepted; a client that insists on one closes by itself.
///
/// # Errors
/// The request is no WebSocket handshake.
pub(super) async fn upgrade(
    request: &HttpRequest,
    payload: dev::Payload,
    message_bytes_max: usize,
    outbox: Outbox,
) -> Result<(HttpResponse, SocketReader), actix_web::Error> {
    let watch = Rc::new(RefCell::new(Watch {
        bounds: FrameBounds::new(message_bytes_max),
        breach: None,
    }));
    let watched = WatchedPayload {
        payload,
        watch: Rc::clone(&watch),
    };
    let watched: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> = Box::pin(watched);
    let payload = web::Payload::from_request(request, &mut dev::Payload::from(watched)).await?;
    let (response, session, messages) =
        actix_ws::handle_with_protocols(request, payload, &[SUBPROTOCOL])?;
    let response = response.map_body(|_, inner| {
        BoxBody::new(OutboxBody {
            inner,
            session: Some(session),
            outbox,
            half_close: request.conn_data().copied(),
        })
    });
    let messages = messages
        .max_frame_size(message_bytes_max)
        .aggregate_continuations()
        .max_continuation_size(message_bytes_max);
    Ok((response, SocketReader { messages, watch }))
}

impl SocketReader {
    /// The next message. After `Closed`, `Broken` or `Gone` there is none.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub(super) async fn next(&mut self) -> Inbound {
        match self.messages.recv().await {
            Some(Ok(AggregatedMessage::Text(text))) => Inbound::Text(text.into()),
            Some(Ok(AggregatedMessage::Binary(_))) => Inbound::Broken(CloseCode::UnsupportedData),
            Some(Ok(AggregatedMessage::Ping(payload))) => Inbound::Ping(payload),
            Some(Ok(AggregatedMessage::Pong(_))) => Inbound::Pong,
            Some(Ok(AggregatedMessage::Close(reason))) => {
                Inbound::Closed(reason.map(|reason| reason.code.into()))
            }
            Some(Err(error)) => self.failed(&error),
            None => match self.watch.borrow().breach {
                Some(code) => Inbound::Broken(code),
                None => Inbound::Gone,
            },
        }
    }

    fn failed(&self, error: &ProtocolError) -> Inbound {
        if let Some(code) = self.watch.borrow().breach {
            return Inbound::Broken(code);
        }
        match error {
            // The codec reports text that is not UTF-8 as invalid data, and a lost socket as any other IO error.
            ProtocolError::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                Inbound::Broken(CloseCode::InvalidPayload)
            }
            ProtocolError::Io(_) => Inbound::Gone,
            ProtocolError::Overflow => Inbound::Broken(CloseCode::TooBig),
            ProtocolError::UnmaskedFrame
            | ProtocolError::MaskedFrame
            | ProtocolError::InvalidOpcode(_)
            | ProtocolError::InvalidLength(_)
            | ProtocolError::BadOpCode
            | ProtocolError::ContinuationNotStarted
            | ProtocolError::ContinuationStarted
            | ProtocolError::ContinuationFragment(_) => Inbound::Broken(CloseCode::ProtocolError),
        }
    }
}

/// The request's payload, cut off where it breaches the bounds.
struct WatchedPayload {
    payload: dev::Payload,
    watch: Rc<RefCell<Watch>>,
}

impl Stream for WatchedPayload {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.watch.borrow().breach.is_some() {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.payload).poll_next(context);
        let Poll::Ready(Some(Ok(piece))) = polled else {
            return polled;
        };
        let mut watch = self.watch.borrow_mut();
        // The frames before the bad one, and before the last one, were sent in good faith.
        let good_bytes = match watch.bounds.follow(&piece) {
            Ok(good_bytes) => good_bytes,
            Err(breach) => {
                watch.breach = Some(breach.code);
                breach.good_bytes
            }
        };
        let good = piece.slice(..good_bytes);
        Poll::Ready((!good.is_empty()).then_some(Ok(good)))
    }
}

/// The response's body: takes from the outbox whenever the worker wants bytes, so that what waits is counted in the outbox and not
/// hidden in a channel of actix-ws, nor in the worker's buffer: the server is built to ask for more only when the kernel has
/// taken what it was given before (`app`, `h1_write_buffer_size`). So when it asks after the close frame, that one is on its way.
///
/// That channel is used outside of tokio's cooperative budget: a task that has used it up is told that a channel with room has
/// none, and that one with a message is empty, which would lose the frame. The outbox bounds what is written in one go.
struct OutboxBody {
    /// The body made by actix-ws, which encodes what the session is given.
    inner: BoxBody,
    session: Option<Session>,
    outbox: Outbox,
    half_close: Option<HalfClose>,
}

impl OutboxBody {
    /// Hands one frame to the encoder, which has room: it was just found empty.
    fn encode(&mut self, outgoing: Outgoing) {
        let Some(mut session) = self.session.take() else {
            return;
        };
        let sent = match outgoing {
            Outgoing::Text(text) => unconstrained(session.text(&*text)).now_or_never(),
            Outgoing::Ping => unconstrained(session.ping(b"")).now_or_never(),
            Outgoing::Pong(payload) => unconstrained(session.pong(&payload)).now_or_never(),
            Outgoing::Close(code) => {
                let reason = CloseReason {
                    code: code.as_u16().into(),
                    description: Some(code.reason().to_owned()),
                };
                // The session ends with its close frame.
                let _ = unconstrained(session.close(Some(reason))).now_or_never();
                return;
            }
        };
        if matches!(sent, Some(Ok(()))) {
            self.session = Some(session);
        }
    }

    /// The bytes of the next frame.
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Box<dyn std::error::Error>>>> {
        loop {
            let inner = &mut self.inner;
            let encoded = poll_fn(|context| Pin::new(&mut *inner).poll_next(context));
            if let Poll::Ready(bytes) = Pin::new(&mut unconstrained(encoded)).poll(context) {
                return Poll::Ready(bytes);
            }
            match self.outbox.poll_next(context) {
                Poll::Ready(Some(outgoing)) => self.encode(outgoing),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl MessageBody for OutboxBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let mut batch = BytesMut::new();
        while batch.len() < WRITE_BYTES {
            match self.poll_frame(context)? {
                // The usual case: alone, it is not copied.
                Poll::Ready(Some(bytes)) if batch.is_empty() && !self.outbox.has_waiting() => {
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Poll::Ready(Some(bytes)) => batch.extend_from_slice(&bytes),
                Poll::Ready(None) | Poll::Pending if !batch.is_empty() => break,
                Poll::Ready(None) => {
                    if let Some(half_close) = self.half_close.take() {
                        half_close.finish();
                    }
                    return Poll::Ready(None);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Some(Ok(batch.freeze())))
    }
}

impl Drop for OutboxBody {
    fn drop(&mut self) {
        self.outbox.body_dropped();
    }
}
