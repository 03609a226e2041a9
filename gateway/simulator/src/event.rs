//! What a tick or a request changed, as the broker's event stream would tell it.

use mymt5_model::DealRow;

/// One change of the account.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A deal was done.
    Deal(DealRow),
    /// The working orders are not what they were.
    OrdersChanged,
    /// The open positions (volume, levels, swap) are not what they were.
    PositionsChanged,
    /// The margin level fell to the margin call level.
    MarginCall,
    /// The margin level fell below the stop-out level; deals with that reason precede it.
    StopOut,
}

/// Collects the events of one call; nothing is allocated while nothing happens.
#[derive(Default)]
pub(crate) struct Log {
    events: Vec<Event>,
    pub(crate) orders_changed: bool,
    pub(crate) positions_changed: bool,
}

impl Log {
    pub(crate) fn push(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Deals in their order, then at most one of each other kind of change.
    pub(crate) fn into_events(mut self) -> Vec<Event> {
        if self.orders_changed {
            self.events.push(Event::OrdersChanged);
        }
        if self.positions_changed {
            self.events.push(Event::PositionsChanged);
        }
        self.events
    }
}
