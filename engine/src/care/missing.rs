//! Why a rule does nothing for a position: told once, since nothing is guessed.

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(crate) enum Missing {
    /// R cannot be told.
    #[error(
        "the initial stop loss of the position is not known: care that counts in R does nothing for it; move its stop loss by hand, or close it"
    )]
    InitialStop,
    /// Its age cannot be told.
    #[error(
        "the time at which the position was opened is not known: care.time_exit does nothing for it; close it by hand"
    )]
    Opening,
    /// Its volume has no part that can be traded.
    #[error(
        "the position is too small to close a part of it: care.partial_close does nothing for it; set another percent, or let risk allow more lots"
    )]
    Volume,
}

impl Missing {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 3] = [Self::InitialStop, Self::Opening, Self::Volume];
}
