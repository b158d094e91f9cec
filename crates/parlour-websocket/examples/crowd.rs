//! A crowd of sockets on one conversation of a running server: what they cost it, with and without compression.
//!
//! `crowd ADDRESS PID TOKEN [--compressed] [--sockets 1000] [--messages 100] [--characters 2000]`. All sockets are the
//! token's user's, so the server needs `PARLOUR_LIMITS_CONNECTIONS_PER_USER` and `…_PER_ADDRESS` above their number, and
//! `PARLOUR_RATE_LIMITS=off`. `PID` is the server's process, whose figures are read from `/proc`.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use parlour_websocket::{Decoder, Limits, Message, Opcode, client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Nothing is worth waiting for longer.
const PATIENCE: Duration = Duration::from_secs(60);
const PROSE: &str = include_str!("../../../ARCHITECTURE.md");

/// What has come to all sockets.
#[derive(Default)]
struct Heard {
    bytes: AtomicUsize,
    hellos: AtomicUsize,
    messages: AtomicUsize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, pid, token, ..] = &arguments[..] else {
        return Err(io::Error::other("which ADDRESS, PID and TOKEN?"));
    };
    let number = |name: &str, default: usize| {
        let at = arguments.iter().position(|argument| argument == name);
        let given = at.and_then(|at| arguments.get(at + 1));
        given.and_then(|given| given.parse().ok()).unwrap_or(default)
    };
    let compressed = arguments.iter().any(|argument| argument == "--compressed");
    let (sockets, messages) = (number("--sockets", 1_000), number("--messages", 100));
    let characters = number("--characters", 2_000);

    let empty = Process::read(pid)?;
    let heard = Arc::new(Heard::default());
    let mut readers = JoinSet::new();
    let mut writers = Vec::new();
    for _ in 0..sockets {
        let socket = open(address, token, compressed).await?;
        let (reader, mut writer) = socket.into_split();
        say(&mut writer, r#"{"type":"resume","positions":[]}"#).await?;
        let heard = heard.clone();
        readers.spawn(async move { listen(reader, compressed, &heard).await });
        writers.push(writer);
    }
    wait_for(&heard.hellos, 2 * sockets).await?;
    let idle = Process::read(pid)?;

    let Some(speaker) = writers.first_mut() else { return Ok(()) };
    say(
        speaker,
        r#"{"type":"conversation.create","kind":"group","participants":[],"title":"Crowd"}"#,
    )
    .await?;
    wait_for(&heard.hellos, 2 * sockets + 1).await?;
    let before = (Process::read(pid)?, heard.bytes.load(Relaxed));
    for said in 0..messages {
        let text: String = PROSE
            .chars()
            .filter(|c| c.is_alphanumeric() || *c == ' ')
            .skip(said)
            .take(characters)
            .collect();
        say(
            speaker,
            &format!(r#"{{"type":"message.send","conversation_id":1,"content":"{text}"}}"#),
        )
        .await?;
        // One by one, as people write.
        wait_for(&heard.messages, (said + 1) * (sockets - 1)).await?;
    }
    let after = Process::read(pid)?;
    let deliveries = (messages * (sockets - 1)).max(1);
    let bytes = (heard.bytes.load(Relaxed) - before.1) / deliveries;
    let cpu = (after.cpu_ms - before.0.cpu_ms) * 1_000 / deliveries;
    let each = |bytes: usize| bytes * 1024 / sockets.max(1);
    writeln!(
        io::stdout(),
        "{sockets} sockets, compressed: {compressed}; {messages} messages of {characters} characters\n\
         memory of a socket: {} bytes idle, {} bytes afterwards\n\
         of a delivery: {bytes} bytes, {cpu} us of the server's processor time",
        each(idle.resident_kib.saturating_sub(empty.resident_kib)),
        each(after.resident_kib.saturating_sub(empty.resident_kib)),
    )
}

async fn open(address: &str, token: &str, compressed: bool) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let offer = if compressed { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    let request = format!(
        "GET /api/v1/ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Authorization: Bearer {token}\r\n{offer}\r\n"
    );
    socket.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    match head.starts_with("http/1.1 101") && head.contains("permessage-deflate") == compressed {
        true => Ok(socket),
        false => Err(io::Error::other(head)),
    }
}

async fn say(writer: &mut OwnedWriteHalf, text: &str) -> io::Result<()> {
    let mut frame = Vec::new();
    client::encode_into(&mut frame, Opcode::Text, text.as_bytes(), [1, 2, 3, 4]);
    writer.write_all(&frame).await
}

/// Counts what comes.
async fn listen(mut reader: OwnedReadHalf, compressed: bool, heard: &Heard) -> io::Result<()> {
    let limits = Limits { max_message_bytes: 1 << 20, ..Limits::default() };
    let mut decoder = Decoder::client(limits);
    if compressed {
        decoder = decoder.with_deflate();
    }
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = reader.read(&mut buffer).await?;
        let mut input = buffer.get_mut(..count).unwrap_or_default();
        if count == 0 {
            return Ok(());
        }
        heard.bytes.fetch_add(count, Relaxed);
        while let Some(message) = decoder.next(&mut input).map_err(io::Error::other)? {
            let Message::Text(text) = message else { continue };
            let counter = match text.get(..24).unwrap_or_default() {
                _ if text.contains(r#""type":"hello""#) => &heard.hellos,
                start if start.starts_with(r#"{"type":"reply""#) && !text.contains("client_id") => {
                    &heard.hellos
                }
                start if start.starts_with(r#"{"type":"message.created"#) => &heard.messages,
                _ => continue,
            };
            counter.fetch_add(1, Relaxed);
        }
    }
}

async fn wait_for(counter: &AtomicUsize, wanted: usize) -> io::Result<()> {
    let waiting = async {
        while counter.load(Relaxed) < wanted {
            sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    waited.map_err(|_| io::Error::other(format!("{} of {wanted} came", counter.load(Relaxed))))
}

/// What a process has used so far.
struct Process {
    cpu_ms: usize,
    resident_kib: usize,
}

impl Process {
    fn read(pid: &str) -> io::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        // User and system time, in hundredths of a second.
        let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<usize>().ok());
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        Ok(Self { cpu_ms: ticks.sum::<usize>() * 10, resident_kib: resident.unwrap_or(0) })
    }
}
