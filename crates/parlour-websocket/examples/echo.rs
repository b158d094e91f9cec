//! An echo server over the codec, for conformance tests: `echo [--listen ADDRESS] [--deflate]
//! [--max-message-bytes N]`. The first line of its output is the address it listens on.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Write as _};
use std::time::Duration;

use parlour_websocket::handshake::{UpgradeRequest, accept};
use parlour_websocket::{Decoder, Deflate, Deflater, Frame, Limits, Message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

const HEAD_BYTES: usize = 16 * 1024;
const WINDOW_BITS: u8 = 15;
const CLOSE_WAIT: Duration = Duration::from_secs(5);

thread_local! {
    /// Every connection of the thread reads through this.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 * 1024]);
    static DEFLATER: RefCell<Deflater> = RefCell::new(Deflater::new(6, WINDOW_BITS));
}

#[derive(Clone, Copy)]
struct Options {
    limits: Limits,
    deflate: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut listen = String::from("127.0.0.1:0");
    let mut options = Options { limits: Limits::default(), deflate: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.len()) {
            ("--deflate", _) => options.deflate = true,
            ("--listen", 1..) => listen = arguments.next().unwrap_or_default(),
            ("--max-message-bytes", 1..) => {
                let bytes = arguments.next().unwrap_or_default().parse();
                options.limits.max_message_bytes = bytes.map_err(io::Error::other)?;
                // The large Autobahn cases send 64-byte fragments.
                options.limits.max_fragments = u32::MAX;
            }
            _ => return Err(io::Error::other(format!("unknown argument {argument}"))),
        }
    }
    let listener = TcpListener::bind(listen).await?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        connections.spawn(async move {
            // A peer that vanishes is no event for an echo server.
            let _ = serve(socket, options).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut socket: TcpStream, options: Options) -> io::Result<()> {
    let mut head = Vec::new();
    let end = loop {
        if let Some(at) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if head.len() > HEAD_BYTES || socket.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    };
    let mut early = head.split_off(end);
    let (response, deflate) = respond(&String::from_utf8_lossy(&head), options.deflate);
    socket.write_all(response.as_bytes()).await?;
    if !response.starts_with("HTTP/1.1 101") {
        return socket.shutdown().await;
    }

    let mut decoder = Decoder::server(options.limits);
    if deflate.is_some() {
        decoder = decoder.with_deflate();
    }
    let mut output = Vec::new();
    if !echo(&mut decoder, &mut early, deflate, &mut output) {
        loop {
            if !output.is_empty() {
                socket.write_all(&output).await?;
                output = Vec::new();
            }
            socket.readable().await?;
            match read(&socket, &mut decoder, deflate, &mut output) {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
    socket.write_all(&output).await?;
    socket.shutdown().await?;
    // Drain, so that the kernel sends no reset that could overtake the close frame.
    let mut rest = [0; 1024];
    let drained = timeout(CLOSE_WAIT, async {
        while socket.read(&mut rest).await? > 0 {}
        Ok(())
    });
    drained.await.unwrap_or(Ok(()))
}

/// One read through the shared scratch; not async, so that no buffer becomes part of the task.
/// Returns whether the connection is over.
fn read(
    socket: &TcpStream,
    decoder: &mut Decoder,
    deflate: Option<Deflate>,
    output: &mut Vec<u8>,
) -> io::Result<bool> {
    SCRATCH.with_borrow_mut(|scratch| match socket.try_read(scratch)? {
        0 => Ok(true),
        read => Ok(echo(decoder, &mut scratch[..read], deflate, output)),
    })
}

fn echo(
    decoder: &mut Decoder,
    mut input: &mut [u8],
    deflate: Option<Deflate>,
    output: &mut Vec<u8>,
) -> bool {
    loop {
        let message = match decoder.next(&mut input) {
            Ok(Some(message)) => message,
            Ok(None) => return decoder.is_finished(),
            Err(error) => {
                output.extend_from_slice(error.close_frame().as_bytes());
                return true;
            }
        };
        let compressed = match (message, deflate) {
            (Message::Text(text), Some(deflate)) => {
                compress(deflate, text.len(), |deflater| deflater.text(text))
            }
            (Message::Binary(bytes), Some(deflate)) => {
                compress(deflate, bytes.len(), |deflater| deflater.binary(bytes))
            }
            _ => None,
        };
        let frame = compressed.or_else(|| match message {
            Message::Text(text) => Some(Frame::text(text)),
            Message::Binary(bytes) => Some(Frame::binary(bytes)),
            other => other.answer(),
        });
        if let Some(frame) = frame {
            output.extend_from_slice(frame.as_bytes());
        }
    }
}

/// With the thread's compressor if the client can read that, else with one for its window.
fn compress(
    deflate: Deflate,
    plain_bytes: usize,
    frame: impl FnOnce(&mut Deflater) -> Option<Frame>,
) -> Option<Frame> {
    if deflate.can_read(WINDOW_BITS, plain_bytes) {
        DEFLATER.with_borrow_mut(frame)
    } else {
        frame(&mut Deflater::new(6, deflate.server_window_bits()))
    }
}

fn respond(head: &str, deflate: bool) -> (String, Option<Deflate>) {
    let header = |name: &str| {
        let values = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let values = values.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        values.map(|(_, value)| value.trim()).collect::<Vec<_>>().join(", ")
    };
    let mut request_line = head.lines().next().unwrap_or_default().split(' ');
    let accepted = accept(&UpgradeRequest {
        method: request_line.next().unwrap_or_default(),
        is_http_1_1: request_line.nth(1) == Some("HTTP/1.1"),
        upgrade: &header("Upgrade"),
        connection: &header("Connection"),
        version: &header("Sec-WebSocket-Version"),
        key: &header("Sec-WebSocket-Key"),
    });
    let key = match accepted {
        Ok(key) => key,
        Err(error) => return (format!("HTTP/1.1 {} {error}\r\n\r\n", error.status()), None),
    };
    let deflate =
        deflate.then(|| Deflate::negotiate(&header("Sec-WebSocket-Extensions"))).flatten();
    let extension = deflate
        .map_or(String::new(), |accepted| format!("Sec-WebSocket-Extensions: {accepted}\r\n"));
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {key}\r\n{extension}\r\n"
    );
    (response, deflate)
}
