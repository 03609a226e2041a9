//! Care of what is open: a stop loss that follows the profit, a part that is closed on the way, an end
//! in time. Each rule only lowers what may be lost, and none opens or enlarges anything. Pure: what is
//! known comes in, what to do comes out, and the trader does it.
//!
//! R is the distance from the opening price to the initial stop loss. The stop loss moves, so that R is
//! remembered; a rule that needs it does nothing where it is not known.
//!
//! # Rooms
//! * What the rules judge by: `facts`, the ranges of bars in `atr`, and what happened before a restart:
//!   `book`.
//! * What they cannot know: `missing`.
//! * The rules: `time_exit`, `break_even`, `trailing` (both move a `stop`), `partial_close`.
//! * What the configuration says: `settings`, read with `keys`.

mod atr;
mod book;
mod break_even;
mod facts;
mod keys;
mod missing;
mod partial_close;
mod settings;
mod stop;
mod time_exit;
mod trailing;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use atr::Atr;
pub(crate) use book::{Book, Seen};
pub use break_even::BreakEven;
pub(crate) use facts::Facts;
pub(crate) use missing::Missing;
pub use partial_close::PartialClose;
pub use settings::CareSettings;
pub use time_exit::TimeExit;
pub use trailing::{Distance, Ranges, Trailing};

use mymt5_model::{Lots, Price};

/// What is to be done for a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Close all of it.
    Close,
    /// Move its stop loss there, which is nearer to profit and on the price grid.
    MoveStop(Price),
    /// Close so much of it, which is on the volume grid.
    Reduce(Lots),
}

impl CareSettings {
    /// All that is to be done for a position now, in its order: what protects comes before what takes a
    /// profit, and beside a close there is nothing.
    pub(crate) fn decide(&self, facts: &Facts<'_>) -> Vec<Action> {
        if self.time_exit.is_some_and(|rule| rule.is_due(facts)) {
            return vec![Action::Close];
        }
        let even = self.break_even.and_then(|rule| rule.stop(facts));
        let trailed = self.trailing.and_then(|rule| rule.stop(facts));
        let stops = even.into_iter().chain(trailed);
        let best = stops.max_by_key(|stop| stop.points() * facts.side.sign());
        let part = self.partial_close.and_then(|rule| rule.lots(facts));
        let stop = best.map(Action::MoveStop).into_iter();
        stop.chain(part.map(Action::Reduce)).collect()
    }

    /// What keeps a rule from its work for a position.
    pub(crate) fn missing(&self, facts: &Facts<'_>) -> Option<Missing> {
        if self.needs_r() && !facts.knows_r() {
            return Some(Missing::InitialStop);
        }
        if self.time_exit.is_some() && facts.since.is_none() {
            return Some(Missing::Opening);
        }
        let small = self.partial_close.is_some_and(|rule| rule.lacks(facts));
        small.then_some(Missing::Volume)
    }
}
