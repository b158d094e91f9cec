//! The opening handshake: who comes, and into which room.

use anyhow::{Context as _, Result, ensure};
use parlour_websocket::handshake::accept_key;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Longest request head.
const HEAD: usize = 8 * 1024;
/// Users and rooms are numbered from one up to here.
const MOST: u32 = 1 << 20;

/// Who has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    pub(crate) user: u32,
    pub(crate) room: Option<u32>,
}

/// Answers the request for an upgrade. What came behind it is returned too.
pub(crate) async fn greet(stream: &mut TcpStream) -> Result<(Guest, Vec<u8>)> {
    let mut head = Vec::with_capacity(512);
    let end = loop {
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        ensure!(head.len() < HEAD, "the request is too long");
        ensure!(stream.read_buf(&mut head).await? > 0, "the client left");
    };
    let early = head.split_off(end);
    let head = str::from_utf8(&head)?;
    let guest = guest(head)?;
    let key = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| name.eq_ignore_ascii_case("sec-websocket-key").then_some(value))
        .context("no key")?;
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key.trim())
    );
    stream.write_all(response.as_bytes()).await?;
    Ok((guest, early))
}

fn guest(head: &str) -> Result<Guest> {
    let target = head.split(' ').nth(1).context("no target")?;
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let field = |name: &str| {
        let mut fields = query.split('&').filter_map(|field| field.split_once('='));
        fields.find_map(|(known, value)| (known == name).then_some(value))
    };
    let user = field("user").context("no user")?.parse()?;
    let room = field("room").map(str::parse).transpose()?;
    ensure!(user <= MOST && room.is_none_or(|room| room <= MOST), "the number is too high");
    Ok(Guest { user, room })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_tells_who_comes() {
        let check = |target: &str, expected: Option<Guest>| {
            assert_eq!(guest(&format!("GET {target} HTTP/1.1\r\n")).ok(), expected, "{target}");
        };
        check("/?user=7", Some(Guest { user: 7, room: None }));
        check("/?user=7&room=2", Some(Guest { user: 7, room: Some(2) }));
        check("/", None);
        check("/?user=x", None);
        check("/?user=4000000000", None);
    }
}
