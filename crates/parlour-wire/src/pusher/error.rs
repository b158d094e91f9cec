//! What goes wrong: codes that end a connection, refusals that do not, and answers of the HTTP API.

use std::fmt;

use super::{channel::ChannelName, handshake::SocketId};

/// Why a connection ends; the range of the number tells clients what to do.
///
/// 4000 to 4099: do not come back; 4100 to 4199: come back after a while; 4200 to 4299: come back at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CloseCode {
    /// The WebSocket close code, and the `code` of a `pusher:error` before it.
    pub code: u16,
    /// The reason for a person. Short enough for a close frame (123 bytes).
    pub text: &'static str,
}

macro_rules! close_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal $text:literal;)*) => {
        impl CloseCode {
            $($(#[$doc])* pub const $name: Self = Self { code: $code, text: $text };)*

            /// Every code, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }
    };
}

close_codes! {
    /// The application takes TLS only.
    ONLY_TLS = 4000 "Application only accepts SSL connections, reconnect using wss://";
    /// No application has this key.
    NO_APP = 4001 "Application does not exist";
    /// The application is switched off.
    APP_DISABLED = 4003 "Application disabled";
    /// The application has as many connections as it may have.
    OVER_QUOTA = 4004 "Application is over connection quota";
    /// There is nothing at this path.
    NO_PATH = 4005 "Path not found";
    /// The protocol's version is no number.
    BAD_VERSION = 4006 "Invalid version string format";
    /// A version of the protocol that is not spoken here.
    UNSUPPORTED_PROTOCOL = 4007 "Unsupported protocol version";
    /// No version of the protocol was named.
    NO_PROTOCOL = 4008 "No protocol version supplied";
    /// Not signed in as it must be, in time or at all; or ended by the application.
    UNAUTHORIZED = 4009 "Connection is unauthorized";
    /// The server has too much to do.
    OVER_CAPACITY = 4100 "Over capacity";
    /// The server goes; another one, or itself again, is there.
    RECONNECT = 4200 "Generic reconnect immediately";
    /// A ping was not answered.
    NO_PONG = 4201 "Pong reply not received: ping was sent to the client, but no reply was received - see ping and pong messages";
    /// Nothing was heard for too long.
    INACTIVE = 4202 "Closed after inactivity";
    /// A client event over its limit. It does not end the connection.
    CLIENT_EVENT_REJECTED = 4301 "Client event rejected due to rate limit";
    /// A watchlist over its limit. It does not end the connection.
    WATCHLIST_LIMIT = 4302 "Watchlist limit exceeded";
}

/// Why something that a client asked was not done. The connection stays open.
///
/// `Display` is the text for the client. It repeats only what the client sent, in checked form, and never the
/// signature that would have been right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The frame is not JSON, or nested too deep.
    InvalidJson,
    /// It is JSON, but not what the protocol has for this event; the text says what is missing or too large.
    InvalidFrame(&'static str),
    /// A name that no channel can have.
    InvalidChannel,
    /// The signature is missing, malformed or another one.
    InvalidSignature {
        /// The connection that asked.
        socket: SocketId,
        /// The channel that it asked for; none for a sign-in.
        channel: Option<ChannelName>,
        /// Whether `channel_data` is a part of what is signed.
        with_data: bool,
    },
    /// The key before the signature is not the application's.
    InvalidKey,
    /// A channel that nobody can join by asking (another user's, or one's own before signing in).
    NotForYou(ChannelName),
    /// The channel is not for this user, or there is no such thing: never told apart. Also when he has lost it.
    Forbidden,
    /// It cannot be decided at the moment.
    Unavailable,
    /// Too much at once.
    TooFast,
    /// The user has as many connections as he may have.
    TooManyConnections,
    /// It is subscribed already.
    AlreadySubscribed(ChannelName),
    /// It is not subscribed.
    NotSubscribed(ChannelName),
    /// `channel_data` is missing or not what it must be; the text says why.
    InvalidChannelData(&'static str),
    /// The presence channel is full: how many members it takes.
    PresenceFull(usize),
    /// The connection has as many channels as it may have: how many.
    TooManyChannels(usize),
    /// A client event for a channel that the sender has not subscribed.
    ClientEventNotSubscribed(ChannelName),
    /// A client event on a channel of a kind that takes none.
    ClientEventWrongChannel(ChannelName),
    /// The application takes no client events.
    ClientEventsDisabled,
    /// A client event's name is too long: the most that it may have, in characters.
    EventNameTooLong(usize),
    /// A client event's data is too large: the most that it may have, in bytes.
    EventDataTooLarge(usize),
    /// Too many client events in this second.
    ClientEventRate,
    /// An event that clients do not send.
    UnsupportedEvent,
    /// The sign-in failed: `user_data` is not what it must be; the text says why.
    InvalidUserData(&'static str),
    /// The connection is signed in as somebody else.
    SignedInAlready,
    /// The watchlist was longer than allowed, and its beginning was taken: how many ids.
    WatchlistTooLong(usize),
}

impl Refusal {
    /// The `code` of the `pusher:error`; `None` is written as null.
    ///
    /// Within an open connection some clients take 4000 to 4299 for an order to go or to come again, so only
    /// numbers that are documented for such errors are used.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::ClientEventsDisabled
            | Self::EventNameTooLong(_)
            | Self::EventDataTooLarge(_)
            | Self::ClientEventRate => Some(CloseCode::CLIENT_EVENT_REJECTED.code),
            Self::WatchlistTooLong(_) => Some(CloseCode::WATCHLIST_LIMIT.code),
            Self::InvalidUserData(_) | Self::SignedInAlready => Some(CloseCode::UNAUTHORIZED.code),
            Self::InvalidSignature { channel: None, .. } => Some(CloseCode::UNAUTHORIZED.code),
            _ => None,
        }
    }

    /// `type` and `status` of the `pusher:subscription_error`, as other servers of this protocol have them.
    #[must_use]
    pub const fn subscription_status(&self) -> (&'static str, u16) {
        match self {
            Self::InvalidSignature { .. }
            | Self::InvalidKey
            | Self::NotForYou(_)
            | Self::InvalidChannelData(_) => ("AuthError", 401),
            Self::Forbidden => ("AuthError", 403),
            Self::Unavailable => ("ServerError", 503),
            Self::PresenceFull(_)
            | Self::TooManyChannels(_)
            | Self::TooManyConnections
            | Self::TooFast => ("LimitReached", CloseCode::OVER_CAPACITY.code),
            _ => ("InvalidRequest", 400),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidJson => f.write_str("Invalid message: this is not JSON"),
            Self::InvalidFrame(why) => write!(f, "Invalid message: {why}"),
            Self::InvalidChannel => f.write_str("Invalid channel name"),
            Self::InvalidSignature { socket, channel, with_data } => {
                write!(f, "Invalid signature: Expected HMAC SHA256 hex digest of {socket}:")?;
                match channel {
                    Some(channel) => write!(f, "{channel}")?,
                    None => f.write_str(":user::user_data")?,
                }
                f.write_str(if *with_data { ":channel_data" } else { "" })
            }
            Self::InvalidKey => {
                f.write_str("Invalid key in subscription auth data: it is not the application's")
            }
            Self::NotForYou(channel) => {
                write!(f, "Not signed in as the user of channel {channel}")
            }
            Self::Forbidden => f.write_str("Not allowed to subscribe to this channel"),
            Self::Unavailable => f.write_str("The server cannot tell at the moment; try again"),
            Self::TooFast => f.write_str("Too much at once; slow down"),
            Self::TooManyConnections => {
                f.write_str("The user has reached the limit of connections")
            }
            Self::AlreadySubscribed(channel) => {
                write!(f, "Existing subscription to channel {channel}")
            }
            Self::NotSubscribed(channel) => {
                write!(f, "No current subscription to channel {channel}")
            }
            Self::InvalidChannelData(why) => write!(f, "Invalid channel_data: {why}"),
            Self::PresenceFull(most) => {
                write!(f, "The channel has reached its limit of {most} members")
            }
            Self::TooManyChannels(most) => {
                write!(f, "The connection has reached its limit of {most} channels")
            }
            Self::ClientEventNotSubscribed(channel) => write!(
                f,
                "Cannot broadcast client event (connection not subscribed to channel {channel})"
            ),
            Self::ClientEventWrongChannel(channel) => write!(
                f,
                "Client event rejected - only supported on private and presence channels, not {channel}"
            ),
            Self::ClientEventsDisabled => {
                f.write_str("The app does not have client messaging enabled")
            }
            Self::EventNameTooLong(most) => {
                write!(f, "Client event rejected: its name has more than {most} characters")
            }
            Self::EventDataTooLarge(most) => {
                write!(f, "Client event rejected: its data has more than {most} bytes")
            }
            Self::ClientEventRate => f.write_str(CloseCode::CLIENT_EVENT_REJECTED.text),
            Self::UnsupportedEvent => f.write_str("Unsupported event received on socket"),
            Self::InvalidUserData(why) => write!(f, "Invalid user_data: {why}"),
            Self::SignedInAlready => f.write_str("The connection is signed in as another user"),
            Self::WatchlistTooLong(most) => {
                write!(f, "Watchlist limit exceeded: the first {most} ids were taken")
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// Why a call of the HTTP API was refused. `Display` is the body, as plain text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ApiError {
    /// 400: the call is not what it must be; the text says why.
    BadRequest(&'static str),
    /// 401: it is not signed as it must be; the text says why, but not what would have been right.
    Unauthorized(&'static str),
    /// 403: the application may not do this (switched off, over its quota).
    Forbidden(&'static str),
    /// 404: no such application or path.
    NotFound(&'static str),
    /// 400: more than a count allows.
    TooMany {
        /// Of what, in the plural.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
    /// 413: data larger than its limit.
    DataTooLarge {
        /// How many bytes it may have.
        most: usize,
    },
}

impl ApiError {
    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::BadRequest(_) | Self::TooMany { .. } => 400,
            Self::Unauthorized(_) => 401,
            Self::Forbidden(_) => 403,
            Self::NotFound(_) => 404,
            Self::DataTooLarge { .. } => 413,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadRequest(text)
            | Self::Unauthorized(text)
            | Self::Forbidden(text)
            | Self::NotFound(text) => f.write_str(text),
            Self::TooMany { what, most } => write!(f, "There may be {most} {what}, not more"),
            Self::DataTooLarge { most } => write!(f, "data may have {most} bytes, not more"),
        }
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use super::{super::limits::PusherLimits, *};

    #[test]
    fn close_codes_rise_and_fit_a_close_frame() {
        assert!(CloseCode::ALL.windows(2).all(|pair| pair[0].code < pair[1].code));
        for code in CloseCode::ALL {
            assert!((4000..=4302).contains(&code.code) && code.text.len() <= 123, "{code:?}");
        }
    }

    #[test]
    fn refusals_read_like_the_services_own() {
        let channel = ChannelName::new("private-x", &PusherLimits::default()).unwrap();
        let signature = |channel: Option<&ChannelName>, with_data| Refusal::InvalidSignature {
            socket: SocketId::new(12, 34),
            channel: channel.cloned(),
            with_data,
        };
        let check = |refusal: &Refusal, code, text: &str| {
            assert_eq!((refusal.code(), refusal.to_string().as_str()), (code, text));
        };
        check(
            &signature(Some(&channel), false),
            None,
            "Invalid signature: Expected HMAC SHA256 hex digest of 12.34:private-x",
        );
        check(
            &signature(Some(&channel), true),
            None,
            "Invalid signature: Expected HMAC SHA256 hex digest of 12.34:private-x:channel_data",
        );
        check(
            &signature(None, false),
            Some(4009),
            "Invalid signature: Expected HMAC SHA256 hex digest of 12.34::user::user_data",
        );
        check(
            &Refusal::AlreadySubscribed(channel.clone()),
            None,
            "Existing subscription to channel private-x",
        );
        check(
            &Refusal::NotSubscribed(channel.clone()),
            None,
            "No current subscription to channel private-x",
        );
        check(
            &Refusal::ClientEventNotSubscribed(channel),
            None,
            "Cannot broadcast client event (connection not subscribed to channel private-x)",
        );
        check(&Refusal::UnsupportedEvent, None, "Unsupported event received on socket");
        check(&Refusal::ClientEventRate, Some(4301), "Client event rejected due to rate limit");
        check(
            &Refusal::WatchlistTooLong(100),
            Some(4302),
            "Watchlist limit exceeded: the first 100 ids were taken",
        );
    }
}
