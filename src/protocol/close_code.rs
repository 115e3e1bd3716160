//! WebSocket close codes that the server sends (RFC 6455, section 7.4).

/// Why the server closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// 1000: the client asked to close.
    Normal,
    /// 1001: the server is stopping; come back.
    GoingAway,
    /// 1002: the client broke the protocol.
    ProtocolError,
    /// 1003: a binary frame; only text is spoken here.
    UnsupportedData,
    /// 1007: a text frame that is not UTF-8.
    InvalidPayload,
    /// 1008: the client does not read, or is silent for too long.
    PolicyViolation,
    /// 1009: a frame over the limit.
    TooBig,
    /// 3005: the token that the connection was opened with has expired; come back with another one. The number is Centrifugo's
    /// for the same.
    CredentialExpired,
}

impl CloseCode {
    /// The number on the wire.
    #[must_use]
    pub const fn as_u16(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::UnsupportedData => 1003,
            Self::InvalidPayload => 1007,
            Self::PolicyViolation => 1008,
            Self::TooBig => 1009,
            Self::CredentialExpired => 3005,
        }
    }

    /// A sentence for the close frame: within 123 bytes (RFC 6455, section 5.5.1).
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Normal => "Closed as asked.",
            Self::GoingAway => "The server is restarting; please reconnect.",
            Self::ProtocolError => "The frame breaks the WebSocket protocol.",
            Self::UnsupportedData => "Only text frames are spoken here.",
            Self::InvalidPayload => "The text is not UTF-8.",
            Self::PolicyViolation => "The client does not read or has been silent for too long.",
            Self::TooBig => "The frame is too large.",
            Self::CredentialExpired => "The token has expired; please reconnect with a new one.",
        }
    }
}
