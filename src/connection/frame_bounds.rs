//! Watches the client's bytes before the codec sees them and stops them at the first frame that breaks
//! RFC 6455 or a limit: from the frame's header alone, before its payload has arrived. Pure.
//!
//! The codec behind it checks a size only once the whole frame is in memory, counts empty fragments
//! against no limit, and does not say which close code an error calls for; all three are settled here.

use crate::protocol::close_code::CloseCode;

/// Fragments without a byte in one message. A sender may flush an empty one; nobody needs many.
const EMPTY_FRAGMENTS_MAX: usize = 16;

/// RFC 6455, section 5.5.
const CONTROL_PAYLOAD_BYTES_MAX: u64 = 125;

/// Two bytes, eight of extended length, four of mask.
const HEADER_BYTES_MAX: usize = 14;

/// The state between two pieces of the byte stream.
#[derive(Debug)]
pub(super) struct FrameBounds {
    message_bytes_max: u64,
    /// Bytes of the header being collected.
    header: Vec<u8>,
    /// Payload bytes still to come of the current frame.
    payload_left: u64,
    /// Bytes announced so far of the message being received.
    message_bytes: u64,
    /// Whether a fragmented message is open.
    in_message: bool,
    empty_fragments: usize,
}

/// Where the bytes had to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Breach {
    /// This many bytes, counted from the beginning of the piece, belong to frames that were fine.
    pub(super) good_bytes: usize,
    /// Why.
    pub(super) code: CloseCode,
}

/// What a complete header says.
struct Header {
    is_final: bool,
    opcode: u8,
    length: u64,
}

impl FrameBounds {
    /// `message_bytes_max` bounds a message over all its fragments.
    pub(super) fn new(message_bytes_max: usize) -> Self {
        Self {
            message_bytes_max: message_bytes_max as u64,
            header: Vec::with_capacity(HEADER_BYTES_MAX),
            payload_left: 0,
            message_bytes: 0,
            in_message: false,
            empty_fragments: 0,
        }
    }

    /// Follows the next piece of the stream.
    ///
    /// # Errors
    /// A [`Breach`]; nothing may be followed after it.
    pub(super) fn follow(&mut self, piece: &[u8]) -> Result<(), Breach> {
        let mut rest = piece;
        // Where the current frame began; a header that began in an earlier piece begins at 0 here.
        let mut frame_start = 0;
        loop {
            let skipped = usize::try_from(self.payload_left)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            rest = rest.split_at(skipped).1;
            self.payload_left -= skipped as u64;
            if self.header.is_empty() {
                frame_start = piece.len() - rest.len();
            }
            let Some((&byte, after)) = rest.split_first() else {
                return Ok(());
            };
            rest = after;
            self.header.push(byte);
            let breach = |code| Breach {
                good_bytes: frame_start,
                code,
            };
            if let Some(header) = read_header(&self.header).map_err(breach)? {
                self.header.clear();
                self.payload_left = header.length;
                self.admit(&header).map_err(breach)?;
            }
        }
    }

    fn admit(&mut self, header: &Header) -> Result<(), CloseCode> {
        match header.opcode {
            0x0 if !self.in_message => return Err(CloseCode::ProtocolError),
            0x1 | 0x2 if self.in_message => return Err(CloseCode::ProtocolError),
            0x2 => return Err(CloseCode::UnsupportedData),
            0x0 | 0x1 => {}
            0x8..=0xA if header.is_final && header.length <= CONTROL_PAYLOAD_BYTES_MAX => {
                return Ok(());
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
        Ok(())
    }
}

/// Reads a header (RFC 6455, section 5.2); `None` while bytes are missing.
fn read_header(bytes: &[u8]) -> Result<Option<Header>, CloseCode> {
    let &[first, ref rest @ ..] = bytes else {
        return Ok(None);
    };
    // Reserved bits belong to extensions, and none is negotiated.
    if first & 0x70 != 0 {
        return Err(CloseCode::ProtocolError);
    }
    let &[second, ref rest @ ..] = rest else {
        return Ok(None);
    };
    let is_masked = second & 0x80 != 0;
    if !is_masked {
        return Err(CloseCode::ProtocolError);
    }
    let (length, rest) = match (second & 0x7F, rest) {
        (126, &[a, b, ref rest @ ..]) => (u64::from(u16::from_be_bytes([a, b])), rest),
        (127, &[a, b, c, d, e, f, g, h, ref rest @ ..]) => {
            (u64::from_be_bytes([a, b, c, d, e, f, g, h]), rest)
        }
        (126 | 127, _) => return Ok(None),
        (length, rest) => (u64::from(length), rest),
    };
    // The length alone decides about the frame: the mask need not be waited for, but is header too.
    if length > i64::MAX as u64 {
        return Err(CloseCode::ProtocolError);
    }
    Ok((rest.len() >= 4).then_some(Header {
        is_final: first & 0x80 != 0,
        opcode: first & 0x0F,
        length,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MESSAGE_BYTES_MAX: usize = 1000;

    fn frame(first: u8, payload_bytes: usize) -> Vec<u8> {
        let mut bytes = header(first, payload_bytes as u64);
        bytes.extend(std::iter::repeat_n(b'x', payload_bytes));
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
        bytes.extend([1, 2, 3, 4]);
        bytes
    }

    fn check(frames: &[Vec<u8>], expected: Result<(), (usize, CloseCode)>) {
        let stream = frames.concat();
        let found = FrameBounds::new(MESSAGE_BYTES_MAX).follow(&stream);
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
        ] {
            check(&[bytes], Err((0, CloseCode::ProtocolError)));
        }
        check(
            &[frame(0x01, 1), frame(0x81, 1)],
            Err((1, CloseCode::ProtocolError)),
        );
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
            let mut in_pieces = Ok(());
            let mut rest = stream.as_slice();
            let mut cuts = cuts.into_iter().chain(std::iter::repeat(7));
            while !rest.is_empty() && in_pieces.is_ok() {
                let (piece, after) = rest.split_at(cuts.next().unwrap_or(7).min(rest.len()));
                rest = after;
                in_pieces = bounds.follow(piece);
            }
            prop_assert_eq!(whole.map_err(|breach| breach.code), in_pieces.map_err(|breach| breach.code));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = FrameBounds::new(MESSAGE_BYTES_MAX).follow(&bytes);
        }
    }
}
