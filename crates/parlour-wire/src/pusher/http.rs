//! Bodies of the HTTP API: what publishers ask, and what they are answered.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    channel::{Access, ChannelName},
    decode::object,
    error::ApiError,
    handshake::SocketId,
    limits::PusherLimits,
    payload::Payload,
    signature::SignedQuery,
};

/// Names that only the server may give its events.
const RESERVED: [&str; 2] = ["pusher:", "pusher_internal:"];

/// An event that an application publishes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trigger {
    /// The event's name.
    pub name: Arc<str>,
    /// Its data, as it came.
    pub data: Payload,
    /// Where to, each once; at least one.
    pub channels: Vec<ChannelName>,
    /// A connection that is not to get it.
    pub except: Option<SocketId>,
    /// What to answer about the channels.
    pub info: Info,
}

/// What a caller wants to know about channels.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Info {
    /// How many users are on it; presence channels only.
    pub user_count: bool,
    /// How many connections have it.
    pub subscription_count: bool,
    /// What it keeps; cache channels only.
    pub cache: bool,
}

#[derive(Deserialize)]
struct EventFields<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow)]
    channels: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow)]
    socket_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    info: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct BatchFields<'a> {
    #[serde(borrow)]
    batch: Vec<&'a RawValue>,
}

/// Reads the body of `POST /events`. Where both `channels` and `channel` are given, `channels` counts.
///
/// # Errors
/// [`ApiError`] with status 400 for what is missing, malformed, reserved or too many, and 413 for data over
/// `limits.event_data`.
pub fn events(body: &[u8], limits: &PusherLimits) -> Result<Trigger, ApiError> {
    trigger(text(body)?, limits)
}

/// Reads the body of `POST /batch_events`: one channel an event, all of them or none.
///
/// # Errors
/// As [`events`], for any of them.
pub fn batch_events(body: &[u8], limits: &PusherLimits) -> Result<Vec<Trigger>, ApiError> {
    let fields: BatchFields<'_> = object(text(body)?, limits)
        .map_err(|_| ApiError::BadRequest("The body is no JSON object with a list \"batch\""))?;
    if fields.batch.len() > limits.batch_events {
        return Err(ApiError::TooMany { what: "events in a batch", most: limits.batch_events });
    }
    let one = |raw: &&RawValue| {
        let event = trigger(raw.get(), limits)?;
        match event.channels.len() {
            1 => Ok(event),
            _ => Err(ApiError::BadRequest("An event of a batch has one channel")),
        }
    };
    fields.batch.iter().map(one).collect()
}

fn text(body: &[u8]) -> Result<&str, ApiError> {
    std::str::from_utf8(body).map_err(|_| ApiError::BadRequest("The body is not UTF-8"))
}

fn trigger(json: &str, limits: &PusherLimits) -> Result<Trigger, ApiError> {
    let fields: EventFields<'_> = object(json, limits).map_err(|_| {
        ApiError::BadRequest("An event is a JSON object with name, data and channels or channel")
    })?;
    let name = fields.name;
    if name.is_empty() || name.chars().count() > limits.event_name {
        return Err(ApiError::BadRequest("name is empty or longer than allowed"));
    }
    if RESERVED.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(ApiError::BadRequest("Names that begin with pusher are reserved"));
    }
    // Read to tell its size, and that it is a text which every client can hold; kept as it came.
    let data: Cow<'_, str> = serde_json::from_str(fields.data.get())
        .map_err(|_| ApiError::BadRequest("data must be a text"))?;
    if data.len() > limits.event_data {
        return Err(ApiError::DataTooLarge { most: limits.event_data });
    }
    let socket = fields.socket_id.map(|id| id.parse()).transpose();
    Ok(Trigger {
        channels: channels(fields.channels, fields.channel, limits)?,
        except: socket.map_err(|_| ApiError::BadRequest("socket_id is malformed"))?,
        info: Info::parse(fields.info.as_deref().unwrap_or_default())?,
        name: name.into(),
        data: Payload::raw(fields.data),
    })
}

fn channels(
    many: Option<Vec<Cow<'_, str>>>,
    one: Option<Cow<'_, str>>,
    limits: &PusherLimits,
) -> Result<Vec<ChannelName>, ApiError> {
    let names = many.unwrap_or_else(|| one.into_iter().collect());
    if names.len() > limits.trigger_channels {
        return Err(ApiError::TooMany { what: "channels", most: limits.trigger_channels });
    }
    let mut channels: Vec<ChannelName> = Vec::with_capacity(names.len());
    for name in &names {
        let channel = ChannelName::new(name, limits);
        let channel = channel.map_err(|_| ApiError::BadRequest("A channel's name is malformed"))?;
        if !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    if channels.is_empty() {
        return Err(ApiError::BadRequest("channels or channel is missing or empty"));
    }
    let encrypted = channels.iter().any(|channel| channel.access() == Access::Encrypted);
    if encrypted && channels.len() > 1 {
        return Err(ApiError::BadRequest("An event for an encrypted channel goes to it alone"));
    }
    Ok(channels)
}

impl Info {
    /// Reads a comma-separated list; an empty text is nothing.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] for an attribute that does not exist.
    pub fn parse(list: &str) -> Result<Self, ApiError> {
        let mut info = Self::default();
        for attribute in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match attribute {
                "user_count" => info.user_count = true,
                "subscription_count" => info.subscription_count = true,
                "cache" => info.cache = true,
                _ => {
                    return Err(ApiError::BadRequest(
                        "info takes user_count, subscription_count and cache",
                    ));
                }
            }
        }
        Ok(info)
    }

    /// Of one channel, as `GET /channels/{channel}` asks.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] when a channel of its kind has no such attribute.
    pub fn of_channel(query: &SignedQuery, channel: &ChannelName) -> Result<Self, ApiError> {
        let info = Self::parse(query.get("info").unwrap_or_default())?;
        if info.user_count && channel.access() != Access::Presence {
            return Err(ApiError::BadRequest("user_count is an attribute of presence channels"));
        }
        if info.cache && !channel.is_cache() {
            return Err(ApiError::BadRequest("cache is an attribute of cache channels"));
        }
        Ok(info)
    }

    /// Of all channels with a prefix, as `GET /channels` asks; the prefix is empty for all.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] for `user_count` without a prefix of presence channels, and for `cache`.
    pub fn of_channels(query: &SignedQuery) -> Result<(Self, &str), ApiError> {
        let prefix = query.get("filter_by_prefix").unwrap_or_default();
        let info = Self::parse(query.get("info").unwrap_or_default())?;
        if info.user_count && !prefix.starts_with("presence-") {
            return Err(ApiError::BadRequest(
                "user_count needs a filter_by_prefix that begins with presence-",
            ));
        }
        if info.cache {
            return Err(ApiError::BadRequest("cache is told of one channel at a time"));
        }
        Ok((info, prefix))
    }

    /// Whether anything is asked.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        !self.user_count && !self.subscription_count && !self.cache
    }
}

/// What is told about a channel: only what was asked.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct ChannelInfo {
    /// Whether anybody has it; in the answer about one channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occupied: Option<bool>,
    /// How many users are on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_count: Option<usize>,
    /// How many connections have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_count: Option<usize>,
    /// What it keeps; the inner `None` is null: it keeps nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<Option<Cached>>,
}

/// The event that a cache channel keeps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Cached {
    /// Its data as a text.
    pub data: Arc<str>,
    /// For how many more seconds it is kept.
    pub ttl: u64,
}

/// The answer to `POST /events` and to `GET /channels`: channels with what was asked about them. `POST /events`
/// without `info` is answered by `{}`.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct ChannelsAnswer {
    /// By name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<BTreeMap<String, ChannelInfo>>,
}

/// The answer to `POST /batch_events`: one entry an event in their order, or `{}` where none had `info`.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct BatchAnswer {
    /// What was asked about each event's channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<Vec<ChannelInfo>>,
}

/// The answer to `GET /channels/{channel}/users`.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct UsersAnswer {
    /// Who is on it, each once.
    pub users: Vec<PresentUser>,
}

/// A user on a presence channel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PresentUser {
    /// Who.
    pub id: Arc<str>,
}

#[cfg(test)]
mod tests;
