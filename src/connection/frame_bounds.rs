//! Watches the client's bytes before the codec sees them and stops them at the first frame that breaks
//! RFC 6455 or a limit: by its header before its payload has arrived, by its payload at the first wrong byte. Pure.
//!
//! The codec behind it checks a size only once the whole frame is in memory, counts empty fragments against no limit, looks
//! at text only once the message is whole, takes lengths that are written longer than need be, and does not say which close
//! code an error calls for; all of that is settled here.

use crate::protocol::close_code::CloseCode;

use super::frame_header::{FrameHeader, HEADER_BYTES_MAX};
use super::utf8::Utf8Check;

/// Fragments without a byte in one message. A sender may flush an empty one; nobody needs many.
const EMPTY_FRAGMENTS_MAX: usize = 16;

/// RFC 6455, section 5.5.
const CONTROL_PAYLOAD_BYTES_MAX: u64 = 125;

/// Payload is unmasked for a look at it in steps of so many bytes; a multiple of the mask's length.
const UNMASK_BYTES: usize = 1024;

/// The state between two pieces of the byte stream.
#[derive(Debug)]
pub(super) struct FrameBounds {
    message_bytes_max: u64,
    /// Bytes of the header being collected.
    header: Vec<u8>,
    /// The frame whose payload is being received.
    frame: Option<Frame>,
    /// Bytes announced so far of the message being received.
    message_bytes: u64,
    /// Whether a fragmented message is open.
    in_message: bool,
    empty_fragments: usize,
    text: Utf8Check,
    /// The client has said its last.
    is_closed: bool,
}

/// Where the bytes had to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Breach {
    /// This many bytes, counted from the beginning of the piece, belong to frames that were fine.
    pub(super) good_bytes: usize,
    /// Why.
    pub(super) code: CloseCode,
}

/// A frame whose header was fine.
#[derive(Debug)]
struct Frame {
    payload: Payload,
    /// Bytes of it still to come.
    bytes_left: u64,
    /// Turned so that its first byte is for the next one to come.
    mask: [u8; 4],
}

/// What a payload has to be.
#[derive(Debug)]
enum Payload {
    /// A part of a text; the last one ends it.
    Text { is_last: bool },
    /// Empty, or a code and why.
    Close(Vec<u8>),
    /// Anything.
    Any,
}

impl FrameBounds {
    /// `message_bytes_max` bounds a message over all its fragments.
    pub(super) fn new(message_bytes_max: usize) -> Self {
        Self {
            message_bytes_max: message_bytes_max as u64,
            header: Vec::with_capacity(HEADER_BYTES_MAX),
            frame: None,
            message_bytes: 0,
            in_message: false,
            empty_fragments: 0,
            text: Utf8Check::default(),
            is_closed: false,
        }
    }

    /// Follows the next piece of the stream, and returns how many bytes of it are to be passed on: all, or those before the end
    /// of the client's close frame. What comes after that is no business of anybody's.
    ///
    /// # Errors
    /// A [`Breach`]; nothing may be followed after it.
    pub(super) fn follow(&mut self, piece: &[u8]) -> Result<usize, Breach> {
        let mut rest = piece;
        // Where the current frame began; one that began in an earlier piece begins at 0 here.
        let mut frame_start = 0;
        while !self.is_closed {
            let breach = |code| Breach {
                good_bytes: frame_start,
                code,
            };
            if self.frame.is_some() {
                rest = self.read_payload(rest).map_err(breach)?;
                if self.frame.is_some() {
                    return Ok(piece.len());
                }
                continue;
            }
            if self.header.is_empty() {
                frame_start = piece.len() - rest.len();
            }
            let breach = |code| Breach {
                good_bytes: frame_start,
                code,
            };
            let Some((&byte, after)) = rest.split_first() else {
                return Ok(piece.len());
            };
            rest = after;
            self.header.push(byte);
            if let Some(header) = FrameHeader::read(&self.header).map_err(breach)? {
                self.header.clear();
                let payload = self.admit(&header).map_err(breach)?;
                self.frame = Some(Frame {
                    payload,
                    bytes_left: header.length,
                    mask: header.mask,
                });
            }
        }
        Ok(piece.len() - rest.len())
    }

    /// Whether the client's close frame has come.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Looks at what has come of the current frame's payload, and gives back what comes after it.
    fn read_payload<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], CloseCode> {
        let Some(frame) = &mut self.frame else {
            return Ok(bytes);
        };
        let here = usize::try_from(frame.bytes_left)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let (part, rest) = bytes.split_at(here);
        match &mut frame.payload {
            Payload::Text { .. } => {
                let text = &mut self.text;
                let is_text = unmask(frame.mask, part, |plain| text.follow(plain).is_ok());
                if !is_text {
                    return Err(CloseCode::InvalidPayload);
                }
            }
            Payload::Close(payload) => {
                unmask(frame.mask, part, |plain| {
                    payload.extend_from_slice(plain);
                    true
                });
            }
            Payload::Any => {}
        }
        frame.mask.rotate_left(here % 4);
        frame.bytes_left -= here as u64;
        if frame.bytes_left > 0 {
            return Ok(rest);
        }
        match self.frame.take().map(|frame| frame.payload) {
            Some(Payload::Text { is_last: true }) => {
                let whole = self.text.finish();
                whole.map_err(|_| CloseCode::InvalidPayload)?;
            }
            Some(Payload::Close(payload)) => {
                check_close(&payload)?;
                self.is_closed = true;
            }
            Some(Payload::Text { is_last: false } | Payload::Any) | None => {}
        }
        Ok(rest)
    }

    fn admit(&mut self, header: &FrameHeader) -> Result<Payload, CloseCode> {
        match header.opcode {
            0x0 if !self.in_message => return Err(CloseCode::ProtocolError),
            0x1 | 0x2 if self.in_message => return Err(CloseCode::ProtocolError),
            0x2 => return Err(CloseCode::UnsupportedData),
            0x0 | 0x1 => {}
            0x8..=0xA if header.is_final && header.length <= CONTROL_PAYLOAD_BYTES_MAX => {
                return Ok(match header.opcode {
                    0x8 => Payload::Close(Vec::new()),
                    _ => Payload::Any,
                });
            }
            _ => return Err(CloseCode::ProtocolError),
        }
        self.message_bytes = self.message_bytes.saturating_add(header.length);
        if self.message_bytes > self.message_bytes_max {
            return Err(CloseCode::TooBig);
        }
        if header.is_final {
            self.in_message = false;
            self.message_bytes = 0;
            self.empty_fragments = 0;
        } else {
            self.in_message = true;
            self.empty_fragments += usize::from(header.length == 0);
            if self.empty_fragments > EMPTY_FRAGMENTS_MAX {
                return Err(CloseCode::PolicyViolation);
            }
        }
        let is_last = header.is_final;
        Ok(Payload::Text { is_last })
    }
}

/// Shows `look` the bytes without their mask, piece by piece, for as long as it says so; `false` if it did not.
fn unmask(mask: [u8; 4], bytes: &[u8], mut look: impl FnMut(&[u8]) -> bool) -> bool {
    let mut plain = [0; UNMASK_BYTES];
    bytes.chunks(UNMASK_BYTES).all(|chunk| {
        for ((plain, byte), mask) in plain.iter_mut().zip(chunk).zip(mask.iter().cycle()) {
            *plain = byte ^ mask;
        }
        look(plain.split_at(chunk.len()).0)
    })
}

/// RFC 6455, sections 5.5.1, 7.4 and 8.1; the codes from 1012 on are in IANA's registry.
fn check_close(payload: &[u8]) -> Result<(), CloseCode> {
    let &[high, low, ref reason @ ..] = payload else {
        return match payload {
            [] => Ok(()),
            _ => Err(CloseCode::ProtocolError),
        };
    };
    match u16::from_be_bytes([high, low]) {
        1000..=1003 | 1007..=1014 | 3000..=4999 => {}
        _ => return Err(CloseCode::ProtocolError),
    }
    match std::str::from_utf8(reason) {
        Ok(_) => Ok(()),
        Err(_) => Err(CloseCode::InvalidPayload),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MESSAGE_BYTES_MAX: usize = 1000;
    const MASK: [u8; 4] = [0x81, 2, 0xF3, 4];

    fn frame(first: u8, payload_bytes: usize) -> Vec<u8> {
        let mut bytes = header(first, payload_bytes as u64);
        // An empty reason, in a close frame.
        let plain = [0x03, 0xE8].iter().chain(std::iter::repeat(&b'x'));
        let plain = plain.skip(if first & 0x0F == 0x8 { 0 } else { 2 });
        let masked = plain
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask);
        bytes.extend(masked.take(payload_bytes));
        bytes
    }

    fn header(first: u8, length: u64) -> Vec<u8> {
        let mut bytes = vec![first];
        match length {
            0..=125 => bytes.push(0x80 | length as u8),
            126..=0xFFFF => {
                bytes.push(0x80 | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend(length.to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes
    }

    fn check(frames: &[Vec<u8>], expected: Result<(), (usize, CloseCode)>) {
        let stream = frames.concat();
        let found = FrameBounds::new(MESSAGE_BYTES_MAX).follow(&stream);
        let found = found.map(|passed| assert_eq!(passed, stream.len()));
        let expected = expected.map_err(|(good_frames, code)| Breach {
            good_bytes: frames[..good_frames].concat().len(),
            code,
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn messages_in_any_legal_shape_pass() {
        check(
            &[
                frame(0x81, 5),
                frame(0x01, 3),
                frame(0x89, 125),
                frame(0x00, 0),
                frame(0x80, 3),
                frame(0x8A, 0),
                frame(0x81, MESSAGE_BYTES_MAX),
                frame(0x88, 2),
            ],
            Ok(()),
        );
    }

    #[test]
    fn a_message_is_stopped_by_the_length_that_it_announces() {
        let huge = header(0x81, 1 << 31);
        check(&[frame(0x81, 5), huge], Err((1, CloseCode::TooBig)));
        check(
            &[frame(0x01, 600), frame(0x89, 1), frame(0x80, 401)],
            Err((2, CloseCode::TooBig)),
        );
        let mut negative = header(0x81, u64::MAX);
        negative.truncate(10);
        check(&[negative], Err((0, CloseCode::ProtocolError)));
    }

    #[test]
    fn binary_frames_are_not_spoken_here() {
        check(&[header(0x82, 1)], Err((0, CloseCode::UnsupportedData)));
        check(&[header(0x02, 1)], Err((0, CloseCode::UnsupportedData)));
    }

    #[test]
    fn what_rfc_6455_forbids_is_a_protocol_error() {
        for bytes in [
            header(0x80, 1),   // a continuation of nothing
            header(0xC1, 1),   // a reserved bit
            header(0x83, 1),   // a reserved opcode
            header(0x8B, 1),   // a reserved control opcode
            header(0x09, 1),   // a fragmented ping
            header(0x89, 126), // a long ping
            vec![0x81, 0x05],  // no mask
            // Lengths that could be written shorter.
            vec![0x81, 0xFE, 0, 125],
            vec![0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF],
        ] {
            check(&[bytes], Err((0, CloseCode::ProtocolError)));
        }
        check(
            &[frame(0x01, 1), frame(0x81, 1)],
            Err((1, CloseCode::ProtocolError)),
        );
    }

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = header(first, payload.len() as u64);
        bytes.extend(
            payload
                .iter()
                .zip(MASK.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        bytes
    }

    #[test]
    fn text_is_stopped_at_its_first_wrong_byte() {
        let mut wrong = masked(0x81, b"good \xce\xba \xff and much more");
        wrong.truncate(6 + 9);
        check(
            &[frame(0x81, 5), wrong.clone()],
            Err((1, CloseCode::InvalidPayload)),
        );
        wrong.truncate(6 + 8);
        check(&[wrong], Ok(()));
        check(
            &[
                masked(0x01, b"\xf0\x9f"),
                frame(0x89, 3),
                masked(0x00, b"\x98"),
                masked(0x80, b"\x80"),
            ],
            Ok(()),
        );
        check(
            &[masked(0x01, b"\xf0\x9f"), masked(0x80, b"\x98")],
            Err((1, CloseCode::InvalidPayload)),
        );
        check(
            &[masked(0x01, b"\xf0"), masked(0x80, b"")],
            Err((1, CloseCode::InvalidPayload)),
        );
    }

    #[test]
    fn a_close_frame_is_empty_or_has_a_code_that_can_be_sent_and_a_text() {
        for payload in [&b""[..], b"\x03\xe8", b"\x0b\xb8bye", b"\x13\x87\xc3\xbc"] {
            check(&[masked(0x88, payload)], Ok(()));
        }
        for payload in [
            &b"\x03"[..],
            b"\0\0",
            b"\x03\xec",
            b"\x03\xed",
            b"\x03\xee",
            b"\x03\xf7",
            b"\x13\x88",
        ] {
            check(&[masked(0x88, payload)], Err((0, CloseCode::ProtocolError)));
        }
        check(
            &[masked(0x88, b"\x03\xe8\xff")],
            Err((0, CloseCode::InvalidPayload)),
        );
    }

    #[test]
    fn what_comes_after_a_close_frame_is_not_looked_at() {
        let closing = frame(0x88, 2);
        let mut bounds = FrameBounds::new(MESSAGE_BYTES_MAX);
        let stream = [closing.clone(), vec![0xFF; 100]].concat();
        assert_eq!(bounds.follow(&stream), Ok(closing.len()));
        assert_eq!(bounds.follow(&stream), Ok(0));
    }

    #[test]
    fn empty_fragments_are_counted() {
        let mut frames = vec![frame(0x01, 0)];
        frames.extend(std::iter::repeat_n(frame(0x00, 0), EMPTY_FRAGMENTS_MAX));
        check(
            &frames,
            Err((EMPTY_FRAGMENTS_MAX, CloseCode::PolicyViolation)),
        );
    }

    proptest! {
        #[test]
        fn how_the_stream_is_cut_into_pieces_changes_nothing(
            frames in proptest::collection::vec((any::<u8>(), 0_usize..300), 0..8),
            cuts in proptest::collection::vec(1_usize..40, 0..200),
        ) {
            let stream = frames.iter().map(|&(first, bytes)| frame(first, bytes)).collect::<Vec<_>>().concat();
            let whole = FrameBounds::new(MESSAGE_BYTES_MAX).follow(&stream);

            let mut bounds = FrameBounds::new(MESSAGE_BYTES_MAX);
            let mut in_pieces = Ok(0);
            let mut rest = stream.as_slice();
            let mut cuts = cuts.into_iter().chain(std::iter::repeat(7));
            while !rest.is_empty() && in_pieces.is_ok() {
                let (piece, after) = rest.split_at(cuts.next().unwrap_or(7).min(rest.len()));
                rest = after;
                in_pieces = bounds.follow(piece);
            }
            let code = |followed: Result<usize, Breach>| followed.err().map(|breach| breach.code);
            prop_assert_eq!(code(whole), code(in_pieces));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = FrameBounds::new(MESSAGE_BYTES_MAX).follow(&bytes);
        }
    }
}
