//! A client of the REST API that keeps its connection, and waits for each answer.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use parlour_harness::token;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Such a client.
#[derive(Debug)]
pub struct Caller {
    stream: TcpStream,
    user: String,
    read: Vec<u8>,
}

impl Caller {
    /// Connects a user.
    ///
    /// # Errors
    /// When nobody listens, or no token can be made.
    pub fn new(address: SocketAddr, user: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let user =
            format!("host: {address}\r\nauthorization: Bearer {}\r\n", token::for_user(user)?);
        Ok(Self { stream, user, read: Vec::new() })
    }

    /// The body of `GET path`.
    ///
    /// # Errors
    /// When it is refused, or the connection ends.
    pub fn get(&mut self, path: &str) -> Result<&[u8]> {
        self.stream.write_all(format!("GET {path} HTTP/1.1\r\n{}\r\n", self.user).as_bytes())?;
        self.read.clear();
        let (status, begin, length) = loop {
            if let Some(head) = head(&self.read)? {
                break head;
            }
            self.fill().with_context(|| path.to_owned())?;
        };
        while self.read.len() < begin + length {
            self.fill().with_context(|| path.to_owned())?;
        }
        let body = self.read.get(begin..).unwrap_or_default();
        ensure!(status == 200, "{path}: HTTP {status}: {}", String::from_utf8_lossy(body));
        Ok(body)
    }

    fn fill(&mut self) -> Result<()> {
        let mut part = [0; 16_384];
        let count = self.stream.read(&mut part)?;
        ensure!(count > 0, "the connection has ended");
        self.read.extend_from_slice(part.get(..count).unwrap_or_default());
        Ok(())
    }
}

/// The status of an answer, where its body begins and how long it is, once its head is there.
fn head(read: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let Some(end) = memchr::memmem::find(read, b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(read.get(..end).unwrap_or_default())?;
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let status = status.context("an answer without a status")?;
    Ok(Some((status, end + 4, length.context("an answer without a length")?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_status_and_length() {
        let whole = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nx: y\r\n\r\n{}";
        assert_eq!(head(whole).unwrap(), Some((404, whole.len() - 2, 2)));
        assert_eq!(head(&whole[..30]).unwrap(), None);
        assert!(head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
