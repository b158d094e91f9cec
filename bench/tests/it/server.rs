//! A small relay that speaks as the floors do, and does to every so manieth message what it is told to.

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

/// What is done to every so manieth message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Misdeed {
    /// Nothing.
    None,
    /// It is acknowledged, and nobody gets it.
    Drop,
    /// It is delivered twice.
    Double,
    /// It is delivered after the next one to the same user.
    Swap,
    /// Somebody else gets it.
    Misdeliver,
    /// It comes without its end.
    Cut,
}

struct Relay {
    misdeed: Misdeed,
    every: u64,
    members: Mutex<Members>,
}

#[derive(Default)]
struct Members {
    count: u64,
    sockets: HashMap<u64, TcpStream>,
    rooms: HashMap<u64, Vec<u64>>,
    /// What is held back for a user until the next message to the same.
    held: HashMap<u64, Vec<u8>>,
}

/// Starts it; it lives as long as the test does.
pub(crate) fn start(misdeed: Misdeed, every: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let relay = Arc::new(Relay { misdeed, every, members: Mutex::default() });
    thread::spawn(move || {
        for stream in listener.incoming() {
            let relay = relay.clone();
            // A client that is gone ends its thread.
            thread::spawn(move || serve(&relay, stream.unwrap()));
        }
    });
    address
}

fn serve(relay: &Relay, mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut read = Vec::new();
    while !read.windows(4).any(|end| end == b"\r\n\r\n") {
        fill(&mut stream, &mut read)?;
    }
    let end = read.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(read.drain(..end).collect()).ok()?;
    let field = |name: &str| {
        let rest = head.split(name).nth(1)?;
        rest.split(['&', ' ']).next()?.parse::<u64>().ok()
    };
    let user = field("user=")?;
    {
        let mut members = relay.members.lock().unwrap();
        members.sockets.insert(user, stream.try_clone().ok()?);
        if let Some(room) = field("room=") {
            members.rooms.entry(room).or_default().push(user);
        }
    }
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").ok()?;
    let mut count = 0;
    loop {
        let (opcode, payload) = next(&mut stream, &mut read)?;
        if opcode == 0x89 {
            relay.members.lock().unwrap().send(user, &frame(0x8a, &payload));
            continue;
        }
        count += 1;
        relay.pass_on(user, &serde_json::from_slice(&payload).ok()?);
        let answer = frame(0x81, json!({"ok": count}).to_string().as_bytes());
        relay.members.lock().unwrap().send(user, &answer);
    }
}

impl Relay {
    fn pass_on(&self, from: u64, asked: &Value) {
        let mut members = self.members.lock().unwrap();
        members.count += 1;
        let is_bad = members.count.is_multiple_of(self.every);
        let receivers = match (asked["to"].as_u64(), asked["room"].as_u64()) {
            (Some(to), _) => vec![to],
            (_, Some(room)) => {
                let all = members.rooms.get(&room).cloned().unwrap_or_default();
                all.into_iter().filter(|user| *user != from).collect()
            }
            _ => return,
        };
        let text = asked["text"].as_str().unwrap();
        let whole = frame(0x81, json!({"from": from, "text": text}).to_string().as_bytes());
        for receiver in receivers {
            let misdeed = if is_bad { self.misdeed } else { Misdeed::None };
            members.deliver(receiver, from, text, &whole, misdeed);
        }
    }
}

impl Members {
    fn deliver(&mut self, to: u64, from: u64, text: &str, whole: &[u8], misdeed: Misdeed) {
        match misdeed {
            Misdeed::None => self.send(to, whole),
            Misdeed::Drop => {}
            Misdeed::Double => {
                self.send(to, whole);
                self.send(to, whole);
            }
            Misdeed::Swap => {
                self.held.insert(to, whole.to_vec());
                return;
            }
            Misdeed::Misdeliver => {
                let other = self.sockets.keys().copied().find(|user| *user != to && *user != from);
                self.send(other.unwrap(), whole);
            }
            Misdeed::Cut => {
                let part = &text[..text.len() - 1];
                let cut = json!({"from": from, "text": part}).to_string();
                self.send(to, &frame(0x81, cut.as_bytes()));
            }
        }
        if let Some(held) = self.held.remove(&to) {
            self.send(to, &held);
        }
    }

    fn send(&mut self, user: u64, frame: &[u8]) {
        // It may be gone.
        let _ = self.sockets.get_mut(&user).map(|socket| socket.write_all(frame));
    }
}

fn fill(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<()> {
    let mut part = [0; 4_096];
    let count = stream.read(&mut part).ok().filter(|count| *count > 0)?;
    read.extend_from_slice(&part[..count]);
    Some(())
}

/// The next frame of a client: short ones are enough here.
fn next(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    loop {
        if let [opcode, short, rest @ ..] = read.as_slice() {
            let (length, header) = match short & 0x7f {
                126 if rest.len() >= 2 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), 4),
                126 => (usize::MAX - 8, 4),
                short => (usize::from(short), 2),
            };
            if read.len() >= header + 4 + length {
                let opcode = *opcode;
                let mask: Vec<u8> = read[header..header + 4].to_vec();
                let payload = read[header + 4..header + 4 + length].iter();
                let payload = payload.zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
                let payload = payload.collect();
                read.drain(..header + 4 + length);
                return Some((opcode, payload));
            }
        }
        fill(stream, read)?;
    }
}

fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![opcode];
    match payload.len() {
        length @ 0..126 => frame.push(u8::try_from(length).unwrap()),
        length => {
            frame.push(126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}
