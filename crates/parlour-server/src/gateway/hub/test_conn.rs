//! Connections for the tests of the hub.

use std::sync::Arc;

use parlour_core::{
    ConversationId,
    command::{Actor, Identity},
    limits::Limits,
    testing,
};
use parlour_wire::Dialect;

use crate::{
    gateway::{
        conn::{Conn, NewConn},
        link::Link,
    },
    metrics::Metrics,
};

/// A connection of a user; on a channel, which carries conversation 1, if it has a name.
pub(super) fn conn(dialect: &'static dyn Dialect, user: &str, channel: Option<&str>) -> Arc<Conn> {
    let identity = Identity {
        actor: Actor::user(testing::user(user)),
        session: None,
        expires_at: None,
        issued_at: 0,
    };
    Conn::new(NewConn {
        key: 1,
        identity,
        device: None,
        agent: None,
        dialect,
        scope: channel.map(|_| ConversationId(1)),
        channel: channel.map(Into::into),
        transport: "test",
        link: Link::new(None, Arc::new(Limits::default()), Arc::new(Metrics::new())),
    })
}
