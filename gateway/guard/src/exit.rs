//! When a close is an exit: it never takes more than the position has left, counting what is in
//! flight or unknown as gone.

use mymt5_model::{AccountMode, Lots};

/// Why a close is not an exit now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExitRefused {
    /// More lots than are left: it would open the other side.
    #[error("more lots than the position has left to close")]
    ExceedsPosition,
    /// On netting an earlier close has an unknown outcome: another may reverse the position.
    #[error("an earlier close of the position has an unknown outcome")]
    PendingReconciliation,
}

/// Checks a close of `lots` of a position of `held` lots, of which closes in flight and unknown
/// ones already claim their part. On hedging a close is pinned to its ticket and an unknown one
/// does not stand in its way: the broker cannot close more than there is.
///
/// # Errors
/// See [`ExitRefused`].
pub fn exit_allowed(
    mode: AccountMode,
    lots: Lots,
    held: Lots,
    in_flight: Lots,
    unknown: Lots,
) -> Result<(), ExitRefused> {
    let claimed = match mode {
        AccountMode::Netting if !unknown.is_zero() => {
            return Err(ExitRefused::PendingReconciliation);
        }
        AccountMode::Netting => in_flight.plus(unknown),
        AccountMode::Hedging => in_flight,
    };
    if lots.is_zero() || lots > held.minus(claimed) {
        return Err(ExitRefused::ExceedsPosition);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_unknown_close_blocks_netting_and_not_hedging() {
        let [one, two] = [1, 2].map(Lots::from_units);
        assert_eq!(
            exit_allowed(AccountMode::Netting, one, two, Lots::ZERO, one),
            Err(ExitRefused::PendingReconciliation)
        );
        assert_eq!(
            exit_allowed(AccountMode::Hedging, two, two, Lots::ZERO, two),
            Ok(())
        );
    }

    proptest! {
        #[test]
        fn accepted_exits_never_exceed_the_position(held in 0i64..1000, closes in prop::collection::vec(0i64..400, 0..8)) {
            let held = Lots::from_units(held);
            let mut flying = Lots::ZERO;
            for lots in closes.into_iter().map(Lots::from_units) {
                if exit_allowed(AccountMode::Netting, lots, held, flying, Lots::ZERO).is_ok() {
                    flying = flying.plus(lots);
                }
            }
            prop_assert!(flying <= held);
        }
    }
}
