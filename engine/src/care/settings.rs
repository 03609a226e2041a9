//! `care` of a strategy: every rule reads its own keys.

use super::{BreakEven, PartialClose, Ranges, TimeExit, Trailing};
use mymt5_chassis::loader::Section;

/// How a strategy's positions are cared for. None: that rule is off.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CareSettings {
    /// When the stop loss moves to the opening price.
    pub break_even: Option<BreakEven>,
    /// How the stop loss follows the price.
    pub trailing: Option<Trailing>,
    /// When a part is closed.
    pub partial_close: Option<PartialClose>,
    /// When all is closed, whatever the price.
    pub time_exit: Option<TimeExit>,
}

impl CareSettings {
    /// Reads all keys. Their faults are the reader's.
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        Self {
            break_even: BreakEven::read(section),
            trailing: Trailing::read(section),
            partial_close: PartialClose::read(section),
            time_exit: TimeExit::read(section),
        }
    }

    /// True while any rule is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        *self != Self::default()
    }

    /// The bars whose ranges are to be known; none: no rule asks for them.
    #[must_use]
    pub fn ranges(&self) -> Option<Ranges> {
        self.trailing?.ranges()
    }

    /// True where a rule counts in R.
    pub(super) fn needs_r(&self) -> bool {
        let trails = self.trailing.is_some_and(|rule| rule.from_r.is_some());
        self.break_even.is_some() || self.partial_close.is_some() || trails
    }
}
