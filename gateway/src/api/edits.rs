//! Changes of orders and positions: an absent level is kept, 0 removes it. Numbers are judged where
//! the symbol is known.

use super::parse::{self, BrokerClock};
use mymt5_model::{Edit, TimeInForce};
use mymt5_orders::{OrderEdit, PositionEdit};
use mymt5_proto::{Reason, Refusal, Violations, v1};

fn edit(violations: &mut Violations, field: &str, value: Option<f64>) -> Edit<f64> {
    match value {
        None => Edit::Keep,
        Some(0.0) => Edit::Remove,
        Some(value) if value.is_finite() && value > 0.0 => Edit::Set(value),
        Some(_) => {
            let text = "expected a finite number above 0, or 0 to remove it";
            violations.add(field, Reason::NumberInvalid, text);
            Edit::Keep
        }
    }
}

fn target(violations: &mut Violations, field: &str, id: u64) {
    if id == 0 {
        violations.add(field, Reason::FieldInvalid, "expected an id");
    }
}

/// A change of a working order.
pub(super) fn order(
    clock: BrokerClock<'_>,
    request: &v1::ModifyOrderRequest,
) -> Result<OrderEdit, Refusal> {
    let mut violations = Violations::default();
    target(&mut violations, "order_id", request.order_id);
    let named = request.time_in_force.is_some() || request.expiration.is_some();
    let given = (request.time_in_force, request.expiration);
    let time_in_force: Option<TimeInForce> = named
        .then(|| parse::lifetime(&mut violations, clock, given, None))
        .flatten();
    let edit = OrderEdit {
        price: request.price,
        stop_limit_price: request.stop_limit_price,
        stop_loss: edit(&mut violations, "stop_loss", request.stop_loss),
        take_profit: edit(&mut violations, "take_profit", request.take_profit),
        time_in_force,
    };
    violations.done()?;
    Ok(edit)
}

/// A change of a position's levels.
pub(super) fn position(request: &v1::ModifyPositionRequest) -> Result<PositionEdit, Refusal> {
    let mut violations = Violations::default();
    target(&mut violations, "position_id", request.position_id);
    let edit = PositionEdit {
        stop_loss: edit(&mut violations, "stop_loss", request.stop_loss),
        take_profit: edit(&mut violations, "take_profit", request.take_profit),
    };
    violations.done()?;
    Ok(edit)
}
