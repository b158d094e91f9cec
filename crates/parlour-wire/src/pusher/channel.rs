//! Names of channels, and what their prefixes mean.

use std::{
    borrow::Borrow,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use parlour_core::{ConversationId, UserId, ids::MAX_INTEGER};

use super::{error::Refusal, limits::PusherLimits};

/// Begins the channel that carries events for one signed-in user.
const TO_USER: &str = "#server-to-user-";

/// Prefixes and what they mean; longer ones before those that they begin with.
const PREFIXES: &[(&str, Access, bool)] = &[
    ("private-encrypted-cache-", Access::Encrypted, true),
    ("private-encrypted-", Access::Encrypted, false),
    ("private-cache-", Access::Private, true),
    ("private-", Access::Private, false),
    ("presence-cache-", Access::Presence, true),
    ("presence-", Access::Presence, false),
    ("cache-", Access::Public, true),
    (TO_USER, Access::ServerToUser, false),
];

/// What it takes to subscribe to a channel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// Nothing.
    Public,
    /// A signature.
    Private,
    /// A signature over who joins; everybody in it is told who else is.
    Presence,
    /// A signature; the data is unreadable to the server.
    Encrypted,
    /// To be signed in as the user that it names; no signature.
    ServerToUser,
}

/// The checked name of a channel. Cheap to clone; equal, and hashed, as its text.
#[derive(Clone)]
pub struct ChannelName {
    name: Arc<str>,
    access: Access,
    cache: bool,
}

impl ChannelName {
    /// Checks a name.
    ///
    /// The letters, digits and `_-=@,.;` may be in it. `#` begins only the channel of a signed-in user, after
    /// which his id stands as he has it (without control characters).
    ///
    /// # Errors
    /// [`Refusal::InvalidChannel`] when it is empty, holds another character or is longer than
    /// `limits.channel_name`.
    pub fn new(name: &str, limits: &PusherLimits) -> Result<Self, Refusal> {
        // A character has at least one byte and at most four: no need to count those of a huge text.
        if name.is_empty()
            || name.len() > limits.channel_name.saturating_mul(4)
            || name.chars().count() > limits.channel_name
        {
            return Err(Refusal::InvalidChannel);
        }
        let valid = match name.strip_prefix(TO_USER) {
            Some(user) => !user.is_empty() && !user.chars().any(char::is_control),
            None => name.bytes().all(is_allowed),
        };
        if !valid {
            return Err(Refusal::InvalidChannel);
        }
        let kind = PREFIXES.iter().find(|(prefix, ..)| name.starts_with(prefix));
        let (access, cache) =
            kind.map_or((Access::Public, false), |(_, access, cache)| (*access, *cache));
        Ok(Self { name: name.into(), access, cache })
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// What it takes to subscribe.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }

    /// Whether it keeps its last event for later subscribers.
    #[must_use]
    pub const fn is_cache(&self) -> bool {
        self.cache
    }

    /// Whether a subscriber must show a signature.
    #[must_use]
    pub const fn needs_signature(&self) -> bool {
        matches!(self.access, Access::Private | Access::Presence | Access::Encrypted)
    }

    /// Whether its subscribers may send events to each other.
    #[must_use]
    pub const fn takes_client_events(&self) -> bool {
        matches!(self.access, Access::Private | Access::Presence)
    }

    /// The id of the signed-in user whom it is for, if it is such a channel.
    #[must_use]
    pub fn signed_in_user(&self) -> Option<&str> {
        self.name.strip_prefix(TO_USER)
    }

    /// The channel on which a signed-in user gets what is sent to him.
    ///
    /// # Errors
    /// As [`ChannelName::new`].
    pub fn to_user(id: &str, limits: &PusherLimits) -> Result<Self, Refusal> {
        Self::new(&format!("{TO_USER}{id}"), limits)
    }

    /// What it stands for, where an application's channels carry the chat. A name that only looks like one of
    /// them (`private-conversation.007`) is none: each conversation has exactly one channel of each kind.
    #[must_use]
    pub fn chat(&self) -> Option<ChatChannel> {
        if let Some(id) = self.name.strip_prefix("private-user.") {
            return UserId::new(id).ok().map(ChatChannel::User);
        }
        if let Some(id) = self.name.strip_prefix("private-conversation.") {
            return conversation(id).map(ChatChannel::Conversation);
        }
        let id = self.name.strip_prefix("presence-conversation.")?;
        conversation(id).map(ChatChannel::PresenceConversation)
    }
}

/// Whether a byte may be in a name.
fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-=@,.;".contains(&byte)
}

/// A conversation's id in its only spelling: no sign, no leading zero, 1 to 2^53 - 1.
fn conversation(digits: &str) -> Option<ConversationId> {
    let canonical = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    let number: u64 = canonical.then(|| digits.parse().ok()).flatten()?;
    (number <= MAX_INTEGER).then_some(ConversationId(number))
}

impl PartialEq for ChannelName {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ChannelName {}

impl PartialOrd for ChannelName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ChannelName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name.cmp(&other.name)
    }
}

impl Hash for ChannelName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelName({})", self.name)
    }
}

/// A channel that carries the chat. `Display` writes its name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ChatChannel {
    /// Everything of one user's conversations, for him alone: `private-user.{id}`.
    User(UserId),
    /// One conversation, for its participants: `private-conversation.{id}`.
    Conversation(ConversationId),
    /// The same, with who is there: `presence-conversation.{id}`.
    PresenceConversation(ConversationId),
}

impl fmt::Display for ChatChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "private-user.{user}"),
            Self::Conversation(id) => write!(f, "private-conversation.{id}"),
            Self::PresenceConversation(id) => write!(f, "presence-conversation.{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> ChannelName {
        ChannelName::new(name, &PusherLimits::default()).unwrap()
    }

    #[test]
    fn prefixes_say_what_a_channel_is() {
        let cases = [
            ("news", Access::Public, false),
            ("cache-news", Access::Public, true),
            // Without the dash a prefix is none.
            ("private", Access::Public, false),
            ("presence", Access::Public, false),
            ("privateer-x", Access::Public, false),
            ("cache", Access::Public, false),
            ("private-", Access::Private, false),
            ("private-x", Access::Private, false),
            ("private-cache-x", Access::Private, true),
            ("private-encrypted-x", Access::Encrypted, false),
            ("private-encrypted", Access::Private, false),
            ("private-encrypted-cache-x", Access::Encrypted, true),
            ("presence-x", Access::Presence, false),
            ("presence-cache-x", Access::Presence, true),
            ("#server-to-user-7", Access::ServerToUser, false),
        ];
        for (name, access, cache) in cases {
            let channel = channel(name);
            assert_eq!((channel.access(), channel.is_cache()), (access, cache), "{name}");
        }
    }

    #[test]
    fn who_needs_a_signature_and_who_may_send() {
        let tell = |name| (channel(name).needs_signature(), channel(name).takes_client_events());
        assert_eq!(tell("x"), (false, false));
        assert_eq!(tell("private-x"), (true, true));
        assert_eq!(tell("presence-x"), (true, true));
        assert_eq!(tell("private-encrypted-x"), (true, false));
        assert_eq!(tell("#server-to-user-x"), (false, false));
    }

    #[test]
    fn names_with_other_characters_are_refused() {
        let limits = PusherLimits::default();
        for good in ["a", "A-z_0=@,.;", &"x".repeat(200), "#server-to-user-jürgen"] {
            assert!(ChannelName::new(good, &limits).is_ok(), "{good}");
        }
        for bad in [
            "",
            " ",
            "a b",
            "a/b",
            "a:b",
            "ü",
            "#",
            "#x",
            "#server-to-user-",
            "#server-to-user-a\n",
            "a\0",
            "private-x\n",
            &"x".repeat(201),
        ] {
            assert_eq!(ChannelName::new(bad, &limits), Err(Refusal::InvalidChannel), "{bad:?}");
        }
        let narrow = PusherLimits { channel_name: 164, ..limits };
        assert!(ChannelName::new(&"x".repeat(164), &narrow).is_ok());
        assert!(ChannelName::new(&"x".repeat(165), &narrow).is_err());
    }

    #[test]
    fn channels_of_the_chat() {
        let conversation = |n| Some(ChatChannel::Conversation(ConversationId(n)));
        assert_eq!(channel("private-conversation.7").chat(), conversation(7));
        assert_eq!(
            channel("private-conversation.9007199254740991").chat(),
            conversation(MAX_INTEGER)
        );
        assert_eq!(
            channel("presence-conversation.12").chat(),
            Some(ChatChannel::PresenceConversation(ConversationId(12)))
        );
        assert_eq!(
            channel("private-user.alice@x.org").chat(),
            Some(ChatChannel::User(UserId::new("alice@x.org").unwrap()))
        );
        for other in [
            "private-conversation.",
            "private-conversation.0",
            "private-conversation.007",
            "private-conversation.-1",
            "private-conversation.9007199254740992",
            "private-conversation.99999999999999999999999",
            "private-conversation.7.8",
            "private-conversation.x",
            "private-user.",
            "presence-user.1",
            "conversation.7",
            "private-conversations.7",
            "presence-cache-conversation.7",
        ] {
            assert_eq!(channel(other).chat(), None, "{other}");
        }
        for name in ["private-user.1", "private-conversation.7", "presence-conversation.7"] {
            assert_eq!(channel(name).chat().unwrap().to_string(), name);
        }
    }

    #[test]
    fn the_channel_of_a_signed_in_user() {
        let limits = PusherLimits::default();
        let channel = ChannelName::to_user("a b/ü", &limits).unwrap();
        assert_eq!(channel.as_str(), "#server-to-user-a b/ü");
        assert_eq!(channel.signed_in_user(), Some("a b/ü"));
        assert!(ChannelName::to_user("", &limits).is_err());
    }
}
