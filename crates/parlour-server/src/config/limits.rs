//! The section of limits: every bound of the domain, under the name that clients see.

use confique::Config as Section;
use parlour_core::limits::{Limits, Rate};

use super::Period;

/// Sizes, counts and rates.
#[derive(Section, Debug, Clone)]
pub struct LimitsSection {
    /// Enforce the rates at all. `off` is for load tests.
    #[config(default = true, env = "PARLOUR_RATE_LIMITS")]
    pub rate_limits: bool,
    /// Largest HTTP body, in bytes.
    #[config(default = 262_144)]
    pub body_bytes: usize,
    /// Largest incoming WebSocket message, in bytes.
    #[config(default = 65_536)]
    pub frame_bytes: usize,
    /// Most fragments of one WebSocket message.
    #[config(default = 256)]
    pub fragments: u32,
    /// Longest text of a message, in bytes of UTF-8.
    #[config(default = 16_384)]
    pub content_bytes: usize,
    /// Longest metadata, in bytes.
    #[config(default = 4_096)]
    pub metadata_bytes: usize,
    /// Deepest nesting of incoming JSON; at most 100.
    #[config(default = 32, validate(*json_depth <= 100, "it must be at most 100"))]
    pub json_depth: usize,
    /// Most commands in one frame.
    #[config(default = 50)]
    pub batch_commands: usize,
    /// Most commands of a connection that may be open at once.
    #[config(default = 64)]
    pub open_commands: usize,
    /// Longest user or display name, in characters.
    #[config(default = 64)]
    pub name_chars: usize,
    /// Longest title, in characters.
    #[config(default = 128)]
    pub title_chars: usize,
    /// Most participants of a group. More than 10,000 is unwise.
    #[config(default = 1_000)]
    pub group_participants: usize,
    /// Largest group in which people are told who comes, goes and writes, and who of the others has read: that grows
    /// with the square of their number.
    #[config(default = 1_000)]
    pub signal_participants: usize,
    /// Most live sockets of one user.
    #[config(default = 20)]
    pub connections_per_user: usize,
    /// Most live sockets of one address (an IPv6 /64 counts as one).
    #[config(default = 100)]
    pub connections_per_address: usize,
    /// Most sockets that have not signed in yet.
    #[config(default = 2_000)]
    pub connections_before_auth: usize,
    /// Most conversations that a connection listens to.
    #[config(default = 1_000)]
    pub conversations_per_connection: usize,
    /// Outbound queue of a connection, in bytes.
    #[config(default = 1_048_576)]
    pub queue_bytes: usize,
    /// Outbound queue of a connection, in frames.
    #[config(default = 1_000)]
    pub queue_frames: usize,
    /// Most Changes replayed for one conversation; past it the client must reload.
    #[config(default = 1_000)]
    pub resume_per_conversation: usize,
    /// Most Changes replayed in one resume.
    #[config(default = 5_000)]
    pub resume_total: usize,
    /// Changes in one replay frame.
    #[config(default = 200)]
    pub resume_page: usize,
    /// Default page of a list.
    #[config(default = 50)]
    pub page: usize,
    /// Largest page of a list; more is clamped.
    #[config(default = 100)]
    pub page_max: usize,
    /// Sends of a user, each second.
    #[config(default = 5)]
    pub sends_per_second: u32,
    /// Sends of a user at once.
    #[config(default = 50)]
    pub sends_burst: u32,
    /// Edits, deletions and changes of conversations of a user, each second.
    #[config(default = 2)]
    pub edits_per_second: u32,
    /// Edits, deletions and changes of conversations of a user at once.
    #[config(default = 20)]
    pub edits_burst: u32,
    /// Commands of a connection, each second.
    #[config(default = 20)]
    pub commands_per_second: u32,
    /// Commands of a connection at once.
    #[config(default = 60)]
    pub commands_burst: u32,
    /// Refused commands in a row after which a connection is closed.
    #[config(default = 100)]
    pub refused_before_close: u32,
    /// New connections of an address, each second.
    #[config(default = 10)]
    pub connects_per_second: u32,
    /// New connections of an address at once.
    #[config(default = 100)]
    pub connects_burst: u32,
    /// Failed logins to one account, each minute.
    #[config(default = 10)]
    pub logins_per_minute: u32,
    /// Failed logins to one account at once.
    #[config(default = 10)]
    pub logins_burst: u32,
    /// Logins from one address, each minute; twice as many at once.
    #[config(default = 60)]
    pub address_logins_per_minute: u32,
    /// Quiet time after which the server pings.
    #[config(default = "25s")]
    pub ping_interval: Period,
    /// How long a pong may take.
    #[config(default = "10s")]
    pub pong_timeout: Period,
    /// How long a native socket may stay without signing in.
    #[config(default = "10s")]
    pub auth_timeout: Period,
    /// How long a blocked write may take before the connection is given up.
    #[config(default = "10s")]
    pub write_timeout: Period,
    /// How long an HTTP body may take to arrive.
    #[config(default = "20s")]
    pub body_timeout: Period,
    /// How long before the end of a sign-in the client is warned.
    #[config(default = "60s")]
    pub expiry_warning: Period,
    /// How long typing is shown without a repetition.
    #[config(default = "6s")]
    pub typing_ttl: Period,
    /// How long after the last socket somebody is still shown as there.
    #[config(default = "10s")]
    pub presence_grace: Period,
}

impl LimitsSection {
    /// The limits in the domain's form.
    #[must_use]
    pub fn to_domain(&self) -> Limits {
        Limits {
            frame_bytes: self.frame_bytes,
            fragments: self.fragments,
            content_bytes: self.content_bytes,
            metadata_bytes: self.metadata_bytes,
            json_depth: self.json_depth,
            batch_commands: self.batch_commands,
            open_commands: self.open_commands,
            name_chars: self.name_chars,
            title_chars: self.title_chars,
            group_participants: self.group_participants,
            signal_participants: self.signal_participants,
            connections_per_user: self.connections_per_user,
            connections_per_address: self.connections_per_address,
            connections_before_auth: self.connections_before_auth,
            conversations_per_connection: self.conversations_per_connection,
            queue_bytes: self.queue_bytes,
            queue_frames: self.queue_frames,
            resume_per_conversation: self.resume_per_conversation,
            resume_total: self.resume_total,
            resume_page: self.resume_page,
            page: self.page,
            page_max: self.page_max,
            sends: Rate::new(self.sends_per_second, self.sends_burst),
            edits: Rate::new(self.edits_per_second, self.edits_burst),
            commands: Rate::new(self.commands_per_second, self.commands_burst),
            refused_before_close: self.refused_before_close,
            connects: Rate::new(self.connects_per_second, self.connects_burst),
            rates_enforced: self.rate_limits,
            ping_interval: self.ping_interval.0,
            pong_timeout: self.pong_timeout.0,
            auth_timeout: self.auth_timeout.0,
            write_timeout: self.write_timeout.0,
            expiry_warning: self.expiry_warning.0,
            typing_ttl: self.typing_ttl.0,
            presence_grace: self.presence_grace.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    #[test]
    fn the_defaults_are_those_of_the_domain() {
        let config: Config = crate::config::load(&Sources::default()).unwrap().config;
        assert_eq!(config.limits.to_domain(), Limits::default());
    }
}
