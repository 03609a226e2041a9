//! Requests of the wire become checked intents: every fault is told with its field.

use crate::{access::Caller, market::Instruments};
use mymt5_model::{
    Comment, Levels, Lots, Moment, OrderType, PositionId, Price, Side, Symbol, SymbolSpec,
    TimeInForce,
};
use mymt5_orders::{Entry, Exit};
use mymt5_proto::{Reason, Refusal, Violations, parse_enum, v1};
use std::sync::Arc;

type Fault = (Reason, String);

/// Longest tag, characters.
const MAX_TAG: usize = 32;

/// The specification of a symbol that the caller may use.
pub(super) fn symbol(
    instruments: &Instruments,
    caller: &Caller,
    name: &str,
) -> Result<Arc<SymbolSpec>, Fault> {
    let allowed = |spec: &Arc<SymbolSpec>| caller.may_use(&spec.symbol);
    let unknown = || {
        (
            Reason::SymbolUnknown,
            "not a symbol that this client may use; see ListSymbols".to_owned(),
        )
    };
    instruments.get(name).filter(allowed).ok_or_else(unknown)
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
            format!("at most {MAX} symbols"),
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
    let read = names.iter().enumerate().filter_map(|(at, name)| {
        let spec = violations.take(&format!("symbols[{at}]"), symbol(instruments, caller, name));
        spec.map(|spec| spec.symbol.clone())
    });
    let read = read.collect();
    violations.done()?;
    Ok(read)
}

fn tag(violations: &mut Violations, tag: &str) {
    if tag.chars().count() > MAX_TAG || tag.chars().any(char::is_control) {
        violations.add(
            "tag",
            Reason::FieldInvalid,
            format!("at most {MAX_TAG} printable characters"),
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
            format!("at most {max} characters of [A-Za-z0-9_-]"),
        );
    }
    fitting
}

/// A new order. The symbol comes first: without it no number can be judged.
pub(super) fn entry(
    instruments: &Instruments,
    caller: &Caller,
    request: &v1::SubmitOrderRequest,
) -> Result<Entry, Refusal> {
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
    let time_in_force = lifetime(
        &mut violations,
        request.time_in_force,
        request.expiration,
        kind,
    );
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
    let (lots, price, stop_limit_price, levels) = numbers;
    let (tag, max_deviation_points) = (request.tag.clone(), request.max_deviation_points);
    Ok(Entry {
        spec,
        side,
        kind,
        lots,
        price,
        stop_limit_price,
        levels,
        time_in_force,
        max_deviation_points,
        tag,
        comment,
    })
}

type Numbers = (Lots, Option<Price>, Option<Price>, Levels);

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
    let order_price = optional("price", request.price);
    let stop_limit_price = optional("stop_limit_price", request.stop_limit_price);
    let levels = Levels {
        stop_loss: optional("stop_loss", request.stop_loss),
        take_profit: optional("take_profit", request.take_profit),
    };
    let mut wanted = |field: &str, is_set: bool, wanted: bool| {
        if is_set != wanted {
            let text = if wanted {
                "is needed by this type of order"
            } else {
                "does not go with this type of order"
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
    Some((lots?, order_price, stop_limit_price, levels))
}

/// How long an order lives; unset is until cancelled.
pub(super) fn lifetime(
    violations: &mut Violations,
    time_in_force: Option<i32>,
    expiration: Option<v1::Moment>,
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
            "goes with GTD and GTD_DAY, and they need it",
        );
    }
    if kind == Some(OrderType::Market) && wire != v1::TimeInForce::Gtc {
        violations.add(
            "time_in_force",
            Reason::FieldInvalid,
            "market orders have no lifetime",
        );
    }
    match (wire, expiration) {
        (v1::TimeInForce::Gtd, Some(moment)) => Some(TimeInForce::Gtd(moment)),
        (v1::TimeInForce::GtdDay, Some(moment)) => Some(TimeInForce::GtdDay(moment)),
        (v1::TimeInForce::Day, _) => Some(TimeInForce::Day),
        _ => Some(TimeInForce::Gtc),
    }
}

/// A close of a position. Its lots are judged where the position's symbol is known.
pub(super) fn exit(request: &v1::ClosePositionRequest) -> Result<Exit, Refusal> {
    let mut violations = Violations::default();
    if request.position_id == 0 {
        violations.add("position_id", Reason::FieldInvalid, "must be set");
    }
    if request
        .lots
        .is_some_and(|lots| !lots.is_finite() || lots <= 0.0)
    {
        violations.add(
            "lots",
            Reason::NumberInvalid,
            "must be a finite number above 0; unset closes all",
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
