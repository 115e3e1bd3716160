//! `POST /api/chat/query/`: a question answered as one JSON document, or, with
//! `Accept: text/event-stream`, as the frames of the socket in server-sent events.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::domain::caller::Caller;
use crate::domain::ids::RequestId;
use crate::protocol::client_frame::QueryFrame;
use crate::protocol::server_frame::ServerFrame;
use crate::turns::{Delivered, Delivery, Ending, Following, TurnFrame};
use crate::wire::errors::WireError;
use crate::wire::questions;

use super::problem::HttpError;
use super::{Doors, body, envelope};

/// Frames that may wait for the response to take them; more merge in the turn's log.
const FRAMES_WAITING_MAX: usize = 4;

/// Proxies commonly cut a response that is silent for a minute; some do after 30 seconds.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Answers one question. A client that goes away stops it.
pub(super) async fn query(
    request: HttpRequest,
    payload: web::Payload,
    caller: web::ReqData<Caller>,
    doors: web::Data<Doors>,
) -> Result<HttpResponse, HttpError> {
    if doors.is_stopping() {
        return Err(WireError::shutting_down().into());
    }
    let limits = doors.limits();
    let text = body::read_json_text(&request, payload, limits).await?;
    let frame = QueryFrame::parse(&text).map_err(|unreadable| WireError::from(unreadable.fault))?;
    let question = questions::accept(
        frame,
        &caller,
        || envelope::request_id(&request),
        limits.question_chars_max,
    )?;

    let delivery = if wants_events(&request) {
        Delivery::Frames
    } else {
        Delivery::Body
    };
    let (sender, mut frames) = mpsc::channel(FRAMES_WAITING_MAX);
    // Actix drops the handler's future or the response's body when the client is gone.
    let following = doors.turns().ask(question, delivery, sender)?;

    match delivery {
        Delivery::Frames | Delivery::Resumable => Ok(HttpResponse::Ok()
            .content_type("text/event-stream; charset=utf-8")
            .insert_header((header::CACHE_CONTROL, "no-store"))
            // nginx would collect the whole response otherwise.
            .insert_header(("x-accel-buffering", "no"))
            .streaming(events(frames, following))),
        Delivery::Body => {
            let last = frames.recv().await;
            drop(following);
            respond(last)
        }
    }
}

fn respond(last: Option<Delivered>) -> Result<HttpResponse, HttpError> {
    let (text, ending) = match last {
        Some(Delivered::Frame(TurnFrame {
            text,
            ending: Some(ending),
            ..
        })) => (text, ending),
        Some(Delivered::Refused { error, .. }) => return Err(error.into()),
        Some(Delivered::Frame(_)) | None => return Err(WireError::internal().into()),
    };
    match ending {
        Ending::Answered => Ok(HttpResponse::Ok()
            .content_type("application/json")
            .body(String::from(&*text))),
        Ending::Failed(error) => Err(error.into()),
        Ending::Elsewhere => Err(WireError::internal().into()),
    }
}

/// Whether the client named the type of server-sent events; a bare `*/*` means JSON.
fn wants_events(request: &HttpRequest) -> bool {
    request
        .headers()
        .get_all(header::ACCEPT)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// What was known only after the response had begun.
fn refusal(request_id: &RequestId, error: &WireError) -> Bytes {
    let frame = ServerFrame::Refusal {
        request_id: Some(request_id.to_string()),
        error: error.body(),
    };
    // Maps with keys that are no strings cannot be written as JSON; frames have none.
    let text = serde_json::to_string(&frame).unwrap_or_default();
    Bytes::from(format!("event: {}\ndata: {text}\n\n", frame.name()))
}

/// The frames as server-sent events, each with its `seq` as id; a comment when nothing happens for a while.
fn events(
    frames: mpsc::Receiver<Delivered>,
    following: Following,
) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
    stream::unfold(Some((frames, following)), |reading| async move {
        let (mut frames, following) = reading?;
        let silent_until = Instant::now() + KEEP_ALIVE_INTERVAL;
        match tokio::time::timeout_at(silent_until, frames.recv()).await {
            Err(_) => Some((
                Ok(Bytes::from_static(b": still here\n\n")),
                Some((frames, following)),
            )),
            Ok(None) => None,
            Ok(Some(Delivered::Refused {
                request_id, error, ..
            })) => Some((Ok(refusal(&request_id, &error)), None)),
            Ok(Some(Delivered::Frame(frame))) => {
                let event = format!(
                    "id: {}\nevent: {}\ndata: {}\n\n",
                    frame.seq, frame.name, frame.text
                );
                let reading = frame.ending.is_none().then_some((frames, following));
                Some((Ok(Bytes::from(event)), reading))
            }
        }
    })
}
