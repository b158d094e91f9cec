//! What channels keep for those who come later: the last event of cache channels, and histories.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parlour_wire::pusher::{ChannelName, Payload};

use crate::hash::HashMap;

/// How long an event stays in a history.
const HISTORY_TTL: Duration = Duration::from_secs(24 * 3_600);

/// What an event costs besides its name and data, in bytes: an estimate.
const OVERHEAD: usize = 96;

/// An event that was published.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) name: Arc<str>,
    pub(super) data: Payload,
    /// Where and as which it was published: the same for every process.
    pub(super) id: (u64, u64),
    /// When, in process time.
    pub(super) at: Duration,
}

impl Event {
    fn bytes(&self) -> usize {
        OVERHEAD + self.name.len() + self.data.as_json().len()
    }
}

#[derive(Default)]
struct Ring {
    events: VecDeque<Event>,
    bytes: usize,
    /// Its place in the order of last use.
    stamp: u64,
}

/// The events that the channels of one application keep: of a channel its last ones, of all at most so many bytes.
/// Past that the channel goes that has had no event for the longest time.
pub(super) struct Kept {
    most: usize,
    bytes: usize,
    next: u64,
    rings: HashMap<ChannelName, Ring>,
    order: BTreeMap<u64, ChannelName>,
}

impl Kept {
    pub(super) fn new(most: usize) -> Self {
        Self { most, bytes: 0, next: 0, rings: HashMap::default(), order: BTreeMap::new() }
    }

    /// Keeps an event among the last `count` of a channel, at its place in time, once.
    pub(super) fn put(&mut self, channel: &ChannelName, event: Event, count: usize) {
        let ring = self.rings.entry(channel.clone()).or_default();
        if ring.events.iter().any(|known| known.id == event.id) {
            return;
        }
        self.order.remove(&ring.stamp);
        self.next += 1;
        ring.stamp = self.next;
        self.order.insert(self.next, channel.clone());
        let before = ring.bytes;
        ring.bytes += event.bytes();
        let later = ring.events.iter().rev().take_while(|known| known.at > event.at).count();
        ring.events.insert(ring.events.len() - later, event);
        while ring.events.len() > count
            && let Some(old) = ring.events.pop_front()
        {
            ring.bytes -= old.bytes();
        }
        self.bytes = self.bytes + ring.bytes - before;
        while self.bytes > self.most
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.forget(&oldest);
        }
    }

    /// The last event of a cache channel, while it is younger than `ttl`.
    pub(super) fn last(
        &self,
        channel: &ChannelName,
        ttl: Duration,
        now: Duration,
    ) -> Option<&Event> {
        let last = self.rings.get(channel)?.events.back()?;
        (now.saturating_sub(last.at) < ttl).then_some(last)
    }

    /// The last events of a channel, at most `count`, the oldest first.
    pub(super) fn history(
        &self,
        channel: &ChannelName,
        count: usize,
        now: Duration,
    ) -> impl Iterator<Item = &Event> {
        let events = self.rings.get(channel).map(|ring| &ring.events);
        let skip = events.map_or(0, |events| events.len().saturating_sub(count));
        let young = move |event: &&Event| now.saturating_sub(event.at) < HISTORY_TTL;
        events.into_iter().flat_map(move |events| events.iter().skip(skip)).filter(young)
    }

    /// Forgets channels that have had no event for longer than anything is kept.
    pub(super) fn forget_old(&mut self, now: Duration, cache_ttl: Duration) {
        while let Some((stamp, channel)) = self.order.first_key_value() {
            let (stamp, channel) = (*stamp, channel.clone());
            let last = self.rings.get(&channel).and_then(|ring| ring.events.back());
            let age = last.map_or(Duration::MAX, |last| now.saturating_sub(last.at));
            if age < HISTORY_TTL.max(cache_ttl) {
                return;
            }
            self.order.remove(&stamp);
            self.forget(&channel);
        }
    }

    fn forget(&mut self, channel: &ChannelName) {
        if let Some(ring) = self.rings.remove(channel) {
            self.bytes -= ring.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use parlour_wire::pusher::PusherLimits;

    use super::*;

    const NOW: Duration = Duration::from_secs(100_000);

    fn channel(name: &str) -> ChannelName {
        ChannelName::new(name, &PusherLimits::default()).unwrap()
    }

    fn put(kept: &mut Kept, name: &str, data: &str, count: usize, at: Duration) {
        let id = (0, kept.next);
        let event = Event { name: "e".into(), data: Payload::text(data), id, at };
        kept.put(&channel(name), event, count);
    }

    fn texts(kept: &Kept, name: &str, count: usize) -> Vec<String> {
        let channel = channel(name);
        let events = kept.history(&channel, count, NOW);
        events.map(|event| event.data.to_text().into_owned()).collect()
    }

    #[test]
    fn the_last_ones_are_kept_and_given_oldest_first() {
        let mut kept = Kept::new(10_000);
        for data in ["a", "b", "c", "d"] {
            put(&mut kept, "x", data, 3, NOW);
        }
        assert_eq!(texts(&kept, "x", 10), ["b", "c", "d"]);
        assert_eq!(texts(&kept, "x", 2), ["c", "d"]);
        assert_eq!(texts(&kept, "y", 2), [""; 0]);
    }

    #[test]
    fn what_others_have_kept_has_its_place_in_time_and_comes_once() {
        let mut kept = Kept::new(10_000);
        let at = |number: u64, seconds| Event {
            name: "e".into(),
            data: Payload::text(&number.to_string()),
            id: (1, number),
            at: NOW.saturating_sub(Duration::from_secs(seconds)),
        };
        for event in [at(1, 9), at(4, 1), at(2, 7), at(4, 2), at(3, 5), at(0, 10)] {
            kept.put(&channel("x"), event, 4);
        }
        assert_eq!(texts(&kept, "x", 10), ["1", "2", "3", "4"]);
    }

    #[test]
    fn past_the_bytes_the_channel_without_news_goes() {
        let mut kept = Kept::new(3 * (OVERHEAD + 4));
        put(&mut kept, "x", "1", 1, NOW);
        put(&mut kept, "y", "1", 1, NOW);
        put(&mut kept, "x", "2", 1, NOW);
        put(&mut kept, "z", "1", 1, NOW);
        assert_eq!(kept.bytes, 3 * (OVERHEAD + 4));
        put(&mut kept, "w", "1", 1, NOW);
        let left = ["w", "x", "y", "z"].map(|name| texts(&kept, name, 1).len());
        assert_eq!(left, [1, 1, 0, 1]);
        put(&mut kept, "w", &"x".repeat(10_000), 1, NOW);
        assert_eq!((kept.bytes, kept.rings.len(), kept.order.len()), (0, 0, 0));
    }

    #[test]
    fn a_cached_event_grows_old() {
        let (mut kept, ttl) = (Kept::new(10_000), Duration::from_secs(1_800));
        put(&mut kept, "cache-x", "1", 1, Duration::from_secs(10));
        let at = |seconds| kept.last(&channel("cache-x"), ttl, Duration::from_secs(seconds));
        assert!(at(1_809).is_some() && at(1_810).is_none());
        kept.forget_old(Duration::from_secs(10) + HISTORY_TTL, ttl);
        assert_eq!((kept.bytes, kept.rings.len()), (0, 0));
    }
}
