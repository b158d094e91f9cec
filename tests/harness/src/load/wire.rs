//! WebSocket frames by hand, with as little work and memory as possible on the generator's side.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpSocket,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// The reading half.
#[derive(Debug)]
pub struct Reader {
    half: OwnedReadHalf,
    buffer: BytesMut,
}

/// The writing half.
#[derive(Debug)]
pub struct Writer {
    half: OwnedWriteHalf,
    frame: Vec<u8>,
}

/// Opens a native-protocol connection with a token.
///
/// # Errors
/// When the server refuses; the text holds its first line.
pub async fn open(address: SocketAddr, token: &str) -> Result<(Reader, Writer)> {
    open_at(address, "/api/v1/ws", token).await
}

/// Opens a socket at a path with a token.
///
/// # Errors
/// When the server refuses; the text holds its first line.
pub async fn open_at(address: SocketAddr, path: &str, token: &str) -> Result<(Reader, Writer)> {
    open_on(TcpSocket::new_v4()?, address, path, token).await
}

/// The same with a small buffer for what is not read yet, so that a reader that stops is soon noticed.
///
/// # Errors
/// See [`open_at`].
pub async fn open_narrow(address: SocketAddr, path: &str, token: &str) -> Result<(Reader, Writer)> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4_096)?;
    open_on(socket, address, path, token).await
}

async fn open_on(
    socket: TcpSocket,
    address: SocketAddr,
    path: &str,
    token: &str,
) -> Result<(Reader, Writer)> {
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    let (read, mut write) = stream.into_split();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    write.write_all(request.as_bytes()).await?;
    let mut reader = Reader { half: read, buffer: BytesMut::with_capacity(1024) };
    let end = loop {
        if let Some(end) = find(&reader.buffer, b"\r\n\r\n") {
            break end + 4;
        }
        if reader.half.read_buf(&mut reader.buffer).await? == 0 {
            bail!("the server closed during the handshake");
        }
    };
    let head = reader.buffer.split_to(end);
    if !head.starts_with(b"HTTP/1.1 101") {
        let line = head.as_ref().split(|byte| *byte == b'\r').next().unwrap_or_default();
        bail!("the server refused: {}", String::from_utf8_lossy(line));
    }
    Ok((reader, Writer { half: write, frame: Vec::new() }))
}

/// A frame of the server.
#[derive(Debug)]
pub enum Frame {
    /// A text.
    Text(BytesMut),
    /// A ping, to be answered.
    Ping(BytesMut),
    /// The answer to a ping of ours.
    Pong,
}

impl Reader {
    /// The next frame. May be dropped and called again.
    ///
    /// # Errors
    /// When the connection ends or the frame is of a kind that the server does not send.
    pub async fn next(&mut self) -> Result<Frame> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(frame);
            }
            self.buffer.reserve(1024);
            if self.half.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection was cut");
            }
        }
    }

    /// The next text, pings being answered on the way.
    ///
    /// # Errors
    /// See [`Self::next`].
    pub async fn text(&mut self, writer: &mut Writer) -> Result<BytesMut> {
        loop {
            match self.next().await? {
                Frame::Text(text) => return Ok(text),
                Frame::Ping(payload) => writer.pong(&payload).await?,
                Frame::Pong => {}
            }
        }
    }

    /// Asks for a pong and reads until it comes, which is after all that was due; pings are answered on the way.
    ///
    /// # Errors
    /// See [`Self::next`].
    pub async fn settle(&mut self, writer: &mut Writer) -> Result<()> {
        writer.ping().await?;
        loop {
            match self.next().await? {
                Frame::Pong => return Ok(()),
                Frame::Ping(payload) => writer.pong(&payload).await?,
                Frame::Text(_) => {}
            }
        }
    }

    fn take(&mut self) -> Result<Option<Frame>> {
        let [first, second, rest @ ..] = self.buffer.as_ref() else { return Ok(None) };
        let (opcode, short) = (*first, usize::from(*second));
        let (header, length) = match (short, rest) {
            (0..126, _) => (2, short),
            (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                let long = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                (10, usize::try_from(long)?)
            }
            (126 | 127, _) => return Ok(None),
            _ => bail!("the server masked a frame"),
        };
        if self.buffer.len() < header + length {
            return Ok(None);
        }
        self.buffer.advance(header);
        let payload = self.buffer.split_to(length);
        match opcode {
            0x81 => Ok(Some(Frame::Text(payload))),
            0x89 => Ok(Some(Frame::Ping(payload))),
            0x8a => Ok(Some(Frame::Pong)),
            0x88 => {
                let code = payload
                    .get(..2)
                    .map(|code| code.iter().fold(0, |n, b| n * 256 + u32::from(*b)));
                bail!("the server closed with {code:?}")
            }
            other => bail!("an unexpected frame: {other:#x}"),
        }
    }
}

impl Writer {
    /// Sends a text.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn text(&mut self, payload: &[u8]) -> Result<()> {
        self.write(0x81, payload).await
    }

    /// Answers a ping.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn pong(&mut self, payload: &[u8]) -> Result<()> {
        self.write(0x8a, payload).await
    }

    /// Asks for a pong.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn ping(&mut self) -> Result<()> {
        self.write(0x89, &[]).await
    }

    async fn write(&mut self, opcode: u8, payload: &[u8]) -> Result<()> {
        const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0x9e];
        self.frame.clear();
        self.frame.push(opcode);
        match u16::try_from(payload.len()).context("a frame of this generator is short")? {
            length @ 0..126 => self.frame.push(0x80 | length.to_be_bytes()[1]),
            length => {
                self.frame.push(0xfe);
                self.frame.extend_from_slice(&length.to_be_bytes());
            }
        }
        self.frame.extend_from_slice(&MASK);
        self.frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        Ok(self.half.write_all(&self.frame).await?)
    }
}

/// Where a part begins.
#[must_use]
pub fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    let (first, rest) = part.split_first()?;
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.iter().position(|byte| byte == first)?;
        if text.get(at + 1..at + 1 + rest.len())? == rest {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The number that follows a part of a text.
#[must_use]
pub fn number_after(text: &[u8], part: &[u8]) -> Option<u64> {
    let at = find(text, part)? + part.len();
    Some(digits(text.get(at..)?))
}

/// The number with which a text begins.
#[must_use]
pub fn digits(text: &[u8]) -> u64 {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_numbers_are_found() {
        let text = br#"{"type":"reply","id":42,"ok":{"content":"load 7 12"}}"#;
        assert_eq!(number_after(text, b"\"id\":"), Some(42));
        assert_eq!(number_after(text, b"load "), Some(7));
        assert_eq!(find(text, b"nothing"), None);
        assert_eq!(find(b"aab", b"ab"), Some(1));
    }
}
