//! What several processes tell each other about: a channel's subscribers, or a user's connections.

use std::sync::Arc;

use parlour_core::port::bus::Topic;
use parlour_wire::pusher::ChannelName;

use crate::pusher::{apps::App, cluster::message};

/// What is shared: a channel's subscribers, or a user's connections.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Key {
    /// A channel.
    Channel(ChannelName),
    /// A signed-in user.
    User(Arc<str>),
}

impl Key {
    /// From what another process says; `None` where it makes no sense.
    pub(super) fn read(key: &message::Key, app: &App) -> Option<Self> {
        match key {
            message::Key::Channel(name) => {
                ChannelName::new(name, &app.limits).ok().map(Self::Channel)
            }
            message::Key::User(id) => Some(Self::User((**id).into())),
        }
    }

    pub(super) fn write(&self) -> message::Key {
        match self {
            Self::Channel(name) => message::Key::Channel(name.as_str().into()),
            Self::User(id) => message::Key::User((**id).into()),
        }
    }

    /// Where what concerns it is said. A user's own channel is the topic of the user.
    pub(super) fn topic(&self, app: &App) -> Topic {
        let channel = match self {
            Self::Channel(name) => name.as_str().into(),
            Self::User(id) => format!("#server-to-user-{id}").into(),
        };
        Topic::Channel { app: app.id.clone(), channel }
    }
}
