//! What was lost, for the account and for each client, and what follows from it. A client's figures
//! are the account's balance when it was first seen, moved by its own results alone.

use super::{
    checks::limit_refusal,
    core::{Core, Effect},
    events::{Audience, Event},
    exposure::Scope,
    order::Call,
};
use crate::records::{LossRow, OwnedDeal, Record};
use mymt5_guard::{Breach, LimitAction, LossMeter, LossSettings, TradingState};
use mymt5_model::Refusal;
use mymt5_model::{BrokerTime, ClientName, DealKind, Money, RequestId, Ticket};
use std::collections::BTreeMap;

/// Who acts on limits.
pub(super) const GATEWAY: &str = "gateway";
/// Between two records of a state that moved a little, milliseconds.
const RECORD_EVERY_MS: i64 = 10_000;

type Owner = Option<ClientName>;

#[derive(Debug)]
struct Meter {
    meter: LossMeter,
    /// The account's balance when the scope was first seen, and the newest deal then.
    first: Option<(Money, Ticket)>,
    /// Results of the scope's own deals since.
    realised: Money,
    recorded: Option<(i64, LossRow)>,
    /// When positions were last closed because of it, Unix milliseconds.
    flattened: i64,
}

/// The meters: of the account, and of every client whose losses are limited.
#[derive(Debug, Default)]
pub(super) struct Losses(BTreeMap<Owner, Meter>);

/// What a deal made or cost.
fn result(deal: &OwnedDeal) -> Money {
    deal.deal.profit + deal.deal.swap + deal.deal.commission
}

impl Losses {
    /// Goes on from what the journal has.
    pub(super) fn new<'a>(
        settings: impl IntoIterator<Item = (Owner, LossSettings)>,
        kept: Vec<LossRow>,
        deals: impl Iterator<Item = &'a OwnedDeal> + Clone,
    ) -> Self {
        let mut kept: BTreeMap<Owner, LossRow> = kept
            .into_iter()
            .map(|row| (row.client.clone(), row))
            .collect();
        let meters = settings.into_iter().map(|(owner, settings)| {
            let row = kept.remove(&owner);
            let first = row.as_ref().map(|row| (row.first_balance, row.first_deal));
            let own = deals.clone().filter(|deal| {
                deal.client == owner && first.is_some_and(|(_, since)| deal.deal.ticket > since)
            });
            let meter = Meter {
                realised: own.map(result).sum(),
                first,
                meter: LossMeter::resume(settings, row.as_ref().map(|row| row.state.clone())),
                flattened: i64::MIN / 2,
                recorded: row.map(|row| (i64::MIN / 2, row)),
            };
            (owner, meter)
        });
        Self(meters.collect())
    }

    /// Other limits for a scope; what is latched stays so.
    pub(super) fn regulate(&mut self, owner: Owner, settings: LossSettings) {
        match self.0.get_mut(&owner) {
            Some(meter) => {
                meter.meter = LossMeter::resume(settings, meter.meter.state().cloned());
            }
            None if settings != LossSettings::default() => {
                let meter = Meter {
                    meter: LossMeter::resume(settings, None),
                    first: None,
                    realised: Money::ZERO,
                    recorded: None,
                    flattened: i64::MIN / 2,
                };
                self.0.insert(owner, meter);
            }
            None => {}
        }
    }
}

impl Meter {
    /// True while a limit holds that wants everything closed.
    fn flattens(&self) -> bool {
        let (settings, flatten) = (self.meter.settings(), LimitAction::Flatten);
        let latched = |state: &mymt5_guard::LossState| {
            let daily = settings.daily.is_some_and(|daily| daily.action == flatten);
            let drawdown = settings.drawdown.is_some_and(|of| of.action == flatten);
            (state.daily_reached && daily) || (state.drawdown_latched && drawdown)
        };
        self.meter.state().is_some_and(latched)
    }

    /// What is worth keeping now: at once after anything but a small move.
    fn due(&mut self, owner: &Owner, now: i64) -> Option<LossRow> {
        let (first_balance, first_deal) = self.first?;
        let row = LossRow {
            client: owner.clone(),
            state: self.meter.state()?.clone(),
            first_balance,
            first_deal,
        };
        let worth = self.recorded.as_ref().is_none_or(|(at, kept)| {
            let (new, old) = (&row.state, &kept.state);
            let marks = |state: &mymt5_guard::LossState| {
                let flags = (state.daily_reached, state.drawdown_latched);
                (state.day, state.base, state.start, flags)
            };
            marks(new) != marks(old) || (new != old && now - at >= RECORD_EVERY_MS)
        });
        worth.then(|| {
            self.recorded = Some((now, row.clone()));
            row
        })
    }
}

impl Core {
    /// What the losses so far keep a client from opening.
    pub(super) fn check_losses(&self, client: &ClientName) -> Result<(), Refusal> {
        let own = Some(client.clone());
        for (owner, scope) in [(own, Scope::Client(client)), (None, Scope::Account)] {
            let blocks = self
                .losses
                .0
                .get(&owner)
                .and_then(|meter| meter.meter.blocks());
            if let Some(limit) = blocks {
                return Err(limit_refusal(scope, limit));
            }
        }
        Ok(())
    }

    /// A deal that is new: a flow moves the account's levels, a result its owner's balance.
    pub(super) fn count_deal(&mut self, deal: &OwnedDeal) {
        if deal.deal.kind == DealKind::Balance {
            if let Some(account) = self.losses.0.get_mut(&None) {
                account.meter.flow(result(deal));
            }
            return;
        }
        if let (Some(_), Some(own)) = (&deal.client, self.losses.0.get_mut(&deal.client)) {
            own.realised += result(deal);
        }
    }

    /// Measures, when the account's figures reflect exactly the deals that are known.
    pub(super) fn measure(&mut self) {
        let newest = self
            .deals
            .last_key_value()
            .map_or(Ticket(0), |(ticket, _)| *ticket);
        let (Some(account), Some(now)) = (self.book.account(), self.book.as_of()) else {
            return;
        };
        if newest != self.book.reflected() {
            return;
        }
        let (equity, balance) = (account.equity, account.balance);
        let mut losses = std::mem::take(&mut self.losses);
        let mut breached = Vec::new();
        for (owner, meter) in &mut losses.0 {
            let first = *meter.first.get_or_insert((balance, newest));
            let (own_equity, own_balance) = match owner {
                None => (equity, balance),
                Some(client) => {
                    let balance = first.0 + meter.realised;
                    (balance + self.floating(client), balance)
                }
            };
            if let Some(reset) = meter.meter.missed_reset(now) {
                let since = self.realised_since(owner.as_ref(), reset);
                meter.meter.catch_up(now, own_balance - since);
            }
            let breaches = meter.meter.observe(now, own_equity, own_balance);
            breached.extend(breaches.into_iter().map(|breach| (owner.clone(), breach)));
            if let Some(row) = meter.due(owner, self.now.0) {
                self.records.push(Record::Losses(row));
            }
        }
        self.losses = losses;
        for (owner, breach) in breached {
            self.act_on(owner, breach);
        }
        self.lift();
    }

    fn floating(&self, client: &ClientName) -> Money {
        let own = self
            .book
            .positions()
            .filter(|held| held.client.as_ref() == Some(client));
        own.map(|held| held.row.profit + held.row.swap).sum()
    }

    /// Results, flows apart, of an owner's deals since that time.
    fn realised_since(&self, owner: Option<&ClientName>, since: BrokerTime) -> Money {
        let newest = self.deals.values().rev();
        let since = newest.take_while(|deal| deal.deal.time >= since);
        let own = since.filter(|deal| owner.is_none() || deal.client.as_ref() == owner);
        own.filter(|deal| deal.deal.kind != DealKind::Balance)
            .map(|deal| result(deal))
            .sum()
    }

    fn act_on(&mut self, owner: Owner, breach: Breach) {
        let scope = owner.as_ref().map_or(Scope::Account, Scope::Client);
        let reason = limit_refusal(scope, breach.limit).reason().name();
        metrics::counter!("mymt5_limits_latched_total", "reason" => reason).increment(1);
        tracing::error!(client = owner.as_ref().map_or("", ClientName::as_str), reason, action = ?breach.action, "limit of losses reached");
        let audience = owner.clone().map_or(Audience::All, Audience::Client);
        self.tell(
            "",
            audience,
            Event::LimitLatched(owner.clone(), reason.to_owned()),
        );
        let state = match breach.action {
            LimitAction::Block => return,
            LimitAction::Reduce => TradingState::Reducing,
            LimitAction::Halt | LimitAction::Flatten => TradingState::Halted,
        };
        // A weaker reason of our own gives way, so that nothing lifts this one early.
        let held = self.states.of(&owner);
        if held < state || (held == state && self.states.is_entered_by(&owner, GATEWAY)) {
            let effects = self.enter(owner.clone(), state, reason, GATEWAY);
            self.effects.extend(effects);
        }
        if breach.action == LimitAction::Flatten {
            let effects = self.close_for(owner.as_ref());
            self.effects.extend(effects);
        }
    }

    /// What a limit wanted closed and is still open is closed again: an exit may have been refused,
    /// or lost with the process.
    pub(super) fn flatten_again(&mut self) -> Vec<Effect> {
        const PAUSE_MS: i64 = 5_000;
        let now = self.now.0;
        let mut due = Vec::new();
        for (owner, meter) in &mut self.losses.0 {
            let halted = self.states.of(owner) == TradingState::Halted
                && self.states.is_entered_by(owner, GATEWAY);
            if halted && meter.flattens() && now - meter.flattened >= PAUSE_MS {
                meter.flattened = now;
                due.push(owner.clone());
            }
        }
        let due = due.into_iter().filter(|_| self.link_up);
        let due: Vec<Owner> = due.collect();
        due.iter()
            .flat_map(|owner| self.close_for(owner.as_ref()))
            .collect()
    }

    /// Closes what a scope owns, each position for its owner.
    fn close_for(&mut self, owner: Option<&ClientName>) -> Vec<Effect> {
        let request_id = RequestId::parse(&format!("flatten-{}", self.sequence));
        let (Ok(request_id), client) = (request_id, ClientName::local()) else {
            return Vec::new();
        };
        const PATIENCE_MS: i64 = 60_000;
        let call = Call {
            client,
            request_id,
            method: "Flatten",
            content: [0; 32],
            correlation: String::new(),
            send_before_ms: self.now.0 + PATIENCE_MS,
        };
        let mut effects = self.cancel_all(owner, |_| true);
        effects.extend(self.close_all(&call, owner, false));
        effects
    }

    /// REDUCING by a day's loss ends with the day; HALTED is an operator's to leave.
    fn lift(&mut self) {
        let daily = limit_refusal(Scope::Account, mymt5_guard::LimitReached::DailyLoss).reason();
        let owners: Vec<Owner> = self.losses.0.keys().cloned().collect();
        for owner in owners {
            let over = self
                .losses
                .0
                .get(&owner)
                .is_some_and(|of| of.meter.blocks().is_none());
            let reduced = self.states.of(&owner) == TradingState::Reducing
                && self.states.is_by(&owner, GATEWAY, daily.name());
            if over && reduced {
                self.enter(owner, TradingState::Active, "DAY_RESET", GATEWAY);
            }
        }
    }

    /// An operator lets a scope trade again: a latched drawdown is measured anew.
    pub(super) fn clear_losses(&mut self, owner: &Owner) {
        let now = self.now.0;
        if let Some(meter) = self.losses.0.get_mut(owner)
            && meter.meter.clear()
            && let Some(row) = meter.due(owner, now)
        {
            self.records.push(Record::Losses(row));
        }
    }
}
