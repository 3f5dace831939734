//! Advancing the time of a world until a condition holds.

use std::fmt::Write;
use std::time::Duration;

use aqueduct_core::{Input, Instant};

use super::check;
use super::host::{Host, HostId, TORRENT};
use super::world::{ScheduledEvent, World};

impl World {
    fn lives(&self, id: HostId, life: u32) -> bool {
        self.hosts[id.0].alive && self.hosts[id.0].life == life
    }

    /// When the machine that is suspended during this event wakes up, if there is one.
    fn slept_through(&self, happening: &ScheduledEvent) -> Option<Instant> {
        let (ScheduledEvent::Wake(id, _)
        | ScheduledEvent::InvalidMessages(id, _)
        | ScheduledEvent::Net(id, ..)
        | ScheduledEvent::Datagram(id, _)
        | ScheduledEvent::Done(id, ..)) = happening
        else {
            return None;
        };
        Some(self.hosts[id.0].asleep).filter(|until| *until > self.agenda.now())
    }

    fn happen(&mut self, happening: ScheduledEvent) {
        if let Some(until) = self.slept_through(&happening) {
            return self.agenda.at(until, happening);
        }
        match happening {
            ScheduledEvent::Call(call) => call(self),
            ScheduledEvent::Arrives(link, arrival) => self.arrives(link, arrival),
            ScheduledEvent::Departed { link, side } => self.departed(link, side),
            ScheduledEvent::Wake(id, life) if self.lives(id, life) => self.wake(id),
            ScheduledEvent::InvalidMessages(id, life) if self.lives(id, life) => {
                self.send_invalid(id, life)
            }
            ScheduledEvent::Net(id, life, input) if self.lives(id, life) => {
                self.handle_net(id, input)
            }
            ScheduledEvent::UtpDatagram { from, to, bytes } => {
                self.datagram_arrives(from, to, &bytes)
            }
            ScheduledEvent::Udp(id) => self.wake_udp(id),
            ScheduledEvent::Datagram(id, input) if self.hosts[id.0].alive => {
                self.handle_net(id, input)
            }
            ScheduledEvent::Done(id, life, request) if self.lives(id, life) => {
                if let Some(result) = self.hosts[id.0].perform(request, &mut self.rng) {
                    self.handle_engine(
                        id,
                        Input::Done {
                            id: request,
                            result,
                        },
                    );
                }
            }
            _ => {}
        }
    }

    /// Processes the next event, unless it is later than `limit`.
    fn step(&mut self, limit: Instant) -> bool {
        let Some(happening) = self.agenda.next(limit) else {
            return false;
        };
        self.happen(happening);
        self.steps += 1;
        if self.steps.is_multiple_of(512) {
            let id = usize::try_from(self.steps / 512).unwrap() % self.hosts.len();
            check::view(&self.hosts[id]);
        }
        true
    }

    /// Advances the virtual time by this span.
    pub fn run_for(&mut self, span: Duration) {
        let limit = self.agenda.now() + span;
        while self.step(limit) {}
        self.agenda.rest(limit);
    }

    /// Runs until `holds` returns true; it is called after every event.
    ///
    /// # Panics
    /// It does not hold within `limit` from now.
    pub fn run_until(
        &mut self,
        limit: Duration,
        what: &str,
        mut holds: impl FnMut(&World) -> bool,
    ) {
        let until = self.agenda.now() + limit;
        self.news = true;
        loop {
            if std::mem::take(&mut self.news) && holds(self) {
                return;
            }
            if !self.step(until) {
                self.agenda.rest(until);
                assert!(
                    holds(self),
                    "not within {limit:?}: {what}\n{}",
                    self.report()
                );
                return;
            }
        }
    }

    /// Runs until these hosts have stored everything they want, and it is correct.
    ///
    /// # Panics
    /// They do not within `limit` from now, or their data are wrong.
    pub fn run_until_finished(&mut self, limit: Duration, hosts: &[HostId]) {
        let names = format!("{} hosts finish", hosts.len());
        self.run_until(limit, &names, |world| {
            hosts.iter().all(|id| world.host(*id).finished().is_some())
        });
        for id in hosts
            .iter()
            .filter(|id| self.host(**id).plan.wanted.is_none())
        {
            assert!(
                self.host(*id).disk().is_complete(),
                "{} says it is complete and is not",
                self.host(*id).name()
            );
        }
    }

    /// The state of every unfinished host.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = String::new();
        let unfinished = self
            .hosts
            .iter()
            .filter(|host| host.finished().is_none() && !host.plan.complete);
        for host in unfinished.take(20) {
            let view = host.snapshot().map(|v| {
                format!(
                    "{:?} {}/{} peers {} in flight {}",
                    v.phase,
                    v.done,
                    v.wanted,
                    v.peers,
                    in_flight(host)
                )
            });
            let _ = writeln!(
                text,
                "  {}: {}",
                host.name(),
                view.unwrap_or_else(|| "dead".to_owned())
            );
        }
        text
    }
}

fn in_flight(host: &Host) -> usize {
    host.engine()
        .peers(TORRENT)
        .iter()
        .map(|peer| peer.in_flight)
        .sum()
}
