//! How large and how many the things of the Pusher protocol may be.

use std::time::Duration;

/// Every limit of the protocol, with the values of the hosted service where it has one.
///
/// Lengths of names and ids are counted in characters, sizes of data in bytes of UTF-8.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PusherLimits {
    /// A channel's name. The service's documents say 164; its server libraries allow 200, and so do we.
    pub channel_name: usize,
    /// An event's name.
    pub event_name: usize,
    /// An event's data: a text as it is once decoded, anything else as JSON.
    pub event_data: usize,
    /// Channels that one trigger goes to.
    pub trigger_channels: usize,
    /// Events in one batch.
    pub batch_events: usize,
    /// Members of one presence channel.
    pub presence_members: usize,
    /// The id of a member or of a user who signs in.
    pub user_id: usize,
    /// What is told about a member, as JSON.
    pub user_info: usize,
    /// Client events that one connection sends in a second.
    pub client_events_per_second: u32,
    /// Users whose coming and going one user is told.
    pub watchlist: usize,
    /// An `auth` text: a key, a colon and 64 digits.
    pub auth: usize,
    /// A `channel_data` text. Room for the largest id and info with every character escaped.
    pub channel_data: usize,
    /// A `user_data` text. Room for more ids than the watchlist takes: the first ones of a longer list count.
    pub user_data: usize,
    /// Past events that a subscriber asks for (our own addition).
    pub history: u16,
    /// How deep JSON may be nested.
    pub json_depth: usize,
    /// Parameters in the query of one call of the HTTP API.
    pub query_parameters: usize,
    /// How far the clock of a caller of the HTTP API may be from ours, in either direction.
    pub clock_skew: Duration,
    /// How long a cache channel keeps its last event.
    pub cache_ttl: Duration,
    /// After this silence a client asks whether the server is there; told on connect, never zero.
    pub activity_timeout: Duration,
    /// How long an answer to a ping may take.
    pub pong_timeout: Duration,
}

impl Default for PusherLimits {
    fn default() -> Self {
        Self {
            channel_name: 200,
            event_name: 200,
            event_data: 10 * 1024,
            trigger_channels: 100,
            batch_events: 10,
            presence_members: 100,
            user_id: 128,
            user_info: 1024,
            client_events_per_second: 10,
            watchlist: 100,
            auth: 256,
            channel_data: 8 * 1024,
            user_data: 32 * 1024,
            history: 100,
            json_depth: 32,
            query_parameters: 32,
            clock_skew: Duration::from_secs(600),
            cache_ttl: Duration::from_secs(30 * 60),
            activity_timeout: Duration::from_secs(120),
            pong_timeout: Duration::from_secs(30),
        }
    }
}
