//! Webhooks about who has gone, held back a moment and dropped if he returns: a reload of a page is no news.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parlour_wire::pusher::{ChannelName, webhook::WebhookEvent};

use crate::hash::HashMap;

/// How long they are held back; looked at every second, so that none waits for more than three.
const WAIT: Duration = Duration::from_secs(2);

/// What has gone: a channel's last subscriber, or a member with his last connection.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Gone {
    pub(super) channel: ChannelName,
    pub(super) user: Option<Arc<str>>,
}

/// What has gone a moment ago.
#[derive(Default)]
pub(super) struct Pending {
    since: HashMap<Gone, Duration>,
    order: VecDeque<(Duration, Gone)>,
}

impl Pending {
    pub(super) fn add(&mut self, gone: Gone, now: Duration) {
        self.since.insert(gone.clone(), now);
        self.order.push_back((now, gone));
    }

    /// It is there again; whether nobody was told yet that it had gone.
    pub(super) fn take_back(&mut self, gone: &Gone) -> bool {
        self.since.remove(gone).is_some()
    }

    /// What has been gone for long enough, in order.
    pub(super) fn due(&mut self, now: Duration) -> Vec<WebhookEvent> {
        let mut due = Vec::new();
        let is_due = |entry: &&(Duration, Gone)| now.saturating_sub(entry.0) >= WAIT;
        while self.order.front().filter(is_due).is_some()
            && let Some((since, gone)) = self.order.pop_front()
        {
            // Who came and went again meanwhile has a later entry.
            if self.since.get(&gone) == Some(&since) {
                self.since.remove(&gone);
                due.push(gone.told());
            }
        }
        due
    }
}

impl Gone {
    fn told(self) -> WebhookEvent {
        let channel = self.channel.as_str().into();
        match self.user {
            Some(user_id) => WebhookEvent::MemberRemoved { channel, user_id },
            None => WebhookEvent::ChannelVacated { channel },
        }
    }
}

#[cfg(test)]
mod tests {
    use parlour_wire::pusher::PusherLimits;

    use super::*;

    #[test]
    fn only_who_stays_away_is_told() {
        let channel = ChannelName::new("presence-x", &PusherLimits::default()).unwrap();
        let left = Gone { channel: channel.clone(), user: Some("1".into()) };
        let vacated = Gone { channel, user: None };
        let mut pending = Pending::default();
        let at = Duration::from_secs;
        pending.add(left.clone(), at(1));
        pending.add(vacated.clone(), at(1));
        assert!(pending.due(at(2)).is_empty());
        assert!(pending.take_back(&left) && !pending.take_back(&left));
        pending.add(left.clone(), at(2));
        let channel: Arc<str> = "presence-x".into();
        assert_eq!(pending.due(at(3)), [WebhookEvent::ChannelVacated { channel: channel.clone() }]);
        let user_id = "1".into();
        assert_eq!(pending.due(at(4)), [WebhookEvent::MemberRemoved { channel, user_id }]);
        assert!(!pending.take_back(&vacated) && pending.order.is_empty());
    }
}
