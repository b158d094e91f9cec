//! What publishers do, seen by real sockets: events arrive as they were sent, questions are answered by what is true.
//!
//! Sockets go before the server does, which would wait for them.

use serde_json::{Value, json};

use super::{KEY, Publisher, SECRET, publisher, publisher::sign, setup};
use crate::{
    gateway::client::{Client, End},
    support::Server,
};

/// A client of the protocol, with the id of its connection.
pub(super) struct Socket {
    pub(super) client: Client,
    pub(super) id: String,
}

pub(super) fn connect(server: &Server, key: &str) -> Socket {
    let path = format!("/app/{key}?protocol=7&client=js&version=8.6.0&flash=false");
    let (mut client, _) = Client::open(server.address, &path, &[]).unwrap();
    let hello = client.wait(|frame| frame["event"] == "pusher:connection_established");
    let data: Value = serde_json::from_str(hello["data"].as_str().unwrap()).unwrap();
    Socket { client, id: data["socket_id"].as_str().unwrap().to_owned() }
}

impl Socket {
    /// Subscribes, with a signature where the channel needs one.
    pub(super) fn subscribe(&mut self, channel: &str, member: Option<&Value>) -> Value {
        let mut data = json!({ "channel": channel });
        if let Some(member) = member {
            let member = member.to_string();
            let auth = sign(SECRET, &format!("{}:{channel}:{member}", self.id));
            data["auth"] = json!(format!("{KEY}:{auth}"));
            data["channel_data"] = json!(member);
        } else if channel.starts_with("private-") {
            let auth = sign(SECRET, &format!("{}:{channel}", self.id));
            data["auth"] = json!(format!("{KEY}:{auth}"));
        }
        self.subscribe_with(&data)
    }

    pub(super) fn subscribe_with(&mut self, data: &Value) -> Value {
        let channel = data["channel"].clone();
        self.client.send(&json!({"event": "pusher:subscribe", "data": data}));
        self.client.wait(|frame| {
            frame["event"] == "pusher_internal:subscription_succeeded"
                && frame["channel"] == channel
        })
    }

    /// The next event of that name.
    pub(super) fn event(&mut self, name: &str) -> Value {
        self.client.wait(|frame| frame["event"] == name)
    }
}

fn event(name: &str, channel: &str, data: &str) -> Value {
    json!({"name": name, "channel": channel, "data": data})
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_as_they_were_sent_and_not_at_the_one_that_is_left_out() {
    let server = setup().start().await;
    let app = publisher(&server);
    let (mut one, mut two) = (connect(&server, KEY), connect(&server, "second"));
    for socket in [&mut one, &mut two] {
        socket.subscribe("news", None);
        socket.subscribe("private-orders", None);
    }
    let data = "{\"a\" : \"é\\u00e9\\/\", \"n\":1.0}";
    let body = json!({"name": "changed", "channels": ["news", "private-orders"], "data": data, "socket_id": one.id});
    app.post("/events", &body).await.ok();
    for channel in ["news", "private-orders"] {
        let frame = two.event("changed");
        assert_eq!(frame, json!({"event": "changed", "channel": channel, "data": data}));
    }
    let batch = json!({"batch": [event("b1", "news", "1"), event("b2", "news", "2")]});
    app.post("/batch_events", &batch).await.ok();
    one.event("b2");
    let missed = one.client.seen.iter().any(|frame| frame["event"] == "changed");
    assert!(!missed, "{:?}", one.client.seen);
    assert_eq!(two.event("b1")["data"], "1");
    assert_eq!(two.event("b2")["data"], "2");
    drop((one, two));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_by_what_is_true() {
    let server = setup().start().await;
    let app = publisher(&server);
    let (mut one, mut two) = (connect(&server, KEY), connect(&server, KEY));
    one.subscribe("news", None);
    one.subscribe("cache-price", None);
    let member = |id: Value| json!({"user_id": id, "user_info": {"name": "A"}});
    one.subscribe("presence-room", Some(&member(json!("7"))));
    // The same user again, whose id came as a number.
    two.subscribe("presence-room", Some(&member(json!(7))));
    two.subscribe("presence-other", Some(&member(json!("8"))));

    let list = async |more: &str| app.get("/channels", more).await.ok();
    let all = list("").await;
    let mut names: Vec<_> = all["channels"].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["cache-price", "news", "presence-other", "presence-room"]);
    assert_eq!(
        list("filter_by_prefix=presence-&info=user_count").await,
        json!({"channels": {"presence-other": {"user_count": 1}, "presence-room": {"user_count": 1}}})
    );
    let about =
        async |channel: &str, info: &str| app.get(&format!("/channels/{channel}"), info).await.ok();
    let both = "info=user_count,subscription_count";
    assert_eq!(
        about("presence-room", both).await,
        json!({"occupied": true, "user_count": 1, "subscription_count": 2})
    );
    assert_eq!(about("nothing", "").await, json!({"occupied": false}));
    assert_eq!(about("cache-price", "info=cache").await, json!({"occupied": true, "cache": null}));
    app.post("/events", &event("price", "cache-price", "{\"p\":1}")).await.ok();
    let kept = about("cache-price", "info=cache").await;
    assert_eq!(kept["cache"]["data"], "{\"p\":1}");
    assert!(kept["cache"]["ttl"].as_u64().is_some_and(|ttl| ttl > 1_700), "{kept}");
    let users = app.get("/channels/presence-room/users", "").await.ok();
    assert_eq!(users, json!({"users": [{"id": "7"}]}));

    let mut asking = event("told", "presence-room", "{}");
    asking["info"] = json!("user_count,subscription_count");
    let told = app.post("/events", &asking).await.ok();
    let expected = json!({"user_count": 1, "subscription_count": 2});
    assert_eq!(told, json!({"channels": {"presence-room": expected}}));
    let batch = json!({"batch": [asking, event("plain", "news", "{}")]});
    let told = app.post("/batch_events", &batch).await.ok();
    assert_eq!(told, json!({"batch": [expected, {}]}));
    drop((one, two));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g11_another_application_neither_sees_nor_reaches_a_channel() {
    let server = setup().start().await;
    let other =
        Publisher { server: &server, app: "4", key: "other", secret: "secret of the other one" };
    let mut socket = connect(&server, KEY);
    socket.subscribe("news", None);
    other.post("/events", &event("foreign", "news", "{}")).await.ok();
    assert_eq!(other.get("/channels", "").await.ok(), json!({"channels": {}}));
    publisher(&server).post("/events", &event("own", "news", "{}")).await.ok();
    socket.event("own");
    assert!(!socket.client.seen.iter().any(|frame| frame["event"] == "foreign"));
    drop(socket);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_s_connections_are_ended_and_others_stay() {
    let server = setup().start().await;
    let app = publisher(&server);
    let sign_in = |socket: &mut Socket, id: &str| {
        let data = json!({ "id": id }).to_string();
        let auth = sign(SECRET, &format!("{}::user::{data}", socket.id));
        let data = json!({"auth": format!("{KEY}:{auth}"), "user_data": data});
        socket.client.send(&json!({"event": "pusher:signin", "data": data}));
        socket.event("pusher:signin_success");
    };
    let (mut tab, mut phone) = (connect(&server, KEY), connect(&server, KEY));
    let (mut other, mut member) = (connect(&server, KEY), connect(&server, KEY));
    sign_in(&mut tab, "a b@c");
    sign_in(&mut phone, "a b@c");
    sign_in(&mut other, "8");
    member.subscribe("presence-room", Some(&json!({"user_id": "a b@c"})));
    let call = app.sign("POST", "/users/a b@c/terminate_connections", "", "{}");
    let path = call.path.replace(' ', "%20");
    app.send(&super::publisher::Signed { path, ..call }).await.ok();
    for mut ended in [tab, phone] {
        assert!(matches!(ended.client.end(), End::Closed(4009, _)));
    }
    for mut staying in [other, member] {
        staying.client.send(&json!({"event": "pusher:ping", "data": {}}));
        staying.event("pusher:pong");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chat_arrives_on_a_channel_that_its_own_endpoint_has_signed() {
    let server = setup().start().await;
    let (alice, bob) = (server.alice(), server.bob());
    let conversation = alice.direct("2").await;
    let mut socket = connect(&server, KEY);
    for channel in [
        "private-user.2".to_owned(),
        format!("private-conversation.{conversation}"),
        format!("presence-conversation.{conversation}"),
    ] {
        let asked = json!({"channel_name": channel, "socket_id": socket.id});
        let mut data = bob.post("/api/broadcasting/auth", &asked).await.ok();
        data["channel"] = json!(channel);
        socket.subscribe_with(&data);
    }
    alice.say(conversation, "Is it still there?").await;
    for _ in 0..3 {
        let frame = socket.event("MessageSentEvent");
        let data: Value = serde_json::from_str(frame["data"].as_str().unwrap()).unwrap();
        assert_eq!(data["data"]["message"]["content"], "Is it still there?");
    }
    // What the socket types is told as of the one to whom the channel was granted.
    let channel = format!("private-conversation.{conversation}");
    let frame =
        json!({"event": "client-message", "channel": channel, "data": {"content": "It is."}});
    socket.client.send(&frame);
    socket.event("MessageSentEvent");
    let path = format!("/api/v1/conversations/{conversation}/messages");
    let page = alice.get(&path).await.ok();
    let last = &page["results"][1];
    assert_eq!((&last["content"], &last["sender_id"]), (&json!("It is."), &json!("2")));
    drop(socket);
    server.stop().await;
}
