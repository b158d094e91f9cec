//! What an application is told by webhooks.

use std::sync::Arc;

use serde::Serialize;

use super::{channel::ChannelName, handshake::SocketId};

/// The content type, exactly: some libraries compare the header as a whole.
pub const CONTENT_TYPE: &str = "application/json";
/// The header with the application's key.
pub const KEY_HEADER: &str = "X-Pusher-Key";
/// The header with the signature of the raw body.
pub const SIGNATURE_HEADER: &str = "X-Pusher-Signature";

/// The body of one call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Webhook {
    /// When it was made, in milliseconds since 1970.
    pub time_ms: i64,
    /// What happened, in its order.
    pub events: Vec<WebhookEvent>,
}

/// One happening.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum WebhookEvent {
    /// A channel has its first subscriber.
    ChannelOccupied {
        /// Which.
        channel: Arc<str>,
    },
    /// A channel has lost its last subscriber.
    ChannelVacated {
        /// Which.
        channel: Arc<str>,
    },
    /// A user has come to a presence channel.
    MemberAdded {
        /// Which.
        channel: Arc<str>,
        /// Who.
        user_id: Arc<str>,
    },
    /// A user has gone from a presence channel.
    MemberRemoved {
        /// Which.
        channel: Arc<str>,
        /// Who.
        user_id: Arc<str>,
    },
    /// A client has sent an event.
    ClientEvent {
        /// Where.
        channel: Arc<str>,
        /// Its name.
        event: Arc<str>,
        /// Its data as a text.
        data: Arc<str>,
        /// The connection of the sender.
        socket_id: String,
        /// The sender, on presence channels.
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<Arc<str>>,
    },
    /// A cache channel was subscribed and had nothing kept.
    CacheMiss {
        /// Which.
        channel: Arc<str>,
    },
    /// How many connections have a channel has changed.
    SubscriptionCount {
        /// Which.
        channel: Arc<str>,
        /// How many.
        subscription_count: usize,
    },
}

impl WebhookEvent {
    /// A client's event.
    #[must_use]
    pub fn client_event(
        channel: &ChannelName,
        event: &str,
        data: &super::Payload,
        socket: SocketId,
        user_id: Option<Arc<str>>,
    ) -> Self {
        Self::ClientEvent {
            channel: channel.as_str().into(),
            event: event.into(),
            data: data.to_text().into(),
            socket_id: socket.to_string(),
            user_id,
        }
    }
}

impl Webhook {
    /// The body, whose bytes are signed as they are sent.
    #[must_use]
    pub fn to_body(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Payload, PusherLimits},
        *,
    };

    #[test]
    fn bodies() {
        let channel = ChannelName::new("presence-x", &PusherLimits::default()).unwrap();
        let (x, user): (Arc<str>, Arc<str>) = ("presence-x".into(), "1".into());
        let client = |user_id| {
            let data = Payload::text(r#"{"a":1}"#);
            WebhookEvent::client_event(&channel, "client-a", &data, SocketId::new(1, 2), user_id)
        };
        let events = vec![
            WebhookEvent::ChannelOccupied { channel: x.clone() },
            WebhookEvent::ChannelVacated { channel: x.clone() },
            WebhookEvent::MemberAdded { channel: x.clone(), user_id: user.clone() },
            WebhookEvent::MemberRemoved { channel: x.clone(), user_id: user.clone() },
            client(Some(user)),
            client(None),
            WebhookEvent::CacheMiss { channel: x.clone() },
            WebhookEvent::SubscriptionCount { channel: x, subscription_count: 3 },
        ];
        let expected = [
            r#"{"time_ms":17,"events":[{"name":"channel_occupied","channel":"presence-x"}"#,
            r#"{"name":"channel_vacated","channel":"presence-x"}"#,
            r#"{"name":"member_added","channel":"presence-x","user_id":"1"}"#,
            r#"{"name":"member_removed","channel":"presence-x","user_id":"1"}"#,
            r#"{"name":"client_event","channel":"presence-x","event":"client-a","data":"{\"a\":1}","socket_id":"1.2","user_id":"1"}"#,
            r#"{"name":"client_event","channel":"presence-x","event":"client-a","data":"{\"a\":1}","socket_id":"1.2"}"#,
            r#"{"name":"cache_miss","channel":"presence-x"}"#,
            r#"{"name":"subscription_count","channel":"presence-x","subscription_count":3}]}"#,
        ];
        assert_eq!(Webhook { time_ms: 17, events }.to_body(), expected.join(","));
    }
}
