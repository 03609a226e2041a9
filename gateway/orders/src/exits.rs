//! Closes: never more than a position has left, and free of states and limits.

use super::{
    core::{Core, Effect, Taken},
    order::{Call, Exit, Purpose},
    requests::Draft,
};
use crate::records::Subject;
use mymt5_guard::{ExitRefused, exit_allowed};
use mymt5_model::{
    AccountMode, ClientName, Comment, Levels, Lots, OrderId, OrderType, PositionRow, Symbol,
    SymbolSpec, TradeRequest,
};
use mymt5_model::{Reason, Refusal};
use std::{sync::Arc, time::Duration};

impl Core {
    /// Takes a close of a position, or finds the order that this call made before.
    ///
    /// # Errors
    /// As for [`Core::submit`].
    pub fn close(
        &mut self,
        call: Call,
        exit: Result<Exit, Refusal>,
        spec: impl Fn(&Symbol) -> Option<Arc<SymbolSpec>>,
    ) -> Result<(Taken, Vec<Effect>), Refusal> {
        if let Some(taken) = self.known_order(&call)? {
            return Ok((taken, Vec::new()));
        }
        let exit = exit?;
        self.check_open(&call)?;
        let own = |client: &Option<ClientName>| client.as_ref() == Some(&call.client);
        let position = self
            .book
            .position(exit.position)
            .filter(|position| own(&position.client));
        let row = position
            .ok_or_else(|| Refusal::new(Reason::PositionNotFound))?
            .row
            .clone();
        let mode = self.mode().ok_or_else(|| Refusal::new(Reason::LinkDown))?;
        let closable = self.book.closable(exit.position, mode);
        let lots = match (exit.lots, spec(&row.symbol)) {
            (None, _) => closable,
            (Some(lots), Some(spec)) => spec
                .lots_of_request(lots)
                .map_err(|(reason, text)| Refusal::because(reason, text))?,
            // Without a specification the broker judges the grid: an exit does not wait for it.
            (Some(lots), None) => Lots::from_f64(lots)
                .map_err(|error| Refusal::because(Reason::NumberInvalid, error.to_string()))?,
        };
        let (flying, unknown) = self.closing(exit.position);
        exit_allowed(mode, lots, closable, flying, unknown).map_err(|refused| match refused {
            ExitRefused::ExceedsPosition => Refusal::new(Reason::ExitExceedsPosition),
            ExitRefused::PendingReconciliation => {
                Refusal::new(Reason::PendingReconciliation).after(Duration::from_secs(5))
            }
        })?;
        let (id, effect) = self.create_exit(&call, &row, lots, exit)?;
        self.bind(&call, Subject::Order(id));
        Ok((
            Taken {
                order: id,
                repeated: false,
            },
            vec![effect],
        ))
    }

    /// A close as it must be sent now: a position's ticket may have changed since it was taken.
    #[must_use]
    pub fn resolved(&self, id: OrderId, mut request: TradeRequest) -> TradeRequest {
        let purpose = self.order(id).map(|order| order.purpose);
        let held = match purpose {
            Some(Purpose::Exit(position)) => self.book.position(position),
            _ => None,
        };
        if let (Some(held), TradeRequest::Market { position, .. }) = (held, &mut request) {
            *position = Some(held.row.ticket);
        }
        request
    }

    fn create_exit(
        &mut self,
        call: &Call,
        row: &PositionRow,
        lots: Lots,
        exit: Exit,
    ) -> Result<(OrderId, Effect), Refusal> {
        let draft = Draft {
            purpose: Purpose::Exit(row.id),
            symbol: row.symbol.clone(),
            side: row.side.opposite(),
            kind: OrderType::Market,
            lots,
            levels: Levels::default(),
            digits: row.open_price.digits(),
            tag: exit.tag,
        };
        let (id, magic) = self.create(call, draft, |order| order.position = Some(row.id))?;
        let request = TradeRequest::Market {
            symbol: row.symbol.clone(),
            side: row.side.opposite(),
            lots,
            levels: Levels::default(),
            position: Some(row.ticket),
            max_deviation_points: exit.max_deviation_points,
            magic,
            comment: exit.comment,
        };
        Ok((id, Effect::Send(id, request, true)))
    }

    /// Closes what is left of all positions of a scope, each for its owner; foreign ones for the
    /// caller. A position that cannot be closed now is told in the log.
    pub(super) fn close_all(
        &mut self,
        call: &Call,
        scope: Option<&ClientName>,
        foreign: bool,
    ) -> Vec<Effect> {
        let included = |client: &Option<ClientName>| match client {
            Some(client) => scope.is_none_or(|scope| scope == client),
            None => foreign,
        };
        let rows: Vec<(PositionRow, Option<ClientName>, String)> = self
            .book
            .positions()
            .filter(|held| included(&held.client))
            .map(|held| (held.row.clone(), held.client.clone(), held.tag.clone()))
            .collect();
        let mut effects = Vec::new();
        for (row, client, tag) in rows {
            let (flying, unknown) = self.closing(row.id);
            // On hedging a close of unknown outcome stands in no other's way: it is pinned.
            let unknown = match self.mode() {
                Some(AccountMode::Hedging) => Lots::ZERO,
                _ => unknown,
            };
            let mode = self.mode().unwrap_or(AccountMode::Netting);
            let closable = self.book.closable(row.id, mode);
            let left = closable.minus(flying).minus(unknown);
            if left.is_zero() {
                continue;
            }
            let call = Call {
                client: client.unwrap_or_else(|| call.client.clone()),
                ..call.clone()
            };
            let exit = Exit {
                position: row.id,
                lots: None,
                max_deviation_points: None,
                tag,
                comment: Comment::default(),
            };
            match self.create_exit(&call, &row, left, exit) {
                Ok((_, effect)) => effects.push(effect),
                Err(refusal) => {
                    tracing::error!(position_id = %row.id, %refusal, "position not closed");
                }
            }
        }
        effects
    }
}
