//! How fast a client may ask, and what becomes of one that does not care.

use parlour_core::limits::Rate;
use parlour_wire::pusher::Refusal;

use super::Client;
use crate::gateway::close::Close;

impl Client {
    /// Takes one from the rate of everything but client events. A client subscribes all that it has at once when it
    /// has connected, and once more when it has come back; who ignores refusals is closed.
    pub(super) fn limit(&mut self) -> Result<(), Refusal> {
        let limits = &self.gateway.limits;
        if !limits.rates_enforced {
            return Ok(());
        }
        let most = self.gateway.pusher.channels.channels_per_connection();
        let burst = limits.commands.burst.saturating_add(u32::try_from(most).unwrap_or(u32::MAX));
        let rate = Rate { burst, ..limits.commands };
        let taken = self.asked.take(rate, self.gateway.clock.monotonic());
        self.held_to(taken.is_ok(), Refusal::TooFast)
    }

    /// Takes one from the rate of client events.
    pub(super) fn limit_events(&mut self) -> Result<(), Refusal> {
        if !self.gateway.limits.rates_enforced {
            return Ok(());
        }
        let most = self.app().limits.client_events_per_second;
        let taken = self.events.take(Rate::new(most, most), self.gateway.clock.monotonic());
        self.held_to(taken.is_ok(), Refusal::ClientEventRate)
    }

    fn held_to(&mut self, admitted: bool, refusal: Refusal) -> Result<(), Refusal> {
        if admitted {
            self.refused = 0;
            return Ok(());
        }
        self.refused += 1;
        if self.refused >= self.gateway.limits.refused_before_close {
            let wait = std::time::Duration::from_secs(30);
            self.socket.link.close(&Close::too_many(wait));
        }
        Err(refusal)
    }
}
