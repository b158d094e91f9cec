//! The first frame after a good sign-in. All who come back after an outage get it at the same time, so it is written
//! without an intermediate tree.

use std::time::Duration;

use parlour_core::limits::{Limits, Rate};
use serde::Serialize;

use super::{
    encode::write,
    object::{Me, Time},
};
use crate::Hello;

/// About as long as it is, in bytes.
const LENGTH: usize = 1_280;

#[derive(Serialize)]
struct Frame<'a> {
    durability: &'a str,
    expires_at: Option<Time>,
    heartbeat_ms: u64,
    limits: Bounds,
    protocol: &'static str,
    server_time: Time,
    session: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    user: Me,
    version: &'a str,
}

/// What a client may do.
#[derive(Serialize)]
struct Bounds {
    batch_commands: usize,
    commands: Pace,
    connections_per_user: usize,
    content_bytes: usize,
    conversations_per_connection: usize,
    edits: Pace,
    frame_bytes: usize,
    group_participants: usize,
    json_depth: usize,
    metadata_bytes: usize,
    open_commands: usize,
    page: usize,
    page_max: usize,
    pong_timeout_ms: u64,
    queue_bytes: usize,
    queue_frames: usize,
    resume_per_conversation: usize,
    resume_total: usize,
    sends: Pace,
    signal_participants: usize,
    title_chars: usize,
    typing_ttl_ms: u64,
}

#[derive(Serialize)]
struct Pace {
    burst: u32,
    per_second: u32,
}

impl From<Rate> for Pace {
    fn from(Rate { burst, per_second }: Rate) -> Self {
        Self { burst, per_second }
    }
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            batch_commands: limits.batch_commands,
            commands: limits.commands.into(),
            connections_per_user: limits.connections_per_user,
            content_bytes: limits.content_bytes,
            conversations_per_connection: limits.conversations_per_connection,
            edits: limits.edits.into(),
            frame_bytes: limits.frame_bytes,
            group_participants: limits.group_participants,
            json_depth: limits.json_depth,
            metadata_bytes: limits.metadata_bytes,
            open_commands: limits.open_commands,
            page: limits.page,
            page_max: limits.page_max,
            pong_timeout_ms: millis(limits.pong_timeout),
            queue_bytes: limits.queue_bytes,
            queue_frames: limits.queue_frames,
            resume_per_conversation: limits.resume_per_conversation,
            resume_total: limits.resume_total,
            sends: limits.sends.into(),
            signal_participants: limits.signal_participants,
            title_chars: limits.title_chars,
            typing_ttl_ms: millis(limits.typing_ttl),
        }
    }
}

/// Writes it.
pub(super) fn frame(hello: &Hello<'_>, out: &mut Vec<u8>) {
    let frame = Frame {
        durability: hello.durability,
        expires_at: hello.expires_at.map(Time),
        heartbeat_ms: millis(hello.limits.ping_interval),
        limits: hello.limits.into(),
        protocol: "parlour.v1",
        server_time: Time(hello.now),
        session: hello.session,
        kind: "hello",
        user: hello.user.into(),
        version: hello.version,
    };
    out.reserve(LENGTH);
    write(&frame, out);
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
