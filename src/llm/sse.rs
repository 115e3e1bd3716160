//! Bytes of a reply's body in, server-sent events out.
//!
//! `eventsource-stream` does the parsing. Before it sees the bytes they are cut into whole lines, cleaned and bounded here, because the
//! crate (0.2.3) panics on a byte-order mark, needs quadratic time for an event that arrives in many pieces, has no
//! limit on an event's size and drops a last event that no blank line closes. Knows no dialect and no JSON.

use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use eventsource_stream::{EventStreamError, Eventsource};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use tokio::sync::watch;

/// Bounds on one body.
#[derive(Debug, Clone)]
pub(super) struct SseBounds {
    /// Bytes of one event or one comment.
    pub(super) event_bytes_max: usize,
    /// Bytes of the whole body, framing and comments included.
    pub(super) body_bytes_max: usize,
    /// Longest time without any byte; comments count as life. May be changed between two events.
    pub(super) idle_timeout: watch::Receiver<Duration>,
}

/// Why a body gave no further event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SseError {
    /// Not a byte came for the idle timeout.
    #[error("no byte within the idle timeout")]
    Idle,
    /// The connection broke.
    #[error("{0}")]
    Broken(String),
    /// An event or the body is larger than its bound.
    #[error("{what} is larger than {bytes_max} bytes")]
    TooLarge {
        /// `an event` or `the reply`.
        what: &'static str,
        /// The bound.
        bytes_max: usize,
    },
    /// The bytes are not UTF-8. An error rather than a replacement character: in a query, a replaced
    /// character would silently be another question.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// The event parser gave up.
    #[error("the event stream cannot be parsed")]
    Malformed,
}

/// The `data` of each event of a body, as it comes. Event names, ids and comments are left out: every dialect repeats
/// the name inside the data, or sends none.
///
/// The stream ends with the body, or after the first error. A last event without its blank line still counts.
pub(super) fn events<S, E>(
    body: S,
    bounds: SseBounds,
) -> BoxStream<'static, Result<String, SseError>>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin + 'static,
    E: Error + Send + 'static,
{
    let reader = LineReader {
        body: Some(body),
        body_bytes: 0,
        splitter: LineSplitter::new(bounds.event_bytes_max),
        bounds,
    };
    let lines = stream::unfold(reader, |mut reader| async move {
        Some((reader.next_line().await?, reader))
    });
    Box::pin(lines)
        .eventsource()
        .map(|event| match event {
            Ok(event) => Ok(event.data),
            Err(EventStreamError::Transport(error)) => Err(error),
            Err(EventStreamError::Utf8(_)) => Err(SseError::NotUtf8),
            Err(EventStreamError::Parser(_)) => Err(SseError::Malformed),
        })
        .boxed()
}

/// An error with its causes on one line: a network error's own text seldom says what happened.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

struct LineReader<S> {
    /// `None` once it has ended or broken.
    body: Option<S>,
    body_bytes: usize,
    splitter: LineSplitter,
    bounds: SseBounds,
}

impl<S, E> LineReader<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Error + 'static,
{
    async fn next_line(&mut self) -> Option<Result<Bytes, SseError>> {
        loop {
            if let Some(line) = self.splitter.lines.pop_front() {
                return Some(Ok(line));
            }
            let body = self.body.as_mut()?;
            let idle_timeout = *self.bounds.idle_timeout.borrow();
            if let Err(error) = match tokio::time::timeout(idle_timeout, body.next()).await {
                Err(_) => Err(SseError::Idle),
                Ok(Some(Err(error))) => Err(SseError::Broken(causes(&error))),
                Ok(Some(Ok(bytes))) => self.take(&bytes),
                Ok(None) => {
                    self.body = None;
                    self.splitter.end()
                }
            } {
                self.body = None;
                self.splitter.lines.clear();
                return Some(Err(error));
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), SseError> {
        self.body_bytes = self.body_bytes.saturating_add(bytes.len());
        if self.body_bytes > self.bounds.body_bytes_max {
            return Err(SseError::TooLarge {
                what: "the reply",
                bytes_max: self.bounds.body_bytes_max,
            });
        }
        self.splitter.push(bytes)
    }
}

/// Cuts bytes into lines, each ended by one `\n`, without comments and byte-order marks. Handing the parser one
/// line at a time keeps its cost linear.
struct LineSplitter {
    lines: VecDeque<Bytes>,
    line: Vec<u8>,
    /// The last line ended in `\r`: an `\n` that follows belongs to it.
    after_carriage_return: bool,
    /// Bytes of the event that no blank line has closed yet.
    event_bytes: usize,
    event_bytes_max: usize,
}

impl LineSplitter {
    fn new(event_bytes_max: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            line: Vec::new(),
            after_carriage_return: false,
            event_bytes: 0,
            event_bytes_max,
        }
    }

    fn push(&mut self, mut bytes: &[u8]) -> Result<(), SseError> {
        if self.after_carriage_return && !bytes.is_empty() {
            self.after_carriage_return = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(at) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, rest) = bytes.split_at(at);
            self.extend_line(line)?;
            self.end_line()?;
            bytes = match rest {
                [b'\r', b'\n', rest @ ..] | [_, rest @ ..] => rest,
                [] => rest,
            };
            self.after_carriage_return = bytes.is_empty() && rest == b"\r";
        }
        self.extend_line(bytes)
    }

    /// The body has ended: closes what is still open.
    fn end(&mut self) -> Result<(), SseError> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        if self.event_bytes > 0 {
            self.end_line()?;
        }
        Ok(())
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), SseError> {
        if self.event_bytes + self.line.len() + bytes.len() > self.event_bytes_max {
            return Err(SseError::TooLarge {
                what: "an event",
                bytes_max: self.event_bytes_max,
            });
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), SseError> {
        let mut line = std::mem::take(&mut self.line);
        let text = str::from_utf8(&line).map_err(|_| SseError::NotUtf8)?;
        // Before every line, not only the first: whichever reaches the parser first must not begin with one.
        let marks = text.len() - text.trim_start_matches('\u{feff}').len();
        line.drain(..marks);
        if line.first() == Some(&b':') {
            return Ok(());
        }
        self.event_bytes = match line.len() {
            0 => 0,
            bytes => self.event_bytes + bytes,
        };
        line.push(b'\n');
        self.lines.push_back(Bytes::from(line));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io;

    use super::*;

    fn bounds() -> SseBounds {
        SseBounds {
            event_bytes_max: 1 << 20,
            body_bytes_max: 64 << 20,
            idle_timeout: watch::channel(Duration::from_secs(60)).1,
        }
    }

    fn body(pieces: Vec<Vec<u8>>) -> impl Stream<Item = Result<Bytes, Infallible>> + Send + Unpin {
        stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from(piece))))
    }

    async fn parse(bytes: &[u8], piece_bytes: usize) -> Vec<Result<String, SseError>> {
        let pieces = bytes.chunks(piece_bytes).map(<[u8]>::to_vec).collect();
        events(body(pieces), bounds()).collect().await
    }

    /// Whatever the cuts, the events are the same.
    async fn check(input: &[u8], expected: &[&str]) {
        for piece_bytes in 1..=input.len().max(1) {
            let events: Vec<_> = parse(input, piece_bytes)
                .await
                .into_iter()
                .map(Result::unwrap)
                .collect();
            assert_eq!(events, expected, "in pieces of {piece_bytes} bytes");
        }
    }

    #[tokio::test]
    async fn every_line_end_and_every_cut_gives_the_same_events() {
        check(b"data: one\n\ndata:two\n\n", &["one", "two"]).await;
        check(
            b"event: x\r\ndata: one\r\n\r\ndata: two\r\n\r\n",
            &["one", "two"],
        )
        .await;
        check(b"data: one\r\rdata: two\r\r", &["one", "two"]).await;
        check("data: größer – 😀\n\n".as_bytes(), &["größer – 😀"]).await;
    }

    #[tokio::test]
    async fn data_lines_join_and_comments_and_stray_blank_lines_are_nothing() {
        check(
            b"\n\n: hello\ndata: a\n: between\ndata: b\n\n\n\n: bye\n",
            &["a\nb"],
        )
        .await;
    }

    #[tokio::test]
    async fn a_byte_order_mark_does_no_harm_wherever_it_stands() {
        check("\u{feff}data: one\n\n".as_bytes(), &["one"]).await;
        check("\u{feff}\u{feff}data: one\n\n".as_bytes(), &["one"]).await;
        check(": comment\n\u{feff}data: one\n\n".as_bytes(), &["one"]).await;
        check("\u{feff}".as_bytes(), &[]).await;
    }

    #[tokio::test]
    async fn a_last_event_without_its_blank_line_counts() {
        check(b"data: one\n\ndata: [DONE]", &["one", "[DONE]"]).await;
        check(b"data: one\n\ndata: [DONE]\n", &["one", "[DONE]"]).await;
        check(b"data: one\r\rdata: [DONE]\r", &["one", "[DONE]"]).await;
    }

    #[tokio::test]
    async fn text_that_is_not_utf8_is_an_error_and_ends_the_stream() {
        let events = parse(b"data: one\n\ndata: \xff\n\ndata: two\n\n", 1).await;
        assert_eq!(events, [Ok("one".to_owned()), Err(SseError::NotUtf8)]);
        let events = parse("data: é".as_bytes().strip_suffix(b"\xa9").unwrap(), 3).await;
        assert_eq!(events, [Err(SseError::NotUtf8)]);
    }

    #[tokio::test]
    async fn an_event_beyond_its_bound_is_an_error_not_memory() {
        let small = SseBounds {
            event_bytes_max: 64,
            ..bounds()
        };
        for endless in [&b"x"[..], b"data: x\n", b": "] {
            let mut pieces = vec![b"data: ".to_vec()];
            pieces.extend(vec![endless.to_vec(); 100]);
            let events: Vec<_> = events(body(pieces), small.clone()).collect().await;
            assert!(matches!(
                events[..],
                [Err(SseError::TooLarge {
                    what: "an event",
                    ..
                })]
            ));
        }
    }

    #[tokio::test]
    async fn many_small_events_and_comments_are_bounded_by_the_body() {
        let small = SseBounds {
            body_bytes_max: 100,
            ..bounds()
        };
        let pieces = vec![b": ping\ndata: x\n\n".to_vec(); 50];
        let events: Vec<_> = events(body(pieces), small.clone()).collect().await;
        assert_eq!(events.len(), 7);
        assert!(matches!(
            events.last(),
            Some(Err(SseError::TooLarge {
                what: "the reply",
                ..
            }))
        ));
    }

    #[tokio::test]
    async fn a_broken_body_is_an_error_even_inside_an_event() {
        let pieces = vec![
            Ok(Bytes::from_static(b"data: one\n\ndata: {\"half\"")),
            Err(io::Error::other("reset by peer")),
        ];
        let events: Vec<_> = events(stream::iter(pieces), bounds()).collect().await;
        assert_eq!(
            events,
            [
                Ok("one".to_owned()),
                Err(SseError::Broken("reset by peer".to_owned()))
            ]
        );
    }

    #[tokio::test]
    async fn an_event_of_eight_megabytes_in_small_pieces_is_a_matter_of_a_moment() {
        let large = SseBounds {
            event_bytes_max: 16 << 20,
            ..bounds()
        };
        let one_line = vec![b'x'; 8 << 20];
        let many_lines = format!("{}\ndata: ", "x".repeat(121))
            .into_bytes()
            .repeat(8 << 13);
        for text in [one_line, many_lines] {
            let bytes = [&b"data: "[..], &text, b"\n\n"].concat();
            let pieces = bytes.chunks(1_024).map(<[u8]>::to_vec).collect();
            let started = std::time::Instant::now();
            let events: Vec<_> = events(body(pieces), large.clone()).collect().await;
            assert!(matches!(&events[..], [Ok(event)] if event.len() > 7 << 20));
            // Fed with the pieces as they are, the parser would be at it for many minutes.
            assert!(started.elapsed() < Duration::from_secs(20));
        }
    }

    #[tokio::test]
    async fn a_large_event_in_small_pieces_costs_time_in_proportion() {
        // Each byte is looked at once here; the parser is given one whole line. Counted in lines, not in seconds.
        let mut splitter = LineSplitter::new(1 << 20);
        for piece in vec![b'x'; 1_000_000].chunks(1_000) {
            splitter.push(piece).unwrap();
        }
        splitter.push(b"\n\n").unwrap();
        assert_eq!(splitter.lines.len(), 2);
    }
}
