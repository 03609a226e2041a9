//! What position care must know later: it is noted as it happens, before anything is done upon it.

use super::{Trader, runner::StrategyRunner};
use crate::{
    care::Seen,
    portfolio::{Held, OrderUpdate},
};
use mymt5_model::{PositionId, RequestId};
use std::collections::BTreeSet;

impl Trader {
    /// Notes a position that was opened or changed.
    pub(super) fn note_position(&mut self, held: &Held) {
        if carer_of(&self.runners, held).is_some() {
            self.risk
                .remember(|book, now| book.on_changed(&seen(held), now));
        }
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
        self.risk.remember(|book, _| {
            book.retain(&ids, &names);
            for (held, strategy) in cared {
                book.on_found(&seen(held), strategy);
            }
        });
    }

    /// Notes that a position is gone.
    pub(super) fn note_closed(&mut self, id: PositionId) {
        if self.runners.iter().any(StrategyRunner::cares) {
            self.risk.remember(|book, _| book.on_closed(id));
        }
    }

    /// Notes the end of an order that was to close a part of a position. True: it is one of those.
    pub(super) fn note_part(&mut self, order: &OrderUpdate) -> bool {
        let part = order.request_id.as_ref();
        let part = part.filter(|request_id| self.risk.cared().is_part(request_id));
        if let Some(request_id) = part
            && order.state.is_final()
        {
            self.note_part_end(request_id, order.is_done());
        }
        part.is_some()
    }

    /// Notes how an order ended, if it was to close a part of a position.
    pub(super) fn note_part_end(&mut self, request_id: &RequestId, done: bool) {
        if self.risk.cared().is_part(request_id) {
            self.risk
                .remember(|book, _| book.on_ended(request_id, done));
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
