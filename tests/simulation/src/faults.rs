//! What goes wrong, and when: a schedule that a seed repeats.

use std::{sync::Arc, time::Duration};

use parlour_harness::{history::What, random::Random};
use turmoil::Sim;

use crate::{bus::Ends, run::Run, server::Host};

/// Something that is broken and will be whole again.
struct Wound {
    heals_at: Duration,
    name: String,
    heal: Heal,
}

/// How something becomes whole.
enum Heal {
    Repair(String, String),
    RepairOneway(String, String),
    Release(String, String),
    Bounce(usize),
    Bus(usize),
    Calm(usize),
    Nothing,
}

/// Breaks things.
pub struct Faults {
    random: Random,
    next: Duration,
    wounds: Vec<Wound>,
    hosts: Vec<Arc<Host>>,
    sites: Vec<&'static str>,
    ends: Ends,
    run: Arc<Run>,
    /// How many things were broken.
    pub count: usize,
}

impl Faults {
    /// A schedule of a seed.
    #[must_use]
    pub fn new(
        random: Random,
        hosts: Vec<Arc<Host>>,
        sites: Vec<&'static str>,
        ends: Ends,
        run: Arc<Run>,
    ) -> Self {
        let next = Duration::from_secs(10);
        Self { random, next, wounds: Vec::new(), hosts, sites, ends, run, count: 0 }
    }

    /// Breaks and heals what is due.
    pub fn step(&mut self, sim: &mut Sim<'_>) {
        let now = sim.elapsed();
        self.heal_until(now, sim);
        if now >= self.next {
            self.strike(now, sim);
            self.next = now + Duration::from_millis(self.random.between(1_000, 60_000));
        }
    }

    /// Heals everything at once.
    pub fn heal_all(&mut self, sim: &mut Sim<'_>) {
        self.heal_until(Duration::MAX, sim);
    }

    fn heal_until(&mut self, until: Duration, sim: &mut Sim<'_>) {
        let (due, rest) =
            std::mem::take(&mut self.wounds).into_iter().partition(|w: &Wound| w.heals_at <= until);
        self.wounds = rest;
        for wound in due {
            self.tell(sim.elapsed(), &wound.name, false);
            match wound.heal {
                Heal::Repair(a, b) => sim.repair(a, b),
                Heal::RepairOneway(a, b) => sim.repair_oneway(a, b),
                Heal::Release(a, b) => sim.release(a, b),
                Heal::Bounce(index) => {
                    if let Some(host) = self.hosts.get(index) {
                        sim.bounce(&*host.name);
                    }
                }
                Heal::Bus(index) => self.at_bus(index, |end| end.set_cut(false)),
                Heal::Calm(index) => self.at_bus(index, |end| end.set_bad(false)),
                Heal::Nothing => {}
            }
        }
    }

    fn at_bus(&self, index: usize, act: impl FnOnce(&crate::bus::End)) {
        if let Some(Some(end)) = self.ends.lock().get(index) {
            act(end);
        }
    }

    fn tell(&self, at: Duration, name: &str, on: bool) {
        self.run.trace.note_at(at, "fault", name, &[u8::from(on)]);
        self.run.add_at(at, What::Fault { name: name.into(), on });
    }

    fn strike(&mut self, now: Duration, sim: &mut Sim<'_>) {
        let Some(host) = self.random.pick(&self.hosts).cloned() else { return };
        let Some(site) = self.random.pick(&self.sites).map(|site| (*site).to_owned()) else {
            return;
        };
        let server = host.name.to_string();
        let is_busy = |name: &str| self.wounds.iter().any(|wound| wound.name == name);
        let (name, heal, most) = match self.random.between(0, 100) {
            0..15 => (format!("partition {site} {server}"), Heal::Repair(site, server), 90),
            15..25 => {
                let (from, to) =
                    if self.random.chance(50) { (site, server) } else { (server, site) };
                (format!("partition {from} to {to}"), Heal::RepairOneway(from, to), 60)
            }
            25..40 => (format!("hold {site} {server}"), Heal::Release(site, server), 20),
            40..60 => (format!("crash {server}"), Heal::Bounce(host.index), 20),
            60..70 => (format!("restart {server}"), Heal::Nothing, 1),
            70..80 => (format!("cut bus {server}"), Heal::Bus(host.index), 60),
            80..95 => (format!("bad bus {server}"), Heal::Calm(host.index), 90),
            _ => (format!("forgetful bus {server}"), Heal::Nothing, 1),
        };
        // One thing at a time is broken between the same two: holding what is cut is not defined.
        let touches = |part: &str| self.wounds.iter().any(|w| w.name.contains(part));
        let down = touches(&format!("crash {}", host.name));
        if is_busy(&name)
            || down
            || (matches!(heal, Heal::Repair(..) | Heal::RepairOneway(..) | Heal::Release(..))
                && touches(&host.name))
        {
            return;
        }
        self.tell(now, &name, true);
        self.count += 1;
        match &heal {
            Heal::Repair(a, b) => sim.partition(a.as_str(), b.as_str()),
            Heal::RepairOneway(a, b) => sim.partition_oneway(a.as_str(), b.as_str()),
            Heal::Release(a, b) => sim.hold(a.as_str(), b.as_str()),
            Heal::Bounce(_) => self.crash(&host, sim),
            Heal::Bus(index) => self.at_bus(*index, |end| end.set_cut(true)),
            Heal::Calm(index) => self.at_bus(*index, |end| end.set_bad(true)),
            Heal::Nothing if name.starts_with("restart") => host.restart.notify_one(),
            Heal::Nothing => self.at_bus(host.index, crate::bus::End::forget),
        }
        let heals_at = now + Duration::from_millis(self.random.between(200, most * 1_000));
        self.wounds.push(Wound { heals_at, name, heal });
    }

    /// A process dies. Half of the time nobody is told: its goodbyes get lost, as when a machine loses its power.
    fn crash(&mut self, host: &Host, sim: &mut Sim<'_>) {
        let silent = self.random.chance(50);
        for site in self.sites.iter().filter(|_| silent) {
            sim.partition(*site, &*host.name);
        }
        sim.crash(&*host.name);
        if let Some(place) = self.ends.lock().get_mut(host.index) {
            *place = None;
        }
        for site in self.sites.iter().filter(|_| silent) {
            sim.repair(*site, &*host.name);
        }
    }
}
