//! A TCP connection that says exactly what it is told to: for clients that break the rules.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::turns::PATIENCE;

/// Sends bytes over a new connection and reads until the server closes it or has been silent for long.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let _ = stream.write_all(request).await;
    let mut response = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut response))
        .await
        .expect("the end of the connection in time");
    String::from_utf8_lossy(&response).into_owned()
}

/// The one of RFC 6455's own examples.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A WebSocket of which every byte is ours.
pub(crate) struct RawSocket {
    stream: TcpStream,
}

impl RawSocket {
    /// Shakes hands and reads the response's head.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = format!(
            "GET /ws/db_chat/query/ HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream
            .write_all(request.as_bytes())
            .await
            .expect("an open connection");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a response"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{head:?}");
        Self { stream }
    }

    /// A masked frame; `first` holds the flags and the opcode.
    pub(crate) fn encode(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match u16::try_from(payload.len()) {
            Ok(length @ 0..=125) => bytes.push(0x80 | u8::try_from(length).expect("small")),
            Ok(length) => {
                bytes.push(0x80 | 126);
                bytes.extend(length.to_be_bytes());
            }
            Err(_) => {
                bytes.push(0x80 | 127);
                bytes.extend((payload.len() as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(
            payload
                .iter()
                .zip(MASK.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        bytes
    }

    /// Sends bytes as they are.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("an open socket");
    }

    /// The same; `false` if the server has ended the connection.
    pub(crate) async fn try_bytes(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Sends a text frame.
    pub(crate) async fn text(&mut self, text: &str) {
        self.bytes(&Self::encode(0x81, text.as_bytes())).await;
    }

    /// Sends a text frame; `false` if the socket is closed.
    pub(crate) async fn try_text(&mut self, text: &str) -> bool {
        let frame = Self::encode(0x81, text.as_bytes());
        tokio::time::timeout(PATIENCE, self.stream.write_all(&frame))
            .await
            .expect("room in time")
            .is_ok()
    }

    /// The next frame: opcode and payload. Panics when there is none.
    pub(crate) async fn frame(&mut self) -> (u8, Vec<u8>) {
        self.next_frame().await.expect("a frame")
    }

    /// The code of the close frame that comes after however many others; `None` if the socket ends without one.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        loop {
            let (opcode, payload) = self.next_frame().await?;
            if opcode == 0x8 {
                return Some(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
    }

    /// The server ends the connection, without another frame.
    pub(crate) async fn ends(&mut self) {
        assert_eq!(self.next_frame().await, None);
    }

    /// The next text frame as JSON; frames of other kinds are left out.
    pub(crate) async fn json(&mut self) -> serde_json::Value {
        loop {
            let (opcode, payload) = self.frame().await;
            if opcode == 0x1 {
                return serde_json::from_slice(&payload).expect("JSON");
            }
        }
    }

    /// The next frame: its first two bytes as they are, and the payload.
    pub(crate) async fn raw_frame(&mut self) -> (u8, u8, Vec<u8>) {
        self.next_raw_frame().await.expect("a frame")
    }

    async fn next_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (first, _, payload) = self.next_raw_frame().await?;
        Some((first & 0x0F, payload))
    }

    async fn next_raw_frame(&mut self) -> Option<(u8, u8, Vec<u8>)> {
        let read = async {
            let first = self.stream.read_u8().await?;
            let second = self.stream.read_u8().await?;
            let length = match second & 0x7F {
                126 => u64::from(self.stream.read_u16().await?),
                127 => self.stream.read_u64().await?,
                length => u64::from(length),
            };
            let mut payload = vec![0; usize::try_from(length).expect("it fits")];
            self.stream.read_exact(&mut payload).await?;
            Ok::<_, std::io::Error>((first, second, payload))
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("a frame in time")
            .ok()
    }
}
