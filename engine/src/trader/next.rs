//! The next thing that a strategy does, and the intent to do it.

use super::{
    entry::{self, Order},
    intent::{Cancel, Close, Intent, Move, Submit},
};
use crate::{care::Action, strategy::StrategySettings};
use mymt5_model::{Edit, LevelsEdit, Lots, OrderId, PositionId, RequestId, SymbolSpec};

pub(super) enum Next {
    Open(Order),
    Close(PositionId),
    /// Position care closes a part.
    Reduce(PositionId, Lots),
    /// What a turn opened beyond what risk admitted is closed.
    Trim(PositionId, Lots),
    Cancel(OrderId),
    Move(PositionId, LevelsEdit),
}

impl Next {
    pub(super) const fn of_care((position_id, action): (PositionId, Action)) -> Self {
        match action {
            Action::Close => Self::Close(position_id),
            Action::Reduce(lots) => Self::Reduce(position_id, lots),
            Action::MoveStop(price) => {
                let levels = LevelsEdit {
                    stop_loss: Edit::Set(price),
                    take_profit: Edit::Keep,
                };
                Self::Move(position_id, levels)
            }
        }
    }

    /// Levels as a strategy wants them, on the price grid.
    pub(super) fn moved(position_id: PositionId, levels: LevelsEdit, spec: &SymbolSpec) -> Self {
        let on_grid = |edit: Edit<_>| match edit {
            Edit::Set(price) => Edit::Set(entry::on_grid(price, spec)),
            other => other,
        };
        let levels = LevelsEdit {
            stop_loss: on_grid(levels.stop_loss),
            take_profit: on_grid(levels.take_profit),
        };
        Self::Move(position_id, levels)
    }

    /// `exits`: it is for an exit.
    pub(super) fn intent(
        &self,
        settings: &StrategySettings,
        request_id: RequestId,
        exits: bool,
    ) -> Intent {
        let tag = settings.name.clone();
        let close = |request_id, position_id, lots: Option<Lots>, tag| {
            Intent::Close(Close {
                request_id,
                position_id,
                lots,
                tag,
                exits: exits && lots.is_none(),
            })
        };
        match *self {
            Self::Open(order) => Intent::Submit(Submit {
                request_id,
                symbol: settings.symbol.clone(),
                side: order.side,
                at: order.at,
                lots: order.lots.plus(order.closes),
                levels: order.levels,
                tag,
            }),
            Self::Close(position_id) => close(request_id, position_id, None, tag),
            Self::Reduce(position_id, lots) | Self::Trim(position_id, lots) => {
                close(request_id, position_id, Some(lots), tag)
            }
            Self::Cancel(order_id) => Intent::Cancel(Cancel {
                request_id,
                order_id,
            }),
            Self::Move(position_id, levels) => Intent::Move(Move {
                request_id,
                position_id,
                levels,
            }),
        }
    }
}
