//! Typing, and nothing else: nothing is stored.

use std::{collections::VecDeque, time::Duration};

use anyhow::Result;
use parlour_harness::load::{Latencies, Watch};

use super::Setting;
use crate::{
    checker::Faults,
    clients::{Clients, Listener, Voice},
    dialect::Heard,
    figures::Figures,
    meter::Meter,
    targets::Cast,
    traffic::{Outcome, micros},
};

/// How often one types. Parlour tells others once a second at most.
const INTERVAL: Duration = Duration::from_millis(1_250);

/// How long nothing may arrive until the rest is lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// The first of each pair types, at a steady pace.
struct Typing {
    watch: Watch,
    /// When each pair's open ones were sent.
    open: Vec<VecDeque<u64>>,
    latencies: Latencies,
    sent: u64,
    strangers: u64,
    refusal: Option<String>,
    last: u64,
}

/// Typing of many pairs, each about once a second.
pub(super) fn typing(setting: &Setting<'_>) -> Result<Figures> {
    let pairs = setting.size.typing;
    let (running, mut clients) = setting.start(Cast { pairs, room: 0 })?;
    clients.connect(0..2 * pairs)?;
    // The first round fills caches.
    go(&mut clients, pairs, INTERVAL)?;
    let meter = Meter::start(&running);
    let mut outcome = go(&mut clients, pairs, setting.size.time.max(2 * INTERVAL))?;
    let seen = meter.stop(&running);
    let mut figures = Figures::default();
    figures.take(&mut outcome, seen.cpu_seconds);
    seen.remark(&mut figures);
    figures.note(&format!("{pairs} pairs"));
    Ok(figures)
}

fn go(clients: &mut Clients, pairs: usize, time: Duration) -> Result<Outcome> {
    let mut typing = Typing {
        watch: Watch::start(),
        open: vec![VecDeque::new(); pairs],
        latencies: Latencies::default(),
        sent: 0,
        strangers: 0,
        refusal: None,
        last: 0,
    };
    // Whole rounds, so that each has typed as often as the others.
    let rounds = time.as_micros().div_ceil(INTERVAL.as_micros());
    let total = u64::try_from(rounds)? * pairs as u64;
    let spacing = INTERVAL.as_secs_f64() / pairs as f64;
    while typing.sent < total {
        let now = typing.watch.micros();
        let due = micros(typing.sent as f64 * spacing);
        if due > now {
            clients.turn(Duration::from_micros(due - now), &mut typing)?;
            continue;
        }
        let pair = usize::try_from(typing.sent)? % pairs;
        clients.voice().type_on(2 * pair)?;
        typing.open[pair].push_back(now);
        typing.sent += 1;
        typing.last = now;
    }
    let open = |typing: &Typing| typing.open.iter().map(VecDeque::len).sum::<usize>();
    while open(&typing) > 0 && typing.quiet() < PATIENCE {
        clients.turn(Duration::from_millis(100), &mut typing)?;
    }
    // The next round is spaced from this one.
    let rest = Duration::from_micros(micros(typing.sent as f64 * spacing));
    while typing.watch.elapsed() < rest {
        clients.turn(rest.saturating_sub(typing.watch.elapsed()), &mut typing)?;
    }
    let lost = open(&typing) as u64;
    Ok(Outcome {
        messages: typing.sent,
        deliveries: typing.latencies.count() as u64,
        seconds: typing.last as f64 / 1e6,
        latencies: typing.latencies,
        faults: Faults { lost, misdelivered: typing.strangers, ..Faults::default() },
        refused: u64::from(typing.refusal.is_some()),
        refusal: typing.refusal,
        ..Outcome::default()
    })
}

impl Typing {
    fn quiet(&self) -> Duration {
        self.watch.elapsed().saturating_sub(Duration::from_micros(self.last))
    }
}

impl Listener for Typing {
    fn heard(&mut self, voice: &mut Voice<'_>, client: usize, heard: Heard) -> Result<()> {
        match heard {
            Heard::Typing => {
                let is_receiver = voice.client(client).user.is_multiple_of(2);
                let begun = self.open[client / 2].pop_front().filter(|_| is_receiver);
                let now = self.watch.micros();
                match begun {
                    Some(begun) => self.latencies.add(begun, now),
                    None => self.strangers += 1,
                }
                self.last = now;
            }
            Heard::Refused(why) => drop(self.refusal.get_or_insert(why)),
            _ => {}
        }
        Ok(())
    }
}
