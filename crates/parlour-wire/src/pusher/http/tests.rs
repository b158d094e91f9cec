//! Bodies of publishers, good and bad, and the answers to them.

use super::*;

fn read(body: &str) -> Result<Trigger, ApiError> {
    events(body.as_bytes(), &PusherLimits::default())
}

fn names(trigger: &Trigger) -> Vec<&str> {
    trigger.channels.iter().map(ChannelName::as_str).collect()
}

fn status(body: &str) -> u16 {
    read(body).map_or_else(|error| error.status(), |_| 200)
}

#[test]
fn events_of_server_libraries() {
    let body = r#"{"name":"App\\Events\\X","channels":["private-x","y","private-x"],"data":"{\"a\":\"\u00e9\/\"}","socket_id":"1.2","info":"subscription_count,user_count"}"#;
    let trigger = read(body).unwrap();
    assert_eq!(&*trigger.name, "App\\Events\\X");
    assert_eq!(names(&trigger), ["private-x", "y"]);
    assert_eq!(trigger.data.as_json(), r#""{\"a\":\"\u00e9\/\"}""#);
    assert_eq!(trigger.except, Some(SocketId::new(1, 2)));
    assert_eq!(trigger.info, Info { user_count: true, subscription_count: true, cache: false });

    let one = read(r#"{"name":"x","channel":"y","data":"","socket_id":null,"extra":1}"#).unwrap();
    assert_eq!((names(&one), one.except, one.info.is_empty()), (vec!["y"], None, true));
    let both = read(r#"{"name":"x","channel":"y","channels":["z"],"data":""}"#).unwrap();
    assert_eq!(names(&both), ["z"]);
    let user = read(r##"{"name":"x","channel":"#server-to-user-7","data":""}"##).unwrap();
    assert_eq!(user.channels[0].signed_in_user(), Some("7"));
}

#[test]
fn m10_events_that_are_none() {
    for body in [
        "",
        "[]",
        "null",
        "{}",
        "{",
        r#"{"channel":"y","data":""}"#,
        r#"{"name":"x","channel":"y"}"#,
        r#"{"name":"x","data":""}"#,
        r#"{"name":"x","data":"","channels":[]}"#,
        r#"{"name":"","channel":"y","data":""}"#,
        r#"{"name":"pusher:ping","channel":"y","data":""}"#,
        r#"{"name":"pusher_internal:member_added","channel":"y","data":""}"#,
        r#"{"name":"x","channel":"y","data":{}}"#,
        r#"{"name":"x","channel":"y","data":null}"#,
        r#"{"name":"x","channel":"y","data":"\ud83d"}"#,
        r#"{"name":"x","channel":"a b","data":""}"#,
        r#"{"name":"x","channels":"y","data":""}"#,
        r#"{"name":"x","channel":"y","data":"","socket_id":"1"}"#,
        r#"{"name":"x","channel":"y","data":"","socket_id":""}"#,
        r#"{"name":"x","channel":"y","data":"","info":"colour"}"#,
        r#"{"name":"x","channels":["private-encrypted-a","b"],"data":""}"#,
        r#"["x","y","z"]"#,
    ] {
        assert_eq!(status(body), 400, "{body}");
    }
    assert!(events(b"\xff", &PusherLimits::default()).is_err());
}

#[test]
fn m3_sizes_and_counts() {
    let event = |name: usize, data: &str| {
        format!(r#"{{"name":"{}","channel":"y","data":"{data}"}}"#, "x".repeat(name))
    };
    assert_eq!(status(&event(200, "")), 200);
    assert_eq!(status(&event(201, "")), 400);
    assert_eq!(status(&event(1, &"x".repeat(10_240))), 200);
    assert_eq!(status(&event(1, &"x".repeat(10_241))), 413);
    // It is the decoded text that counts.
    assert_eq!(status(&event(1, &r#"\""#.repeat(10_240))), 200);
    assert_eq!(status(&event(1, &"é".repeat(5_121))), 413);
    let channels = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("\"c{n}\"")).collect();
        format!(r#"{{"name":"x","data":"","channels":[{}]}}"#, names.join(","))
    };
    assert_eq!(status(&channels(100)), 200);
    assert_eq!(status(&channels(101)), 400);
}

#[test]
fn batches() {
    let limits = PusherLimits::default();
    let batch = |events: &[&str]| {
        batch_events(format!(r#"{{"batch":[{}]}}"#, events.join(",")).as_bytes(), &limits)
    };
    let (one, other) =
        (r#"{"name":"x","channel":"a","data":""}"#, r#"{"name":"y","channel":"b","data":"1"}"#);
    let read = batch(&[one, other]).unwrap();
    assert_eq!(read.iter().map(|event| &*event.name).collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(batch(&[]), Ok(vec![]));
    assert!(batch(&[one; 10]).is_ok());
    assert_eq!(batch(&[one; 11]).unwrap_err().status(), 400);
    assert_eq!(batch(&[one, "{}"]).unwrap_err().status(), 400);
    let large = format!(r#"{{"name":"x","channel":"a","data":"{}"}}"#, "x".repeat(10_241));
    assert_eq!(batch(&[one, &large]).unwrap_err().status(), 413);
    let two = r#"{"name":"x","channels":["a","b"],"data":""}"#;
    assert_eq!(batch(&[two]).unwrap_err().status(), 400);
    assert!(batch_events(one.as_bytes(), &limits).is_err());
}

#[test]
fn attributes_belong_to_kinds() {
    let query = |rest: &str| {
        let text = format!(
            "auth_key=k&auth_timestamp=1&auth_version=1.0&auth_signature={}&{rest}",
            "0".repeat(64)
        );
        SignedQuery::parse(&text, &PusherLimits::default()).unwrap()
    };
    let channel = |name| ChannelName::new(name, &PusherLimits::default()).unwrap();
    let one = |rest, name| Info::of_channel(&query(rest), &channel(name)).is_ok();
    assert!(one("", "news"));
    assert!(one("info=subscription_count", "news"));
    assert!(one("info=user_count,subscription_count", "presence-x"));
    assert!(one("info=user_count%2Ccache", "presence-cache-x"));
    assert!(!one("info=user_count", "private-x"));
    assert!(!one("info=cache", "private-x"));
    assert!(!one("info=colour", "private-x"));

    let all =
        |rest| Info::of_channels(&query(rest)).map(|(info, prefix)| (info, prefix.to_owned()));
    assert_eq!(all("").unwrap(), (Info::default(), String::new()));
    let (info, prefix) = all("filter_by_prefix=presence-&info=user_count").unwrap();
    assert_eq!((info.user_count, &*prefix), (true, "presence-"));
    assert!(all("info=user_count").is_err());
    assert!(all("filter_by_prefix=private-&info=user_count").is_err());
    assert!(all("info=cache").is_err());
}

fn json(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).unwrap()
}

#[test]
fn answers() {
    assert_eq!(json(&ChannelsAnswer::default()), "{}");
    assert_eq!(json(&BatchAnswer::default()), "{}");
    assert_eq!(json(&ChannelsAnswer { channels: Some(BTreeMap::new()) }), r#"{"channels":{}}"#);
    let info = ChannelInfo { user_count: Some(2), ..ChannelInfo::default() };
    let channels = BTreeMap::from([("presence-x".to_owned(), info.clone())]);
    assert_eq!(
        json(&ChannelsAnswer { channels: Some(channels) }),
        r#"{"channels":{"presence-x":{"user_count":2}}}"#
    );
    assert_eq!(
        json(&BatchAnswer { batch: Some(vec![info, ChannelInfo::default()]) }),
        r#"{"batch":[{"user_count":2},{}]}"#
    );
    let cached = |cache| ChannelInfo {
        occupied: Some(true),
        subscription_count: Some(1),
        cache: Some(cache),
        ..ChannelInfo::default()
    };
    assert_eq!(
        json(&cached(Some(Cached { data: "{}".into(), ttl: 9 }))),
        r#"{"occupied":true,"subscription_count":1,"cache":{"data":"{}","ttl":9}}"#
    );
    assert_eq!(json(&cached(None)), r#"{"occupied":true,"subscription_count":1,"cache":null}"#);
    let users = UsersAnswer { users: vec![PresentUser { id: "1".into() }] };
    assert_eq!(json(&users), r#"{"users":[{"id":"1"}]}"#);
}
