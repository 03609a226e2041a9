//! Requests of the wire become checked intents: every fault is told with its field.

use crate::{access::Caller, market::Instruments};
use mymt5_chassis::letters;
use mymt5_model::{
    BrokerTime, BrokerZone, Comment, Levels, Lots, Moment, OrderType, PositionId, Price, Side,
    Symbol, SymbolSpec, TimeInForce,
};
use mymt5_orders::{Exit, NewOrder};
use mymt5_proto::{Reason, Refusal, Violations, parse_enum, v1};
use std::{sync::Arc, time::Duration};

pub(super) type FieldError = (Reason, String);

/// Longest tag, characters.
const MAX_TAG: usize = 32;

/// The broker's clock, for what ends at a time of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BrokerClock<'a> {
    /// Its zone, where configured.
    pub(super) zone: Option<&'a BrokerZone>,
    /// What it shows now, where that is known.
    pub(super) now: Option<BrokerTime>,
}

/// Symbols are known from the first link on: before that, none can be called unknown.
///
/// # Errors
/// `LINK_DOWN`.
fn known(instruments: &Instruments) -> Result<(), Refusal> {
    if !instruments.are_known() {
        return Err(Refusal::new(Reason::LinkDown).after(Duration::from_secs(1)));
    }
    Ok(())
}

/// The specification of a symbol that the caller may use.
fn symbol(
    instruments: &Instruments,
    caller: &Caller,
    name: &str,
) -> Result<Arc<SymbolSpec>, FieldError> {
    let allowed = |spec: &Arc<SymbolSpec>| caller.may_use(&spec.symbol);
    let unknown = || {
        (
            Reason::SymbolUnknown,
            "expected a symbol that ListSymbols lists for this client".to_owned(),
        )
    };
    instruments.get(name).filter(allowed).ok_or_else(unknown)
}

/// The specification of the one symbol that a caller asks for.
///
/// # Errors
/// `LINK_DOWN`; inside, the fault of the field.
pub(super) fn known_symbol(
    instruments: &Instruments,
    caller: &Caller,
    name: &str,
) -> Result<Result<Arc<SymbolSpec>, FieldError>, Refusal> {
    known(instruments)?;
    Ok(symbol(instruments, caller, name))
}

/// The symbols a caller asks for; none named: all it may use.
pub(super) fn symbols(
    instruments: &Instruments,
    caller: &Caller,
    names: &[String],
) -> Result<Vec<Symbol>, Refusal> {
    const MAX: usize = 256;
    let mut violations = Violations::default();
    if names.len() > MAX {
        violations.add(
            "symbols",
            Reason::FieldInvalid,
            format!("expected at most {MAX} symbols"),
        );
        violations.done()?;
        return Ok(Vec::new());
    }
    if names.is_empty() {
        let all = instruments
            .all()
            .into_iter()
            .map(|spec| spec.symbol.clone());
        return Ok(all.filter(|symbol| caller.may_use(symbol)).collect());
    }
    known(instruments)?;
    let read = names.iter().enumerate().filter_map(|(at, name)| {
        let spec = violations.take(&format!("symbols[{at}]"), symbol(instruments, caller, name));
        spec.map(|spec| spec.symbol.clone())
    });
    let read = read.collect();
    violations.done()?;
    Ok(read)
}

fn tag(violations: &mut Violations, tag: &str) {
    if tag.chars().count() > MAX_TAG || tag.chars().any(letters::steers) {
        violations.add(
            "tag",
            Reason::FieldInvalid,
            format!("expected at most {MAX_TAG} printable characters"),
        );
    }
}

fn comment(violations: &mut Violations, text: &str) -> Comment {
    let fitting = Comment::fitting(text);
    if fitting.as_str() != text {
        let max = Comment::MAX;
        violations.add(
            "comment",
            Reason::FieldInvalid,
            format!("expected at most {max} characters of [A-Za-z0-9_-]"),
        );
    }
    fitting
}

/// A new order. The symbol comes first: without it no number can be judged.
pub(super) fn order(
    instruments: &Instruments,
    caller: &Caller,
    clock: BrokerClock<'_>,
    request: &v1::SubmitOrderRequest,
) -> Result<NewOrder, Refusal> {
    known(instruments)?;
    let mut violations = Violations::default();
    let spec = violations.take("symbol", symbol(instruments, caller, &request.symbol));
    let side: Option<Side> = violations.take(
        "side",
        parse_enum::<v1::Side, _>(request.side, "SIDE_BUY or SIDE_SELL"),
    );
    let kind: Option<OrderType> = violations.take(
        "type",
        parse_enum::<v1::OrderType, _>(
            request.r#type,
            "ORDER_TYPE_MARKET, _LIMIT, _STOP or _STOP_LIMIT",
        ),
    );
    let given = (request.time_in_force, request.expiration);
    let time_in_force = lifetime(&mut violations, clock, given, kind);
    tag(&mut violations, &request.tag);
    let comment = comment(&mut violations, &request.comment);
    let numbers = spec
        .as_ref()
        .zip(kind)
        .map(|(spec, kind)| numbers(&mut violations, spec, kind, request));
    violations.done()?;
    let complete = spec
        .zip(side)
        .zip(kind)
        .zip(time_in_force)
        .zip(numbers.flatten());
    let ((((spec, side), kind), time_in_force), numbers) =
        complete.ok_or_else(|| Refusal::new(Reason::FieldInvalid))?;
    Ok(NewOrder {
        spec,
        side,
        kind,
        lots: numbers.lots,
        price: numbers.price,
        stop_limit_price: numbers.stop_limit_price,
        levels: numbers.levels,
        time_in_force,
        max_deviation_points: request.max_deviation_points,
        tag: request.tag.clone(),
        comment,
    })
}

/// The numbers of an order, on the grids of its symbol.
struct Numbers {
    lots: Lots,
    price: Option<Price>,
    stop_limit_price: Option<Price>,
    levels: Levels,
}

fn numbers(
    violations: &mut Violations,
    spec: &SymbolSpec,
    kind: OrderType,
    request: &v1::SubmitOrderRequest,
) -> Option<Numbers> {
    let lots = violations.take("lots", spec.lots_of_request(request.lots));
    let mut optional = |field: &str, value: Option<f64>| {
        value.and_then(|value| violations.take(field, spec.price_of_request(value)))
    };
    let price = optional("price", request.price);
    let stop_limit_price = optional("stop_limit_price", request.stop_limit_price);
    let levels = Levels {
        stop_loss: optional("stop_loss", request.stop_loss),
        take_profit: optional("take_profit", request.take_profit),
    };
    let mut wanted = |field: &str, is_set: bool, wanted: bool| {
        if is_set != wanted {
            let text = if wanted {
                "expected a price for this type of order"
            } else {
                "expected none for this type of order"
            };
            violations.add(field, Reason::FieldInvalid, text);
        }
    };
    wanted("price", request.price.is_some(), kind != OrderType::Market);
    wanted(
        "stop_limit_price",
        request.stop_limit_price.is_some(),
        kind == OrderType::StopLimit,
    );
    Some(Numbers {
        lots: lots?,
        price,
        stop_limit_price,
        levels,
    })
}

/// How long an order lives; unset is until cancelled.
pub(super) fn lifetime(
    violations: &mut Violations,
    clock: BrokerClock<'_>,
    (time_in_force, expiration): (Option<i32>, Option<v1::Moment>),
    kind: Option<OrderType>,
) -> Option<TimeInForce> {
    let raw = time_in_force.unwrap_or(v1::TimeInForce::Gtc.into());
    let wire = match v1::TimeInForce::try_from(raw) {
        Ok(wire) if wire != v1::TimeInForce::Unspecified => wire,
        _ => {
            violations.add(
                "time_in_force",
                Reason::EnumUnspecified,
                "expected TIME_IN_FORCE_GTC, _DAY, _GTD or _GTD_DAY",
            );
            return None;
        }
    };
    let expiration = expiration
        .map(Moment::from)
        .filter(|moment| moment.utc.is_some() || moment.broker.is_some());
    let dated = matches!(wire, v1::TimeInForce::Gtd | v1::TimeInForce::GtdDay);
    if dated != expiration.is_some() {
        violations.add(
            "expiration",
            Reason::ExpirationInvalid,
            "expected with TIME_IN_FORCE_GTD and _GTD_DAY, and only with them",
        );
    }
    if kind == Some(OrderType::Market) && wire != v1::TimeInForce::Gtc {
        violations.add(
            "time_in_force",
            Reason::FieldInvalid,
            "expected TIME_IN_FORCE_GTC, or unset, for a market order",
        );
    }
    let whole_day = wire == v1::TimeInForce::GtdDay;
    let expiration = expiration
        .filter(|_| dated)
        .map(|given| until(given, clock, whole_day));
    let expiration = expiration.and_then(|until| violations.take("expiration", until));
    match (wire, expiration) {
        (v1::TimeInForce::Gtd, Some(moment)) => Some(TimeInForce::Gtd(moment)),
        (v1::TimeInForce::GtdDay, Some(moment)) => Some(TimeInForce::GtdDay(moment)),
        (v1::TimeInForce::Gtd | v1::TimeInForce::GtdDay, None) => None,
        (v1::TimeInForce::Day, _) => Some(TimeInForce::Day),
        _ => Some(TimeInForce::Gtc),
    }
}

/// The end of a lifetime in both clocks, whichever of them it was given by.
fn until(given: Moment, clock: BrokerClock<'_>, whole_day: bool) -> Result<Moment, FieldError> {
    let invalid = |text: &str| (Reason::ExpirationInvalid, text.to_owned());
    let zone = clock.zone.ok_or_else(|| {
        let text = "expected none: broker.time_zone is not set in the gateway's configuration";
        (Reason::ZoneMissing, text.to_owned())
    })?;
    let out = || invalid("expected a time that a calendar has");
    let by_utc = given.utc.map(|time| zone.to_broker(time).ok_or_else(out));
    let by_utc = by_utc.transpose()?;
    let broker = given.broker.or(by_utc).ok_or_else(out)?;
    if by_utc.is_some_and(|by_utc| by_utc != broker) {
        return Err(invalid(
            "expected utc_ms or broker_ms, or both of the same moment",
        ));
    }
    let end = if whole_day { broker.day_end() } else { broker };
    if clock.now.is_some_and(|now| end <= now) {
        return Err(invalid("expected a time in the future"));
    }
    Ok(Moment {
        utc: Some(zone.to_utc(broker).ok_or_else(out)?),
        broker: Some(broker),
    })
}

/// A close of a position. Its lots are judged where the position's symbol is known.
pub(super) fn exit(request: &v1::ClosePositionRequest) -> Result<Exit, Refusal> {
    let mut violations = Violations::default();
    if request.position_id == 0 {
        violations.add("position_id", Reason::FieldInvalid, "expected an id");
    }
    if request
        .lots
        .is_some_and(|lots| !lots.is_finite() || lots <= 0.0)
    {
        violations.add(
            "lots",
            Reason::NumberInvalid,
            "expected a finite number above 0, or unset to close all",
        );
    }
    tag(&mut violations, &request.tag);
    let comment = comment(&mut violations, &request.comment);
    violations.done()?;
    Ok(Exit {
        position: PositionId(request.position_id),
        lots: request.lots,
        max_deviation_points: request.max_deviation_points,
        tag: request.tag.clone(),
        comment,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::UtcTime;

    const HOUR: i64 = 3_600_000;
    /// A noon in July.
    const NOW: i64 = 1_784_030_400_000;

    fn read(
        zone: Option<&BrokerZone>,
        wire: v1::TimeInForce,
        utc_ms: Option<i64>,
        broker_ms: Option<i64>,
    ) -> Result<Option<TimeInForce>, Refusal> {
        let mut violations = Violations::default();
        let now = zone.and_then(|zone| zone.to_broker(UtcTime(NOW)));
        let expiration = v1::Moment { utc_ms, broker_ms };
        let given = (Some(wire.into()), Some(expiration));
        let read = lifetime(&mut violations, BrokerClock { zone, now }, given, None);
        violations.done().map(|()| read)
    }

    #[test]
    fn an_expiration_is_the_same_by_either_clock() {
        let zone = BrokerZone::parse("Europe/Athens").unwrap();
        let moment = Moment {
            utc: Some(UtcTime(NOW + HOUR)),
            broker: Some(BrokerTime(NOW + 4 * HOUR)),
        };
        let (utc, broker) = (Some(NOW + HOUR), Some(NOW + 4 * HOUR));
        for (utc, broker) in [(utc, None), (None, broker), (utc, broker)] {
            let gtd = read(Some(&zone), v1::TimeInForce::Gtd, utc, broker).unwrap();
            assert_eq!(gtd, Some(TimeInForce::Gtd(moment)));
            let day = read(Some(&zone), v1::TimeInForce::GtdDay, utc, broker).unwrap();
            assert_eq!(day, Some(TimeInForce::GtdDay(moment)));
        }
    }

    #[test]
    fn an_expiration_that_is_past_or_contradicts_itself_is_refused() {
        let zone = BrokerZone::parse("Europe/Athens").unwrap();
        let refused = |wire, utc, broker| {
            let refusal = read(Some(&zone), wire, utc, broker).unwrap_err();
            assert_eq!(refusal.reason(), Reason::ExpirationInvalid);
        };
        refused(v1::TimeInForce::Gtd, Some(NOW - 1), None);
        refused(v1::TimeInForce::Gtd, None, Some(NOW + 3 * HOUR));
        refused(v1::TimeInForce::Gtd, Some(NOW + HOUR), Some(NOW + HOUR));
        refused(v1::TimeInForce::Gtd, Some(i64::MAX), None);
        refused(v1::TimeInForce::GtdDay, Some(NOW - 24 * HOUR), None);
        // The day is not over yet.
        assert!(read(Some(&zone), v1::TimeInForce::GtdDay, Some(NOW - HOUR), None).is_ok());
    }

    #[test]
    fn without_a_zone_nothing_ends_at_a_time() {
        for (utc, broker) in [(Some(NOW + HOUR), None), (None, Some(NOW + 9 * HOUR))] {
            let refusal = read(None, v1::TimeInForce::Gtd, utc, broker).unwrap_err();
            assert_eq!(refusal.reason(), Reason::ZoneMissing);
        }
    }
}
