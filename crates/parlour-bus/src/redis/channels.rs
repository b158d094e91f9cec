//! Topics are spread over a fixed number of channels, so that Redis knows a few dozen names and not millions.

use std::borrow::Cow;

use parlour_core::{NodeId, port::bus::Topic};

/// Over how many channels conversations, users and Pusher channels are spread. Processes with different numbers do not
/// hear each other, so it is part of the protocol and never changes within a major version.
///
/// More of them share the work among more masters of a cluster, and let a process with few people hear less that does
/// not concern it; fewer of them let more hints share a frame. 64 keep 16 masters evenly busy, while a process with
/// some hundreds of people hears everything in any case.
pub const PARTITIONS: u8 = 64;

/// Slots of a cluster.
pub(super) const SLOTS: u16 = 16_384;

/// One channel of Redis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Channel {
    Everyone,
    Node(NodeId),
    Partition(u8),
}

impl Channel {
    pub(super) fn of(topic: &Topic) -> Self {
        match topic {
            Topic::Everyone => Self::Everyone,
            Topic::Node(node) => Self::Node(*node),
            topic => Self::Partition(partition(topic)),
        }
    }
}

/// In which partition a topic is: the same in every program for ever.
#[must_use]
pub fn partition(topic: &Topic) -> u8 {
    let hash = match topic {
        Topic::Everyone | Topic::Node(_) => 0,
        Topic::Conversation(conversation) => fnv(&[b"c", &conversation.0.to_be_bytes()]),
        Topic::User(user) => fnv(&[b"u", user.as_str().as_bytes()]),
        Topic::Channel { app, channel } => fnv(&[b"p", app.as_bytes(), &[0], channel.as_bytes()]),
    };
    // The upper half mixes into the lower one, which alone decides.
    u8::try_from((hash ^ (hash >> 32)) % u64::from(PARTITIONS)).unwrap_or_default()
}

/// FNV-1a, 64 bits.
fn fnv(parts: &[&[u8]]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What the channels are called, and which slots of a cluster they are in.
#[derive(Debug)]
pub(super) struct Names {
    prefix: String,
    sharded: bool,
    /// Name and slot of each partition.
    partitions: Vec<(String, u16)>,
}

impl Names {
    /// On a cluster the part of a name in braces says in which slot it is.
    pub(super) fn new(prefix: &str, sharded: bool) -> Self {
        let partitions = match sharded {
            false => (0..PARTITIONS).map(|number| (format!("{prefix}:{number}"), 0)).collect(),
            true => {
                let named = |(number, tag)| {
                    (
                        format!("{prefix}:{number}:{{{tag}}}"),
                        crc16(format!("{tag}").as_bytes()) % SLOTS,
                    )
                };
                tags().into_iter().enumerate().map(named).collect()
            }
        };
        Self { prefix: prefix.to_owned(), sharded, partitions }
    }

    pub(super) const fn sharded(&self) -> bool {
        self.sharded
    }

    pub(super) fn name(&self, channel: Channel) -> Cow<'_, str> {
        match channel {
            Channel::Everyone => format!("{}:everyone", self.prefix).into(),
            Channel::Node(node) => format!("{}:node:{:016x}", self.prefix, node.0).into(),
            Channel::Partition(number) => {
                let named = self.partitions.get(usize::from(number));
                named.map_or("", |(name, _)| name.as_str()).into()
            }
        }
    }

    /// Its slot, as a cluster computes it. Without a cluster all are in one.
    pub(super) fn slot(&self, channel: Channel) -> u16 {
        match channel {
            _ if !self.sharded => 0,
            Channel::Partition(number) => {
                self.partitions.get(usize::from(number)).map_or(0, |(_, slot)| *slot)
            }
            channel => crc16(self.name(channel).as_bytes()) % SLOTS,
        }
    }
}

/// For each partition the smallest number whose slot lies in the partition's share of the slots: so however a cluster
/// divides the slots among its masters, each has its share of the partitions.
fn tags() -> Vec<u32> {
    let share = SLOTS / u16::from(PARTITIONS);
    let mut tags = vec![None; usize::from(PARTITIONS)];
    let mut missing = tags.len();
    for number in 0_u32.. {
        if missing == 0 {
            break;
        }
        let slot = crc16(number.to_string().as_bytes()) % SLOTS;
        if let Some(tag @ None) = tags.get_mut(usize::from(slot / share)) {
            *tag = Some(number);
            missing -= 1;
        }
    }
    tags.into_iter().flatten().collect()
}

/// CRC-16/XMODEM, which clusters use.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| match crc & 0x8000 {
            0 => crc << 1,
            _ => (crc << 1) ^ 0x1021,
        })
    })
}

/// Whether a prefix may stand before the names: it must not hold braces, which would decide about the slot.
pub(super) fn is_prefix(prefix: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=64).contains(&prefix.len()) && prefix.bytes().all(good)
}

#[cfg(test)]
mod tests {
    use parlour_core::{ConversationId, testing::user};

    use super::*;

    #[test]
    fn slots_are_those_of_redis() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        let names = Names::new("parlour", true);
        for partition in 0..PARTITIONS {
            let slot = names.slot(Channel::Partition(partition));
            assert_eq!(slot / (SLOTS / u16::from(PARTITIONS)), u16::from(partition));
        }
        assert!(names.name(Channel::Partition(3)).starts_with("parlour:3:{"));
        let plain = Names::new("x", false);
        assert_eq!(plain.name(Channel::Partition(3)), "x:3");
        assert_eq!(plain.name(Channel::Node(NodeId(255))), "x:node:00000000000000ff");
    }

    /// Part of the protocol: programs of two versions must agree.
    #[test]
    fn partitions_never_change() {
        let conversation = |id| partition(&Topic::Conversation(ConversationId(id)));
        assert_eq!([1, 2, 3, 1_000_000].map(conversation), PARTITIONS_OF_CONVERSATIONS);
        assert_eq!(
            ["1", "2", "alice"].map(|id| partition(&Topic::User(user(id)))),
            PARTITIONS_OF_USERS
        );
        let channel = Topic::Channel { app: "1".into(), channel: "private-x".into() };
        assert_eq!(partition(&channel), PARTITION_OF_CHANNEL);
    }

    const PARTITIONS_OF_CONVERSATIONS: [u8; 4] = [47, 6, 53, 43];
    const PARTITIONS_OF_USERS: [u8; 3] = [52, 33, 29];
    const PARTITION_OF_CHANNEL: u8 = 17;

    #[test]
    fn conversations_are_spread_evenly() {
        let mut counts = [0_u32; PARTITIONS as usize];
        for id in 1..=64_000 {
            counts[usize::from(partition(&Topic::Conversation(ConversationId(id))))] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }

    #[test]
    fn prefixes_hold_nothing_special() {
        assert!(is_prefix("parlour") && is_prefix("a.b:c-1_"));
        for prefix in ["", "a{b}", "a b", "ä", &"x".repeat(65)] {
            assert!(!is_prefix(prefix), "{prefix}");
        }
    }
}
