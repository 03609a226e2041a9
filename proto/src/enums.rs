//! Enums of the wire and of the model, both ways. Unset and unknown numbers are refused.

use crate::{Reason, v1};
use mymt5_model as model;

/// Reads an enum field: unset or unknown is `ENUM_UNSPECIFIED`. `expected` says what is right.
///
/// # Errors
/// The reason and text of the fault, for [`crate::Violations::take`].
pub fn parse_enum<W: TryFrom<i32>, M: TryFrom<W>>(
    raw: i32,
    expected: &str,
) -> Result<M, (Reason, String)> {
    W::try_from(raw)
        .ok()
        .and_then(|wire| M::try_from(wire).ok())
        .ok_or_else(|| (Reason::EnumUnspecified, format!("expected {expected}")))
}

macro_rules! both_ways {
    ($($model:ty, $wire:ty { $($m:ident = $w:ident),* $(,)? })*) => {$(
        impl From<$model> for $wire {
            fn from(value: $model) -> Self {
                match value { $(<$model>::$m => Self::$w,)* }
            }
        }
        impl TryFrom<$wire> for $model {
            type Error = ();
            fn try_from(value: $wire) -> Result<Self, ()> {
                match value { $(<$wire>::$w => Ok(Self::$m),)* _ => Err(()) }
            }
        }
    )*};
}

both_ways! {
    model::Side, v1::Side { Buy = Buy, Sell = Sell }
    model::OrderType, v1::OrderType { Market = Market, Limit = Limit, Stop = Stop, StopLimit = StopLimit }
    model::OrderState, v1::OrderState {
        Accepted = Accepted, Sent = Sent, Working = Working, PartiallyFilled = PartiallyFilled, Filled = Filled,
        Rejected = Rejected, Canceled = Canceled, Expired = Expired, Unknown = Unknown,
    }
    model::AccountMode, v1::AccountMode { Netting = Netting, Hedging = Hedging }
    model::AccountKind, v1::AccountKind { Simulated = Simulated, Demo = Demo, Real = Real }
    model::TradeMode, v1::TradeMode {
        Disabled = Disabled, LongOnly = LongOnly, ShortOnly = ShortOnly, CloseOnly = CloseOnly, Full = Full,
    }
    model::Entry, v1::DealEntry { In = In, Out = Out, InOut = Inout, OutBy = OutBy }
}

impl From<model::DealReason> for v1::DealReason {
    fn from(reason: model::DealReason) -> Self {
        match reason {
            model::DealReason::Client => Self::Client,
            model::DealReason::Mobile => Self::Mobile,
            model::DealReason::Web => Self::Web,
            model::DealReason::Expert => Self::Expert,
            model::DealReason::StopLoss => Self::Sl,
            model::DealReason::TakeProfit => Self::Tp,
            model::DealReason::StopOut => Self::So,
            model::DealReason::Rollover => Self::Rollover,
            model::DealReason::Other => Self::Unspecified,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unset_side_never_buys() {
        for raw in [0, 3, -1, i32::MAX] {
            assert!(parse_enum::<v1::Side, model::Side>(raw, "SIDE_BUY or SIDE_SELL").is_err());
        }
        assert_eq!(
            parse_enum::<v1::Side, model::Side>(2, ""),
            Ok(model::Side::Sell)
        );
    }
}
