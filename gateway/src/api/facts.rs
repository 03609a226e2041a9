//! What the audit trail tells of a mutating call beside who calls; and which calls pass without it.

use mymt5_proto::v1;
use serde_json::{Value, json};
use v1::{accept_request::What, adopt_request::Target};

/// A call's facts. What is unset is null, and left out.
pub(super) trait Facts {
    /// As members of a JSON object.
    fn facts(&self) -> Value;
    /// It ends risk, and is done also where it cannot be put on record.
    fn passes(&self) -> bool {
        false
    }
}

fn utc(moment: Option<v1::Moment>) -> Option<i64> {
    moment.and_then(|moment| moment.utc_ms)
}

/// Nothing, where a text is empty.
fn named(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl Facts for v1::SubmitOrderRequest {
    fn facts(&self) -> Value {
        json!({
            "symbol": self.symbol,
            "side": self.side().as_str_name(),
            "type": self.r#type().as_str_name(),
            "lots": self.lots,
            "price": self.price,
            "stop_limit_price": self.stop_limit_price,
            "stop_loss": self.stop_loss,
            "take_profit": self.take_profit,
            "time_in_force": self.time_in_force.map(|_| self.time_in_force().as_str_name()),
            "expiration_utc_ms": utc(self.expiration),
            "tag": named(&self.tag),
        })
    }
}

impl Facts for v1::ModifyOrderRequest {
    fn facts(&self) -> Value {
        json!({
            "order_id": self.order_id,
            "price": self.price,
            "stop_limit_price": self.stop_limit_price,
            "stop_loss": self.stop_loss,
            "take_profit": self.take_profit,
            "time_in_force": self.time_in_force.map(|_| self.time_in_force().as_str_name()),
            "expiration_utc_ms": utc(self.expiration),
        })
    }
}

impl Facts for v1::CancelOrderRequest {
    fn facts(&self) -> Value {
        json!({ "order_id": self.order_id })
    }
    fn passes(&self) -> bool {
        true
    }
}

impl Facts for v1::ModifyPositionRequest {
    fn facts(&self) -> Value {
        json!({
            "position_id": self.position_id,
            "stop_loss": self.stop_loss,
            "take_profit": self.take_profit,
        })
    }
}

impl Facts for v1::ClosePositionRequest {
    fn facts(&self) -> Value {
        json!({
            "position_id": self.position_id,
            "lots": self.lots,
            "tag": named(&self.tag),
        })
    }
    fn passes(&self) -> bool {
        true
    }
}

impl Facts for v1::SetTradingStateRequest {
    fn facts(&self) -> Value {
        json!({
            "of": named(&self.client),
            "state": self.state().as_str_name(),
            "reason": self.reason,
        })
    }
    fn passes(&self) -> bool {
        self.state() == v1::TradingState::Halted
    }
}

impl Facts for v1::FlattenRequest {
    fn facts(&self) -> Value {
        json!({
            "of": named(&self.client),
            "include_foreign": self.include_foreign,
            "reason": self.reason,
        })
    }
    fn passes(&self) -> bool {
        true
    }
}

impl Facts for v1::ResolveOrderRequest {
    fn facts(&self) -> Value {
        json!({
            "order_id": self.order_id,
            "resolution": self.resolution().as_str_name(),
            "reason": self.reason,
        })
    }
}

impl Facts for v1::AdoptRequest {
    fn facts(&self) -> Value {
        let target = match self.target {
            Some(Target::PositionId(id)) => format!("position {id}"),
            Some(Target::OrderId(ticket)) => format!("order {ticket}"),
            Some(Target::DealId(ticket)) => format!("deal {ticket}"),
            Some(Target::Deals(_)) => "deals".to_owned(),
            None => "nothing".to_owned(),
        };
        json!({ "of": self.client, "target": target, "reason": self.reason })
    }
}

impl Facts for v1::AcceptRequest {
    fn facts(&self) -> Value {
        let what = match &self.what {
            Some(What::Symbol(symbol)) => symbol.as_str(),
            Some(What::MissingDeals(_)) => "missing deals",
            Some(What::UnreadableRows(_)) => "unreadable rows",
            None => "nothing",
        };
        json!({ "what": what, "reason": self.reason })
    }
}

impl Facts for v1::RaiseAlertRequest {
    fn facts(&self) -> Value {
        json!({ "severity": self.severity().as_str_name(), "title": self.title })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_risk_passes_and_nothing_else() {
        let state = |state: v1::TradingState| v1::SetTradingStateRequest {
            state: state.into(),
            ..Default::default()
        };
        let passes: [&dyn Facts; 4] = [
            &state(v1::TradingState::Halted),
            &v1::FlattenRequest::default(),
            &v1::CancelOrderRequest::default(),
            &v1::ClosePositionRequest::default(),
        ];
        let must_be_written: [&dyn Facts; 9] = [
            &state(v1::TradingState::Active),
            &state(v1::TradingState::Reducing),
            &v1::SubmitOrderRequest::default(),
            &v1::ModifyOrderRequest::default(),
            &v1::ModifyPositionRequest::default(),
            &v1::ResolveOrderRequest::default(),
            &v1::AdoptRequest::default(),
            &v1::AcceptRequest::default(),
            &v1::RaiseAlertRequest::default(),
        ];
        assert!(passes.iter().all(|call| call.passes()));
        assert!(!must_be_written.iter().any(|call| call.passes()));
        for call in passes.iter().chain(&must_be_written) {
            assert!(call.facts().is_object());
        }
    }
}
