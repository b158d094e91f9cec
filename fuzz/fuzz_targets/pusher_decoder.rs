//! What Pusher clients and publishers send: any text is read or refused, what is read keeps its limits, and what is written of it is JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parlour_wire::pusher::{
    ClientFrame, PusherLimits, auth::AuthRequest, decode, encode, handshake, http, presence,
    signature::SignedQuery,
};

/// Whether a frame is JSON, as far as one can tell without a parser.
fn is_object(out: &[u8]) -> bool {
    std::str::from_utf8(out).is_ok_and(|text| text.starts_with('{') && text.ends_with('}'))
}

fuzz_target!(|text: &str| {
    let limits = PusherLimits::default();
    let mut out = Vec::new();
    match decode::frame(text, &limits) {
        Ok(ClientFrame::ClientEvent { channel, event, data }) => {
            assert!(event.starts_with("client-") && data.size() <= limits.event_data);
            encode::client_event(&channel, &event, &data, Some("7"), &mut out);
        }
        Ok(ClientFrame::Subscribe(wanted)) => {
            assert!(wanted.channel.as_str().chars().count() <= limits.channel_name);
            encode::subscription_succeeded(&wanted.channel, &mut out);
        }
        Ok(_) => encode::pong(&mut out),
        Err(refused) => encode::refusal(&refused.refusal, &mut out),
    }
    assert!(is_object(&out));
    if let Ok(member) = presence::channel_data(text, &limits) {
        out.clear();
        let channel = parlour_wire::pusher::ChannelName::new("presence-x", &limits);
        encode::presence_succeeded(&channel.expect("a valid name"), [&member], &mut out);
        assert!(is_object(&out) && member.user_info.len() <= limits.user_info);
    }
    if let Ok(user) = presence::user_data(text, &limits) {
        assert!(!user.id.is_empty() && user.watchlist.len() <= limits.watchlist);
    }
    for trigger in http::events(text.as_bytes(), &limits)
        .into_iter()
        .chain(http::batch_events(text.as_bytes(), &limits).into_iter().flatten())
    {
        assert!(!trigger.channels.is_empty() && trigger.data.size() <= limits.event_data);
    }
    let _ = (handshake::protocol(text), SignedQuery::parse(text, &limits));
    let _ = AuthRequest::from_form(text.as_bytes(), &limits);
    let _ = AuthRequest::from_json(text.as_bytes(), &limits);
});
