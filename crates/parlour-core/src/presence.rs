//! Who is there: many connections of one user become one state, with a grace for those who blink. Pure.

use std::time::Duration;

use crate::event::PresenceStatus;

/// The presence of one user over all of his connections of this process.
///
/// Times are monotonic. The owner calls [`Presence::sweep`] now and then to let graces end.
#[derive(Clone, Debug, Default)]
pub struct Presence {
    connections: u32,
    away: u32,
    /// Since when no connection is left, while others still see him.
    gone_since: Option<Duration>,
    shown: Option<PresenceStatus>,
}

impl Presence {
    /// A connection came. Returns what others must be told, if it differs from what they know.
    pub fn connected(&mut self) -> Option<PresenceStatus> {
        self.connections += 1;
        self.gone_since = None;
        self.show()
    }

    /// A connection went; `away` is what it last said of itself.
    pub fn disconnected(&mut self, away: bool, now: Duration) -> Option<PresenceStatus> {
        self.connections = self.connections.saturating_sub(1);
        self.away = self.away.saturating_sub(u32::from(away));
        if self.connections == 0 {
            self.gone_since = Some(now);
            return None;
        }
        self.show()
    }

    /// A connection says that its person is away, or back. Call only when that changed.
    pub fn set_away(&mut self, away: bool) -> Option<PresenceStatus> {
        if away {
            self.away += 1;
        } else {
            self.away = self.away.saturating_sub(1);
        }
        self.show()
    }

    /// Ends the grace of somebody who did not come back.
    pub fn sweep(&mut self, now: Duration, grace: Duration) -> Option<PresenceStatus> {
        let since = self.gone_since?;
        if now.saturating_sub(since) < grace {
            return None;
        }
        self.gone_since = None;
        self.show()
    }

    /// What others see.
    #[must_use]
    pub fn status(&self) -> PresenceStatus {
        self.shown.unwrap_or(PresenceStatus::Offline)
    }

    /// Whether nothing is left to wait for, so that the user can be forgotten.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.connections == 0 && self.gone_since.is_none()
    }

    fn show(&mut self) -> Option<PresenceStatus> {
        let status = if self.connections == 0 {
            PresenceStatus::Offline
        } else if self.away >= self.connections {
            PresenceStatus::Away
        } else {
            PresenceStatus::Online
        };
        let changed = self.status() != status;
        self.shown = Some(status);
        changed.then_some(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PresenceStatus::{Away, Offline, Online};

    const GRACE: Duration = Duration::from_secs(10);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_blink_is_not_told() {
        let mut anna = Presence::default();
        assert_eq!(anna.connected(), Some(Online));
        assert_eq!(anna.disconnected(false, at(0)), None);
        assert_eq!(anna.sweep(at(9), GRACE), None);
        assert_eq!(anna.connected(), None);
        assert_eq!(anna.sweep(at(20), GRACE), None);
        assert_eq!(anna.status(), Online);
    }

    #[test]
    fn who_stays_away_is_told_once() {
        let mut anna = Presence::default();
        anna.connected();
        anna.disconnected(false, at(0));
        assert_eq!(anna.sweep(at(10), GRACE), Some(Offline));
        assert_eq!(anna.sweep(at(11), GRACE), None);
        assert!(anna.is_gone());
        assert_eq!(anna.connected(), Some(Online));
    }

    #[test]
    fn many_sockets_are_one_person() {
        let mut anna = Presence::default();
        assert_eq!(anna.connected(), Some(Online));
        assert_eq!(anna.connected(), None);
        assert_eq!(anna.set_away(true), None);
        assert_eq!(anna.set_away(true), Some(Away));
        assert_eq!(anna.set_away(false), Some(Online));
        assert_eq!(anna.disconnected(false, at(0)), Some(Away));
        assert_eq!(anna.disconnected(true, at(1)), None);
        assert_eq!(anna.sweep(at(12), GRACE), Some(Offline));
    }
}
