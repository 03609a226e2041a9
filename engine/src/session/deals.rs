//! Deals, as far as rules ask what they made.

use crate::{risk::PositionDeal, trader::Event};
use mymt5_model::{Entry, Lots, Money, PositionId};
use mymt5_proto::{parse_enum, v1};

/// What a trader learns by a deal; none: it is of no position.
pub(super) fn event(wire: &v1::Deal) -> Option<Event> {
    let is_trade = wire.position_id != 0;
    is_trade.then(|| Event::Deal(PositionId(wire.position_id), read(wire)))
}

fn read(wire: &v1::Deal) -> Option<PositionDeal> {
    Some(PositionDeal {
        entry: parse_enum::<v1::DealEntry, Entry>(wire.entry, "").ok()?,
        lots: Lots::from_f64(wire.lots).ok()?,
        made: Money::from_f64(wire.profit + wire.swap).ok()?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_deal_tells_what_it_made_and_one_that_is_not_understood_that_it_was() {
        let wire = v1::Deal {
            position_id: 7,
            entry: v1::DealEntry::Out.into(),
            lots: 0.2,
            profit: 5.0,
            swap: -1.0,
            commission: -3.0,
            ..Default::default()
        };
        let told = PositionDeal {
            entry: Entry::Out,
            lots: Lots::from_f64(0.2).unwrap(),
            made: Money::from_f64(4.0).unwrap(),
        };
        let of = |deal| Some(Event::Deal(PositionId(7), deal));
        assert_eq!(event(&wire), of(Some(told)));
        for odd in [
            v1::Deal {
                entry: 99,
                ..wire.clone()
            },
            v1::Deal {
                lots: f64::NAN,
                ..wire.clone()
            },
            v1::Deal {
                profit: f64::INFINITY,
                ..wire.clone()
            },
        ] {
            assert_eq!(event(&odd), of(None), "{odd:?}");
        }
        let balance = v1::Deal {
            position_id: 0,
            ..wire
        };
        assert_eq!(event(&balance), None);
    }
}
