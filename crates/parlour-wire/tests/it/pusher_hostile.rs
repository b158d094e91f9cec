//! The Pusher decoders under a storm of broken texts: they never panic, keep their limits, and what is written of their work is JSON.

use parlour_wire::pusher::{
    ChannelName, ClientFrame, PusherLimits, auth::AuthRequest, decode, encode, handshake, http,
    presence, signature::SignedQuery,
};
use serde_json::Value;

use crate::hostile::{Random, mutate};

const SEEDS: &[&str] = &[
    r#"{"event":"pusher:subscribe","data":{"channel":"presence-x","auth":"k:ab","channel_data":"{\"user_id\":1}","history":9}}"#,
    r#"{"event":"pusher:subscribe","data":"{\"channel\":\"private-encrypted-x\"}"}"#,
    r#"{"event":"pusher:signin","data":{"auth":"k:ab","user_data":"{\"id\":\"1\"}"}}"#,
    r#"{"event":"client-x","channel":"private-x","data":{"a":[1,"\u00e9"]}}"#,
    r##"{"event":"pusher:unsubscribe","data":{"channel":"#server-to-user-7"}}"##,
    r#"{"user_id":10,"user_info":{"name":"Mr. Pusher"}}"#,
    r#"{"id":"7","user_info":{"name":"N"},"watchlist":["1",2,"\ud83d\ude00"]}"#,
    r#"{"name":"x","channels":["a","b"],"data":"{\"some\":\"data\"}","socket_id":"1.2","info":"cache"}"#,
    r#"{"batch":[{"name":"x","channel":"a","data":"1"},{"name":"y","channel":"b","data":""}]}"#,
    "auth_key=k&auth_timestamp=1&auth_version=1.0&auth_signature=0000000000000000000000000000000000000000000000000000000000000000",
    "socket_id=1.2&channel_name=private-user.a%40b&protocol=7",
];

fn json(out: &[u8], of: &str) -> Value {
    let parsed = serde_json::from_slice::<Value>(out);
    assert!(parsed.is_ok(), "{parsed:?}: written of {of}");
    let value = parsed.unwrap();
    let fields = value.as_object().unwrap();
    assert!(fields.values().all(|field| !field.is_null()), "a null key, written of {of}");
    value
}

/// Whatever frame it is, there is an answer to it, and a relayed event has only what was let through.
fn check_frame(text: &str, limits: &PusherLimits) {
    let mut out = Vec::new();
    match decode::frame(text, limits) {
        Ok(ClientFrame::ClientEvent { channel, event, data }) => {
            assert!(event.starts_with("client-"), "{text}");
            assert!(data.size() <= limits.event_data, "{text}");
            encode::client_event(&channel, &event, &data, Some("7"), &mut out);
            let fields = json(&out, text);
            let names: Vec<&str> = fields.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(names.len(), 4, "{names:?} of {text}");
            assert_eq!(fields["user_id"], "7");
            return;
        }
        Ok(ClientFrame::Subscribe(wanted)) => {
            assert!(wanted.history.is_none_or(|count| (1..=limits.history).contains(&count)));
            encode::subscription_succeeded(&wanted.channel, &mut out);
        }
        Ok(ClientFrame::Unsubscribe(channel)) => encode::cache_miss(&channel, &mut out),
        Ok(ClientFrame::SignIn { user_data, .. }) => encode::signin_success(&user_data, &mut out),
        Ok(ClientFrame::Ping | ClientFrame::Pong) => encode::pong(&mut out),
        Err(refused) => {
            encode::refusal(&refused.refusal, &mut out);
            if let Some(channel) = refused.channel {
                out.clear();
                encode::subscription_error(&channel, &refused.refusal, &mut out);
            }
        }
    }
    json(&out, text);
}

fn check_others(text: &str, limits: &PusherLimits) {
    let channel = ChannelName::new("presence-x", limits).unwrap();
    if let Ok(member) = presence::channel_data(text, limits) {
        assert!(!member.user_id.is_empty() && member.user_info.len() <= limits.user_info);
        let mut out = Vec::new();
        encode::presence_succeeded(&channel, [&member], &mut out);
        let frame = json(&out, text);
        let roster: Value = serde_json::from_str(frame["data"].as_str().unwrap()).unwrap();
        assert_eq!(roster["presence"]["ids"][0], *member.user_id, "{text}");
        assert!(roster["presence"]["hash"].get(&*member.user_id).is_some(), "{text}");
    }
    if let Ok(user) = presence::user_data(text, limits) {
        assert!(!user.id.is_empty() && user.watchlist.len() <= limits.watchlist, "{text}");
    }
    let one = http::events(text.as_bytes(), limits).into_iter();
    let many = http::batch_events(text.as_bytes(), limits).into_iter().flatten();
    for trigger in one.chain(many) {
        assert!(!trigger.channels.is_empty(), "{text}");
        let mut out = Vec::new();
        encode::event(&channel, &trigger.name, &trigger.data, &mut out);
        assert_eq!(json(&out, text)["data"], *trigger.data.to_text(), "{text}");
    }
    drop((handshake::protocol(text), SignedQuery::parse(text, limits)));
    drop(AuthRequest::from_form(text.as_bytes(), limits));
    drop(AuthRequest::from_json(text.as_bytes(), limits));
}

#[test]
fn d_a_storm_of_broken_pusher_frames() {
    let (mut random, limits) = (Random(0x9e37_79b9_7f4a_7c15), PusherLimits::default());
    for round in 0..40_000 {
        let text = mutate(SEEDS[round % SEEDS.len()], &mut random);
        check_frame(&text, &limits);
        check_others(&text, &limits);
    }
}
