//! The header of one frame of a client (RFC 6455, section 5.2). Pure.

use crate::protocol::close_code::CloseCode;

/// Two bytes, eight of extended length, four of mask.
pub(super) const HEADER_BYTES_MAX: usize = 14;

/// What a complete header says.
#[derive(Debug)]
pub(super) struct FrameHeader {
    pub(super) is_final: bool,
    pub(super) opcode: u8,
    /// Bytes of the payload.
    pub(super) length: u64,
    pub(super) mask: [u8; 4],
}

impl FrameHeader {
    /// Reads it; `None` while bytes are missing.
    ///
    /// # Errors
    /// It is no header, as far as it has come.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, CloseCode> {
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
        // A length has to be written as short as it can be, and its highest bit is zero.
        let (length, lengths, rest) = match (second & 0x7F, rest) {
            (126, &[a, b, ref rest @ ..]) => {
                let length = u64::from(u16::from_be_bytes([a, b]));
                (length, 126..=0xFFFF, rest)
            }
            (127, &[a, b, c, d, e, f, g, h, ref rest @ ..]) => {
                let length = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
                (length, 0x1_0000..=i64::MAX as u64, rest)
            }
            (126 | 127, _) => return Ok(None),
            (length, rest) => (u64::from(length), 0..=125, rest),
        };
        if !lengths.contains(&length) {
            return Err(CloseCode::ProtocolError);
        }
        let &[a, b, c, d] = rest else {
            return Ok(None);
        };
        Ok(Some(Self {
            is_final: first & 0x80 != 0,
            opcode: first & 0x0F,
            length,
            mask: [a, b, c, d],
        }))
    }
}
