//! Coming in: every way to sign in, every way to be refused, and which dialect an address speaks
//! (guarantees' tables A, B and M4).

use std::time::{Duration, Instant};

use serde_json::json;

use super::{ALICE, ALL, BOB, DIRECT, Heard, INBOX, Knock, MALLORY, PLAIN, ROOM, Socket, Stage};
use crate::gateway::{
    client::{Client, End},
    server::{Server, now},
};

/// The lines by which a page that has signed in is known.
fn session(stage: &Stage, user: &str) -> String {
    let lines = format!("Authorization: Bearer {}\r\n", stage.server.token(user));
    let answer = stage.server.exchange("POST", "/api/v1/auth/session", &lines, None);
    assert_eq!(answer.status, 204, "{}", answer.body);
    let line = answer.head.lines().find(|line| line.to_lowercase().starts_with("set-cookie:"));
    let cookie = line.unwrap().split_once(':').unwrap().1.split(';').next().unwrap();
    cookie.trim().to_owned()
}

fn ticket(stage: &Stage, user: &str) -> String {
    let ticket = stage.post(user, "/api/v1/auth/ticket", &json!({}));
    ticket["ticket"].as_str().unwrap().to_owned()
}

#[test]
fn every_way_to_sign_in_opens_every_dialect() {
    let stage = Stage::new();
    let own = format!("http://{}", stage.server.address());
    let cookie = session(&stage, ALICE);
    let token = stage.server.token(ALICE);
    let bearer = format!("Bearer {token}");
    let protocols = format!("bearer, {token}");
    for spoken in ALL {
        let path = format!("{}?dialect={}", spoken.path(stage.talk), spoken.name);
        let entered = |more: &str, headers: &[(&str, &str)], protocol: Option<&str>| {
            let knock = stage.knock(&format!("{path}{more}"), headers);
            let expected = Knock::Entered(protocol.map(str::to_owned));
            assert_eq!(knock, expected, "{} {more} {headers:?}", spoken.name);
        };
        entered("", &[("authorization", &bearer)], None);
        entered("", &[("authorization", &bearer), ("origin", "https://evil.test")], None);
        entered(&format!("&token={token}"), &[], None);
        entered("", &[("sec-websocket-protocol", &protocols)], Some("bearer"));
        entered(&format!("&ticket={}", ticket(&stage, ALICE)), &[], None);
        entered("", &[("cookie", &cookie), ("origin", &own)], None);
        // Without the last slash, too.
        let bare = path.replace("/?", "?");
        let knock = stage.knock(&bare, &[("authorization", &bearer)]);
        assert_eq!(knock, Knock::Entered(None), "{bare}");
    }
}

#[test]
fn a1_a4_b_bad_credentials_are_refused_as_each_dialect_s_clients_stand_it() {
    let stage = Stage::with(&[("PARLOUR_SERVER_ALLOWED_ORIGINS", "https://app.test")]);
    let cookie = session(&stage, ALICE);
    let expired = stage.server.token_until(ALICE, now() - 1);
    let far = stage.server.token_until(ALICE, now() + 10 * 365 * 86_400);
    let good = stage.server.token(ALICE);
    let mut parts: Vec<&str> = good.split('.').collect();
    let unsigned = format!("{}.{}.", parts[0], parts[1]);
    parts[2] = "AAAA";
    let forged = parts.join(".");
    let used = ticket(&stage, ALICE);
    for spoken in ALL {
        let path = format!("{}?dialect={}", spoken.path(stage.talk), spoken.name);
        let refused = |more: &str, headers: &[(&str, &str)], (status, code): (u16, u16)| {
            let knock = stage.knock(&format!("{path}{more}"), headers);
            knock.is_refusal(spoken, status, code, &format!("{more} {headers:?}"));
        };
        let nobody = (401, 4401);
        refused("", &[], nobody);
        refused("", &[("origin", "https://app.test")], nobody);
        for token in [&*expired, &far, &unsigned, &forged, "x", "a.b.c", "a.b.c.d.e", "", "%20"] {
            refused(&format!("&token={token}"), &[], nobody);
            if !token.is_empty() && !token.contains('%') {
                refused("", &[("authorization", &format!("Bearer {token}"))], nobody);
                refused("", &[("sec-websocket-protocol", &format!("bearer, {token}"))], nobody);
            }
        }
        refused("", &[("sec-websocket-protocol", "bearer")], nobody);
        refused("", &[("authorization", &format!("Basic {good}"))], nobody);
        // The first one that is there decides, good or bad.
        refused(&format!("&token={good}"), &[("authorization", "Bearer x")], nobody);
        refused(
            &format!("&ticket={}", ticket(&stage, ALICE)),
            &[("authorization", "Bearer x")],
            nobody,
        );
        refused("&ticket=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &[], nobody);
        let first = stage.knock(&format!("{path}&ticket={used}"), &[]);
        assert_eq!(matches!(first, Knock::Entered(_)), spoken == DIRECT, "a ticket is good once");
        refused("", &[("cookie", "parlour_session=AAAA"), ("origin", "https://app.test")], nobody);
        let stranger = (403, 4403);
        refused("", &[("cookie", &cookie)], stranger);
        refused("", &[("cookie", &cookie), ("origin", "https://evil.test")], stranger);
        refused("", &[("cookie", &cookie), ("origin", "null")], stranger);
        let knock = stage.knock(&path, &[("cookie", &cookie), ("origin", "https://app.test")]);
        assert_eq!(knock, Knock::Entered(None), "{}", spoken.name);
    }
    // The refusals above count as connections of an address; what is malformed is told as HTTP everywhere.
    for spoken in ALL {
        let path = format!("{}?dialect={}&token={good}", spoken.path(stage.talk), spoken.name);
        for (headers, status) in [
            (vec![("origin", "https://a.test"), ("origin", "https://a.test")], 400),
            (vec![("sec-websocket-protocol", "graphql-ws")], 400),
        ] {
            assert_eq!(stage.knock(&path, &headers), Knock::Refused(status), "{headers:?}");
        }
    }
}

#[test]
fn m4_conversations_that_are_not_one_s_own_and_those_that_are_not_look_the_same() {
    let stage = Stage::new();
    for spoken in [ROOM, PLAIN] {
        let token = stage.server.token(MALLORY);
        let closed: Vec<_> = [
            &*stage.talk.to_string(),
            "999999",
            "9007199254740991",
            "9007199254740992",
            "9223372036854775808",
            "18446744073709551616",
            "0",
            "01",
            "-1",
            "+1",
            "1.0",
            "abc",
            "..",
            "%2e%2e",
            "1%00",
            "1%2F2",
            "%F0%9F%98%80",
            "%ff",
            "1;drop",
        ]
        .iter()
        .map(|id| {
            let path = format!("/ws/chat/{id}/?dialect={}&token={token}", spoken.name);
            let knock = stage.knock(&path, &[]);
            knock.is_refusal(spoken, 403, 4403, id);
            knock
        })
        .collect();
        assert!(closed.iter().all(|knock| *knock == closed[0]), "{closed:?}");
        // Who is not signed in does not learn even that.
        for id in [&*stage.talk.to_string(), "999999", "abc"] {
            let path = format!("/ws/chat/{id}/?dialect={}", spoken.name);
            stage.knock(&path, &[]).is_refusal(spoken, 401, 4401, id);
        }
    }
}

#[test]
fn an_address_speaks_its_default_or_what_it_names() {
    let stage = Stage::new();
    let token = stage.server.token(ALICE);
    let room = format!("/ws/chat/{}/", stage.talk);
    for (path, dialect) in [
        ("/ws/chat/", "room"),
        ("/ws/chat/", "plain"),
        ("/ws/chat/", "pusher"),
        ("/ws/chat/", "native"),
        ("/ws/chat/", ""),
        ("/ws/chat/", "INBOX"),
        (&*room, "inbox"),
        (&*room, "direct"),
        (&*room, "x"),
    ] {
        let knock = stage.knock(&format!("{path}?dialect={dialect}&token={token}"), &[]);
        assert_eq!(knock, Knock::Refused(400), "{path} {dialect}");
    }
    let open = |path: &str, spoken| {
        let path = format!("{path}?token={token}");
        let client = Client::open(stage.server.address(), &path, &[]).unwrap().0;
        Socket::new(client, spoken, ALICE, stage.place(ALICE))
    };
    let mut inbox = open("/ws/chat/", INBOX);
    assert_eq!(
        inbox.wait(|heard| matches!(heard, Heard::Greeting(_))),
        Heard::Greeting("1".to_owned())
    );
    inbox.said("in the inbox");
    open(&room, ROOM).said("in the room");
}

#[test]
fn defaults_are_a_setting() {
    let stage = Stage::with(&[
        ("PARLOUR_USER_DIALECT", "direct"),
        ("PARLOUR_CONVERSATION_DIALECT", "plain"),
    ]);
    let token = stage.server.token(ALICE);
    for spoken in [DIRECT, PLAIN] {
        let path = spoken.path(stage.talk);
        let client = Client::open(stage.server.address(), &format!("{path}?token={token}"), &[]);
        let mut socket = Socket::new(client.unwrap().0, spoken, ALICE, stage.place(ALICE));
        socket.said("as the setting says");
        // Refusals are those of the dialect that is spoken.
        stage.knock(&path, &[]).is_refusal(spoken, 401, 4401, "nothing");
    }
    let mut named = stage.socket(INBOX, ALICE);
    named.said("as the address says");
}

#[test]
fn an_automatic_socket_becomes_what_its_first_frame_is() {
    let stage =
        Stage::with(&[("PARLOUR_USER_DIALECT", "auto"), ("PARLOUR_CONVERSATION_DIALECT", "auto")]);
    let token = stage.server.token(ALICE);
    for spoken in ALL {
        let path = spoken.path(stage.talk);
        let client = Client::open(stage.server.address(), &format!("{path}?token={token}"), &[]);
        let mut client = client.unwrap().0;
        if !spoken.scoped {
            client.wait(|frame| frame["type"] == "connection_established");
        }
        let mut socket = Socket::new(client, spoken, ALICE, stage.place(ALICE));
        socket.said(&format!("I speak {}", spoken.name));
        stage.say(BOB, spoken.name);
        socket.wait(|heard| heard.says(spoken.name));
        // It stays what it became.
        let other = ALL.into_iter().find(|o| o.scoped == spoken.scoped && *o != spoken).unwrap();
        let foreign = other.say(&stage.place(ALICE), ALICE, "in other words");
        socket.send(&foreign);
        socket.wait(|heard| matches!(heard, Heard::Error(_)));
        stage.knock(&path, &[]).is_refusal(
            if spoken.scoped { ROOM } else { INBOX },
            401,
            4401,
            "nothing",
        );
        // On its return it speaks its first dialect until it says something; its place is kept.
        socket.prove();
        socket.cut();
        let missed = format!("missed by {}", spoken.name);
        let id = stage.say(BOB, &missed);
        let client = Client::open(stage.server.address(), &format!("{path}?token={token}"), &[]);
        let first = if spoken.scoped { ROOM } else { INBOX };
        let mut socket = Socket::new(client.unwrap().0, first, ALICE, stage.place(ALICE));
        let heard = socket.wait(|heard| heard.says(&missed));
        assert_eq!(heard, super::said(id, BOB, &missed), "{}", spoken.name);
        socket.prove();
        socket.leave();
    }
}

#[test]
fn i6_sockets_past_the_limit_are_refused_and_live_ones_stay() {
    for spoken in ALL {
        let stage = Stage::with(&[("PARLOUR_LIMITS_CONNECTIONS_PER_USER", "2")]);
        let mut sockets = [stage.socket(spoken, ALICE), stage.socket(spoken, ALICE)];
        let token = stage.server.token(ALICE);
        let path = format!("{}?dialect={}&token={token}", spoken.path(stage.talk), spoken.name);
        let knock = stage.knock(&path, &[]);
        knock.is_refusal(spoken, 429, 4429, "one too many");
        if let Knock::Closed(_, reason) = knock {
            assert!(reason.starts_with("retry_after_ms="), "{reason}");
        }
        for socket in &mut sockets {
            socket.settle();
        }
    }
}

#[test]
fn g10_b16_a_revoked_session_ends_its_sockets_and_opens_no_more() {
    let server = Server::start();
    let access = server.register("dora", "correct horse battery");
    let (_, me) = server.get("/api/v1/me", &access);
    let id = me["id"].as_str().unwrap().to_owned();
    let stage = Stage::on(server);
    let talk = stage.conversation(BOB, "direct", &[&id]);
    for spoken in ALL {
        let path = format!("{}?dialect={}&token={access}", spoken.path(talk), spoken.name);
        assert_eq!(stage.knock(&path, &[]), Knock::Entered(None), "{}", spoken.name);
    }
    let path = format!("{}?dialect=room&token={access}", ROOM.path(talk));
    let mut open = Client::open(stage.server.address(), &path, &[]).unwrap().0;
    let began = Instant::now();
    stage.server.log_out(&access);
    assert!(matches!(open.end(), End::Closed(4401, _)));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    for spoken in ALL {
        let path = format!("{}?dialect={}&token={access}", spoken.path(talk), spoken.name);
        stage.knock(&path, &[]).is_refusal(spoken, 401, 4401, "a revoked session");
    }
}
