//! What a fake provider answers: a head and a list of steps.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::within;

/// One answer. Built by chaining; a step that sends bytes sends the head first, so that what
/// stands before such a step happens before the status line.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) steps: Vec<Step>,
    pub(super) encoding: Encoding,
}

/// How events become bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Encoding {
    pub(super) line_end: LineEnd,
    pub(super) byte_order_mark: bool,
    /// Each piece arrives by itself, as a chunk of the transfer encoding.
    pub(super) piece_bytes: Option<usize>,
}

/// How lines of events end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum LineEnd {
    #[default]
    Lf,
    CrLf,
    Cr,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Sends the status line and the headers.
    Head,
    /// Sends an event in the dialect that was called.
    Event(Event),
    /// Sends the same event many times.
    Repeat(Event, usize),
    /// Sends bytes as they are.
    Raw(Vec<u8>),
    /// Sends an error body in the dialect that was called.
    ErrorBody { kind: String },
    /// Waits for the test.
    Wait(Gate),
    /// Takes its time.
    Pause(Duration),
    /// Does nothing until the client has gone.
    Stall,
    /// Sends an event at intervals until the client has gone.
    Drip(Event, Duration),
    /// Sends a byte at intervals, over and over the same ones, until the client has gone.
    DripBytes(Vec<u8>, Duration),
    /// Closes the connection in the middle of the body.
    Cut,
    /// Resets the connection.
    Reset,
}

/// What a model says, in no dialect yet.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Begin,
    Text(String),
    Thinking(String),
    Ping,
    Comment,
    Unknown,
    Finish(Stop),
    Error { kind: String },
}

/// Why a model stops.
#[derive(Debug, Clone)]
pub(crate) enum Stop {
    /// It has said everything.
    Complete,
    /// The cap was reached.
    TokensMax,
    /// It declines, with these words.
    Refusal(String),
}

impl Reply {
    /// Status 200, an event stream, and nothing in it yet.
    pub(crate) fn script() -> Self {
        Self {
            status: 200,
            headers: vec![(
                "content-type".to_owned(),
                "text/event-stream; charset=utf-8".to_owned(),
            )],
            steps: Vec::new(),
            encoding: Encoding::default(),
        }
    }

    /// A complete reply with this text, a word a delta.
    pub(crate) fn text(text: &str) -> Self {
        text.split_inclusive(' ')
            .fold(Self::script().begin(), Self::delta)
            .finish(Stop::Complete)
    }

    /// An error answer in the dialect that is called; `kind` is its type.
    pub(crate) fn error(status: u16, kind: &str) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            steps: vec![Step::ErrorBody {
                kind: kind.to_owned(),
            }],
            encoding: Encoding::default(),
        }
    }

    /// Any answer at all.
    pub(crate) fn raw(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            steps: vec![Step::Raw(body.into())],
            encoding: Encoding::default(),
        }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends the head and nothing else.
    pub(crate) fn head(self) -> Self {
        self.step(Step::Head)
    }

    /// What stands before the first word: Anthropic's `message_start`, Chat's chunk with the role.
    pub(crate) fn begin(self) -> Self {
        self.step(Step::Event(Event::Begin))
    }

    /// A delta of text.
    pub(crate) fn delta(self, text: &str) -> Self {
        self.step(Step::Event(Event::Text(text.to_owned())))
    }

    /// The same delta of text many times.
    pub(crate) fn deltas(self, text: &str, count: usize) -> Self {
        self.step(Step::Repeat(Event::Text(text.to_owned()), count))
    }

    /// A delta of thinking.
    pub(crate) fn thinking(self, text: &str) -> Self {
        self.step(Step::Event(Event::Thinking(text.to_owned())))
    }

    /// The same delta of thinking many times.
    pub(crate) fn thoughts(self, text: &str, count: usize) -> Self {
        self.step(Step::Repeat(Event::Thinking(text.to_owned()), count))
    }

    /// Anthropic's `ping`; elsewhere a comment.
    pub(crate) fn ping(self) -> Self {
        self.step(Step::Event(Event::Ping))
    }

    /// A comment.
    pub(crate) fn comment(self) -> Self {
        self.step(Step::Event(Event::Comment))
    }

    /// An event of a kind that does not exist yet.
    pub(crate) fn unknown(self) -> Self {
        self.step(Step::Event(Event::Unknown))
    }

    /// An error in the middle of the stream; `kind` is its type.
    pub(crate) fn error_event(self, kind: &str) -> Self {
        self.step(Step::Event(Event::Error {
            kind: kind.to_owned(),
        }))
    }

    /// The end as the dialect has it, counters included.
    pub(crate) fn finish(self, stop: Stop) -> Self {
        self.step(Step::Event(Event::Finish(stop)))
    }

    /// Bytes of the body as they are.
    pub(crate) fn bytes(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Raw(bytes.into()))
    }

    /// Waits until the test opens the gate.
    pub(crate) fn wait(self, gate: &Gate) -> Self {
        self.step(Step::Wait(gate.clone()))
    }

    /// Takes its time, as a model does between words.
    pub(crate) fn pause(self, pause: Duration) -> Self {
        self.step(Step::Pause(pause))
    }

    /// Falls silent until the client has gone.
    pub(crate) fn stall(self) -> Self {
        self.step(Step::Stall)
    }

    /// Sends a comment at intervals until the client has gone.
    pub(crate) fn drip_comments(self, every: Duration) -> Self {
        self.step(Step::Drip(Event::Comment, every))
    }

    /// Sends a delta of text at intervals until the client has gone.
    pub(crate) fn drip_text(self, text: &str, every: Duration) -> Self {
        self.step(Step::Drip(Event::Text(text.to_owned()), every))
    }

    /// Sends bytes one at a time, at intervals and over and over, until the client has gone.
    pub(crate) fn drip_bytes(self, bytes: impl Into<Vec<u8>>, every: Duration) -> Self {
        self.step(Step::DripBytes(bytes.into(), every))
    }

    /// Closes the connection, in the middle of whatever it was doing.
    pub(crate) fn cut(self) -> Self {
        self.step(Step::Cut)
    }

    /// Resets the connection.
    pub(crate) fn reset(self) -> Self {
        self.step(Step::Reset)
    }

    /// How lines of events end.
    pub(crate) fn line_end(mut self, line_end: LineEnd) -> Self {
        self.encoding.line_end = line_end;
        self
    }

    /// Puts a byte-order mark in front.
    pub(crate) fn byte_order_mark(mut self) -> Self {
        self.encoding.byte_order_mark = true;
        self
    }

    /// Sends the body in pieces of so many bytes, each by itself, wherever that cuts it.
    pub(crate) fn pieces_of(mut self, bytes: usize) -> Self {
        self.encoding.piece_bytes = Some(bytes);
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// Holds a reply until the test opens it. Clones are the same gate.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    state: Arc<watch::Sender<GateState>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct GateState {
    reached: bool,
    open: bool,
}

impl Gate {
    /// A closed gate.
    pub(crate) fn new() -> Self {
        Self {
            state: Arc::default(),
        }
    }

    /// Lets the reply go on.
    pub(crate) fn open(&self) {
        self.state.send_modify(|state| state.open = true);
    }

    /// Holds the replies that come to it from now on.
    pub(crate) fn close(&self) {
        self.state.send_modify(|state| state.open = false);
    }

    /// Returns once a reply stands before the gate: everything before it has been written to the socket.
    pub(crate) async fn reached(&self) {
        let mut state = self.state.subscribe();
        within(
            "a gate to be reached",
            state.wait_for(|state| state.reached),
        )
        .await
        .unwrap();
    }

    pub(super) async fn pass(&self) {
        self.state.send_modify(|state| state.reached = true);
        let mut state = self.state.subscribe();
        state.wait_for(|state| state.open).await.unwrap();
    }
}
