//! What position care must know later: it is noted as it happens, before anything is done upon it.

use super::{Trader, runner::StrategyRunner};
use crate::{
    care::Seen,
    portfolio::{Held, OrderUpdate},
};
use mymt5_model::{PositionId, RequestId};
use std::collections::BTreeSet;

impl Trader {
    /// Notes a position that was opened or changed. A new one is seen from its opening on where an entry
    /// of its own was on its way; another one, such as an adopted one, was opened unseen.
    /// Nothing is noted without the symbol's specification: its prices are not read then, and a stop loss
    /// that is not seen is not one that is missing.
    pub(super) fn note_position(&mut self, held: &Held, entered: bool) {
        if !self.specs.contains_key(&held.symbol) {
            return;
        }
        let Some(carer) = carer_of(&self.runners, held) else {
            return;
        };
        let strategy = carer.name();
        self.risk.remember(|book, now| {
            if entered || book.knows(held.position_id) {
                book.on_changed(&seen(held), now);
            } else {
                book.on_found(&seen(held), strategy);
            }
        });
    }

    /// Notes the positions that a session begins with.
    pub(super) fn note_positions(&mut self) {
        let carers = self.runners.iter().filter(|runner| runner.cares());
        let names: BTreeSet<&str> = carers.map(StrategyRunner::name).collect();
        if names.is_empty() {
            return;
        }
        let positions = self.portfolio.positions();
        let cared: Vec<(&Held, &str)> = positions
            .filter_map(|held| carer_of(&self.runners, held).map(|carer| (held, carer.name())))
            .collect();
        let ids: BTreeSet<PositionId> = cared.iter().map(|(held, _)| held.position_id).collect();
        let specs = &self.specs;
        let is_whole = self.portfolio.is_whole();
        self.risk.remember(|book, _| {
            // What could not be read is not gone.
            if is_whole {
                book.retain(&ids, &names);
            }
            for (held, strategy) in cared {
                if specs.contains_key(&held.symbol) {
                    book.on_found(&seen(held), strategy);
                }
            }
        });
    }

    /// Notes that a position is gone.
    pub(super) fn note_closed(&mut self, id: PositionId) {
        if self.runners.iter().any(StrategyRunner::cares) {
            self.risk.remember(|book, _| book.on_closed(id));
        }
    }

    /// Notes the end of an order, if it was to close a part of a position.
    pub(super) fn note_part(&mut self, order: &OrderUpdate) {
        if let Some(request_id) = &order.request_id
            && (order.state.is_final() || order.is_done())
        {
            self.note_part_end(request_id, order.may_be_done());
        }
    }

    /// Notes how an order ended, if it was to close a part of a position. What may have been done is not
    /// tried again.
    pub(super) fn note_part_end(&mut self, request_id: &RequestId, may_be_done: bool) {
        if self.risk.cared().is_part(request_id) {
            self.risk
                .remember(|book, _| book.on_ended(request_id, may_be_done));
        }
    }
}

/// The strategy that owns a position and cares for it.
fn carer_of<'a>(runners: &'a [StrategyRunner], held: &Held) -> Option<&'a StrategyRunner> {
    let mut runners = runners.iter();
    runners.find(|runner| runner.cares() && runner.owns_position(held))
}

fn seen(held: &Held) -> Seen {
    Seen {
        id: held.position_id,
        side: held.side,
        open: held.open_price,
        stop: held.levels.stop_loss,
        opened: held.opened,
    }
}
