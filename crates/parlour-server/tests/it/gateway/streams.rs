//! Where WebSockets fail: the same events as server-sent events and by polling.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use super::{Server, direct, is, say};

/// A stream of server-sent events, read with nothing but a socket.
struct Stream {
    lines: BufReader<TcpStream>,
    id: String,
}

impl Stream {
    fn open(server: &Server, user: &str, last: Option<&str>) -> Self {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let token = server.token(user);
        let head = format!(
            "GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{last}\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut stream = Self { lines: BufReader::new(stream), id: String::new() };
        assert!(stream.line().starts_with("HTTP/1.1 200"));
        while !stream.line().is_empty() {}
        stream
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).unwrap() > 0, "the stream has ended");
        line.trim_end().to_owned()
    }

    fn next(&mut self) -> Value {
        loop {
            let line = self.line();
            if let Some(id) = line.strip_prefix("id: ") {
                id.clone_into(&mut self.id);
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    fn wait(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next();
            if event["type"] == kind {
                return event;
            }
        }
    }
}

#[test]
fn events_come_over_a_stream_and_are_resumed_by_their_id() {
    let server = Server::start();
    let mut alice = server.live("1");
    let conversation = direct(&mut alice, "2");
    let mut bob = Stream::open(&server, "2", None);
    assert_eq!(bob.next()["type"], "hello");
    assert_eq!(bob.next()["type"], "ready");
    say(&mut alice, conversation, "one");
    assert_eq!(bob.wait("message.created")["message"]["content"], "one");
    let id = bob.id.clone();
    drop(bob);
    say(&mut alice, conversation, "two");
    let mut bob = Stream::open(&server, "2", Some(&id));
    let replay = bob.wait("replay");
    assert_eq!(replay["events"][0]["message"]["content"], "two");
    bob.wait("ready");
    say(&mut alice, conversation, "three");
    assert_eq!(bob.wait("message.created")["seq"], 3);
}

#[test]
fn polling_gives_what_came_and_where_to_go_on() {
    let server = Server::start();
    let mut alice = server.live("1");
    let conversation = direct(&mut alice, "2");
    let poll = |cursor: &str, wait: u32| {
        let path = format!("/api/v1/events/poll?wait={wait}{cursor}");
        let (status, body) = server.get(&path, &server.token("2"));
        assert_eq!(status, 200, "{body}");
        body
    };
    let first = poll("", 0);
    let kinds: Vec<_> =
        first["events"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["hello", "ready"]);
    let cursor = |answer: &Value| format!("&cursor={}", answer["cursor"].as_str().unwrap());

    // What was said in between is replayed.
    say(&mut alice, conversation, "one");
    let second = poll(&cursor(&first), 20);
    let replay = second["events"].as_array().unwrap().iter().find(|e| is("replay")(e)).unwrap();
    assert_eq!(replay["events"][0]["message"]["content"], "one");

    // What is said while it waits comes at once.
    let next = cursor(&second);
    let answer = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| poll(&next, 25));
        server.wait_for_metric("parlour_connections{transport=\"poll\"} 1", || {});
        say(&mut alice, conversation, "two");
        waiting.join().unwrap()
    });
    assert!(answer.to_string().contains("\"two\""), "{answer}");
    assert_eq!(poll(&cursor(&answer), 0)["events"], json!([]));
}

#[test]
fn e21_a_cursor_is_checked_and_a_stranger_is_refused() {
    let server = Server::start();
    let get = |path: &str, token: &str| server.get(path, token).0;
    assert_eq!(get("/api/v1/events/poll?wait=0&cursor=nonsense!", &server.token("1")), 400);
    assert_eq!(get("/api/v1/events/poll?wait=0", "nonsense"), 401);
    assert_eq!(get("/api/v1/events", "nonsense"), 401);
}
