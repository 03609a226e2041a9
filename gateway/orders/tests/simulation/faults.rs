//! What goes wrong between the turns: the link, the process, the clock, the broker, the configuration.

use super::{
    judge::Verdict,
    temper::Fault,
    world::{World, grant},
};
use crate::bench::rows::name;
use mymt5_guard::{Limits, TradingState};
use mymt5_model::UtcTime;
use mymt5_orders::{Input, StateRow};

impl World {
    fn strikes(&mut self, fault: Fault, scale: u64) -> bool {
        self.temper.strikes(fault, scale, &mut self.dice)
    }

    pub(super) fn faults(&mut self) -> Verdict {
        self.broker_faults();
        self.clock_faults();
        if self.strikes(Fault::Outages, 20) && self.outage.is_none() {
            let long = self.dice.below(5) == 0;
            let ms = self.dice.between(100, if long { 60_000 } else { 4_000 });
            self.outage = Some(self.now_ms + ms);
            self.step(Input::Link(false))?;
        }
        if self.strikes(Fault::AccountUnreadable, 10) && self.outage.is_none() {
            self.unreadable = Some(self.now_ms + self.dice.between(500, 20_000));
            self.step(Input::Unreadable(true))?;
        }
        if self.strikes(Fault::Regrants, 10) {
            self.regrant()?;
        }
        if self.strikes(Fault::Crashes, 40) {
            self.crash()?;
        }
        if self.strikes(Fault::Drains, 10) && self.stops.is_none() {
            self.stops = Some(self.now_ms + self.dice.between(10, 5_000));
            self.step(Input::Drain)?;
        }
        if self.stops.is_some_and(|at| at <= self.now_ms) {
            self.stop()?;
        }
        if self.temper.has(Fault::Restores) {
            if self.dice.chance(300) {
                self.backup = Some(self.shell.disk.clone());
            }
            if self.strikes(Fault::Restores, 3) {
                self.restore()?;
            }
        }
        Ok(())
    }

    fn broker_faults(&mut self) {
        if self.strikes(Fault::Foreign, 60) {
            self.broker.foreign(&mut self.dice);
        }
        if self.strikes(Fault::Balance, 60) {
            self.broker.book(&mut self.dice);
        }
        if self.strikes(Fault::DealsPurged, 10) {
            let disk = &self.shell.disk;
            self.broker
                .purge_deals(|ticket| disk.deals.contains_key(&ticket));
        }
        if self.strikes(Fault::Unreadable, 20) {
            let ms = self.dice.between(500, 20_000);
            self.broker.become_unreadable(ms, &mut self.dice);
            if self.dice.below(20) == 0 {
                self.broker.become_strange();
            }
        }
        if self.strikes(Fault::Forbidden, 10) {
            let ms = self.dice.between(500, 20_000);
            self.broker.forbid(ms);
        }
        if self.strikes(Fault::Tickets, 20) {
            self.broker.rename(&mut self.dice);
        }
        if self.strikes(Fault::Closures, 5) && !self.broker.is_closed() {
            let weekend = self.dice.below(3) == 0;
            let ms = if weekend {
                172_800_000
            } else {
                self.dice.between(500, 300_000)
            };
            self.broker.close(ms + 5_000);
            if weekend {
                self.pass(ms);
            }
        }
    }

    fn clock_faults(&mut self) {
        if self.strikes(Fault::ClockSteps, 10) {
            let hours = self.dice.between(-30, 30);
            self.shell.now.utc.0 += hours * 3_600_000;
        }
        if self.strikes(Fault::Jumps, 5) && !self.broker.is_closed() {
            let minutes = self.dice.between(1, 3_000);
            self.jump(minutes * 60_000);
        }
    }

    /// The configuration is reloaded: other limits of losses, dead men, sometimes another client.
    fn regrant(&mut self) -> Verdict {
        let limits = Limits {
            max_lots_total: self.judge.max_lots,
            max_open_positions: self.judge.max_positions,
            ..Limits::default()
        };
        let new = name("epsilon");
        if !self.names.contains(&new) && self.dice.below(4) == 0 {
            self.names.push(new);
        }
        let mut grants = std::collections::BTreeMap::new();
        for name in self.names.clone() {
            // One that is gone may come back.
            if self.dice.below(10) > 0 {
                grants.insert(name, grant(&mut self.dice, &limits));
            }
        }
        self.unknown.retain(|name| !grants.contains_key(name));
        self.shell.config.grants = grants.clone();
        let account = self.shell.config.account.clone();
        // What was told before a slot was given is judged before it.
        let slots = &self.shell.disk.slots;
        if grants.keys().any(|name| !slots.contains_key(name)) {
            self.commit_all()?;
        }
        self.step(Input::Grants(grants, Box::new(account)))
    }

    /// The process dies, and what is not durable with it.
    pub(super) fn crash(&mut self) -> Verdict {
        self.shell.crash();
        self.died()
    }

    /// The process dies in the middle of a commit.
    pub(super) fn crash_committing(&mut self, steps: usize) -> Verdict {
        self.shell.commit_and_die(steps);
        self.died()
    }

    fn died(&mut self) -> Verdict {
        self.forget_process();
        // Whatever was durable of the last batch may not have been told.
        self.shell.events.clear();
        self.shell.answers.clear();
        self.shell.refused.clear();
        self.judge.died(&self.shell, &self.broker)?;
        let long = self.dice.below(10) == 0;
        let ms = self.dice.between(0, if long { 60_000 } else { 2_000 });
        self.outage = Some(self.now_ms + ms);
        self.follow()?;
        self.grant_again()
    }

    /// Who was granted something, and is not known to the journal, is granted it again.
    fn grant_again(&mut self) -> Verdict {
        let config = &self.shell.config;
        let (grants, account) = (config.grants.clone(), config.account.clone());
        let mut names = grants.keys();
        if names.all(|name| self.shell.disk.slots.contains_key(name)) {
            return Ok(());
        }
        self.step(Input::Grants(grants, Box::new(account)))
    }

    /// The process ends as it should: nothing is lost, and another one starts.
    pub(super) fn stop(&mut self) -> Verdict {
        self.step(Input::Stop)?;
        self.commit_all()?;
        self.judge.stops(&self.shell.disk)?;
        self.shell.restart();
        self.died()
    }

    /// The journal is lost, and a backup takes its place: the account is halted until an operator has
    /// looked, and clients repeat nothing that came after it.
    fn restore(&mut self) -> Verdict {
        let Some(mut backup) = self.backup.take() else {
            return Ok(());
        };
        self.forget_process();
        let halted = StateRow {
            client: None,
            state: TradingState::Halted,
            reason: "RESTORED".into(),
            by: "local".into(),
            at: UtcTime(0),
            flatten: None,
        };
        backup.states.insert(None, halted);
        // The mark is written every few seconds: what came since is bridged.
        backup.mark = self.shell.disk.last_order().max(self.shell.disk.mark) + 600_000;
        self.forget_calls(&backup);
        self.judge.forget(&self.shell.disk, &backup);
        self.shell.disk = backup;
        self.shell.restart();
        self.shell.events.clear();
        self.shell.answers.clear();
        self.shell.refused.clear();
        self.outage = Some(self.now_ms + 1_000);
        self.follow()?;
        self.grant_again()
    }
}
