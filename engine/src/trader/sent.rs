//! What an earlier process sent, as it was recorded. What it left half done is still under way, or is
//! gone on with.

use super::{Trader, in_flight::What};
use crate::{portfolio::Held, risk::Open};
use mymt5_model::{PositionId, RequestId};

/// What it was to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Sent {
    /// Close all of a position.
    Close(PositionId),
    /// The same for an exit: what else the strategy holds is closed after it, and what waits is cancelled.
    Exit {
        /// The strategy's name.
        tag: String,
        /// The position that is closed first.
        position_id: PositionId,
    },
    /// Open a position; where positions net, an order at the market turns one of the other side.
    Entry {
        /// The strategy's name.
        tag: String,
        /// What it may become; at the market without a price.
        opens: Open,
    },
}

impl Sent {
    /// The same, with nothing that goes beyond one position.
    #[must_use]
    pub fn of_one(self) -> Self {
        match self {
            Self::Exit { position_id, .. } => Self::Close(position_id),
            other => other,
        }
    }

    /// True for a position that it was to close, or to turn.
    fn closes(&self, held: &Held, nets: bool) -> bool {
        match self {
            Self::Close(position_id) | Self::Exit { position_id, .. } => {
                held.position_id == *position_id
            }
            Self::Entry { opens, .. } => nets && turns(opens, held),
        }
    }
}

/// True for a position against an order at the market: none is sent beside what is held but to turn it.
pub(super) fn turns(opens: &Open, held: &Held) -> bool {
    opens.price.is_none() && held.symbol == opens.symbol && held.side != opens.side
}

impl Trader {
    /// The close of all of a position, of before the snapshot, that the gateway still works on. Where an
    /// earlier process sent it, the position's strategy waits for it from now on, and closes what it leaves.
    pub fn on_close_under_way(&mut self, request_id: RequestId, position_id: PositionId) {
        let Some(held) = self.portfolio.position(position_id) else {
            return;
        };
        let mut runners = self.runners.iter_mut();
        if let Some(runner) = runners.find(|runner| runner.owns_position(held)) {
            runner.resume(request_id, What::Close(position_id));
        }
    }

    /// An exit of this strategy, of before the snapshot, whose close is under way or has ended: it goes on with
    /// what is left. The position that is closed next, if one is left.
    pub fn on_exit_recalled(&mut self, tag: &str) -> Option<PositionId> {
        let mut runners = self.runners.iter_mut();
        let runner = runners.find(|runner| runner.name() == tag)?;
        runner.resume_exit(&self.portfolio)
    }

    /// Closes what an earlier process was to close, or to turn, and did in part alone or not at all; what this
    /// one sent is known as it was decided. The position, where it is closed next.
    pub(super) fn close_rest(&mut self, sent: &Sent, is_own: bool) -> Option<PositionId> {
        let nets = self.portfolio.nets();
        let mut positions = self.portfolio.positions();
        let rest = positions.find(|held| sent.closes(held, nets))?;
        let mut runners = self.runners.iter_mut();
        let runner = runners.find(|runner| runner.owns_position(rest))?;
        if !is_own {
            runner.close_rest(rest.position_id);
        }
        let closes = runner.closes(rest.position_id);
        closes.then_some(rest.position_id)
    }
}
