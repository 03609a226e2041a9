//! A row of an export: the same columns for orders, deals and events. It is made of what the API
//! shows, which knows neither magic nor comment, and its texts pass the redactor.

use crate::{
    api::render::{self, Render},
    cli::operator::{leftovers, name, plain},
};
use mymt5_chassis::{clock::rfc3339, redact::Redactor};
use mymt5_model::{BrokerTime, BrokerZone};
use mymt5_orders::{Order, OwnedDeal, Recorded};
use mymt5_proto::v1::{
    self, Moment, Side, StreamEventsResponse, stream_events_response::Event as Wire,
};
use serde::Serialize;

/// What stands in place of a comment.
const REDACTED: &str = "***";

/// The columns, as `gateway/README.md` explains them.
pub(super) const COLUMNS: [&str; 29] = [
    "record",
    "time",
    "broker_time",
    "account",
    "id",
    "event",
    "client",
    "symbol",
    "side",
    "type",
    "state",
    "entry",
    "lots",
    "filled_lots",
    "price",
    "average_price",
    "stop_loss",
    "take_profit",
    "profit",
    "swap",
    "commission",
    "order_id",
    "position_id",
    "retcode",
    "request_id",
    "tag",
    "comment",
    "reason",
    "correlation_id",
];

/// A row; what there is not is empty.
#[derive(Debug, Default, Serialize)]
pub(super) struct Row {
    record: &'static str,
    time: String,
    broker_time: String,
    account: String,
    id: u64,
    event: &'static str,
    client: String,
    symbol: String,
    side: String,
    r#type: String,
    state: String,
    entry: String,
    lots: Option<f64>,
    filled_lots: Option<f64>,
    price: Option<f64>,
    average_price: Option<f64>,
    stop_loss: Option<f64>,
    take_profit: Option<f64>,
    profit: Option<f64>,
    swap: Option<f64>,
    commission: Option<f64>,
    order_id: Option<u64>,
    position_id: Option<u64>,
    retcode: Option<u32>,
    request_id: String,
    tag: String,
    comment: &'static str,
    reason: String,
    correlation_id: String,
}

impl Row {
    /// For a spreadsheet: no text of it is one that a spreadsheet would compute.
    pub(super) fn without_formulas(mut self) -> Self {
        let texts = [
            &mut self.client,
            &mut self.symbol,
            &mut self.request_id,
            &mut self.tag,
            &mut self.reason,
        ];
        for text in texts {
            if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
                text.insert(0, '\'');
            }
        }
        self
    }

    #[cfg(test)]
    pub(super) fn of_reason(reason: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            ..Self::default()
        }
    }
}

/// Makes rows.
pub(super) struct Teller<'a> {
    account: String,
    render: Render<'a>,
    redactor: &'a Redactor,
}

impl<'a> Teller<'a> {
    /// Of an account, whose number is masked already.
    pub(super) fn new(account: String, zone: &'a BrokerZone, redactor: &'a Redactor) -> Self {
        Self {
            account,
            render: Render(Some(zone)),
            redactor,
        }
    }

    pub(super) fn order(&self, order: &Order) -> Row {
        let order = render::order(order);
        let row = Row {
            record: "order",
            id: order.order_id,
            ..self.of_order(&order)
        };
        self.at(order.created, row)
    }

    pub(super) fn deal(&self, owned: &OwnedDeal) -> Row {
        let deal = self.render.owned_deal(owned);
        let has_comment = !owned.deal.comment.is_empty();
        let row = Row {
            record: "deal",
            id: deal.deal_id,
            comment: if has_comment { REDACTED } else { "" },
            ..self.of_deal(&deal)
        };
        self.at(deal.time, row)
    }

    pub(super) fn event(&self, recorded: &Recorded) -> Row {
        let told = self.render.event(recorded);
        let StreamEventsResponse {
            sequence,
            time,
            correlation_id,
            event,
        } = told;
        let (event, row) = event.map(|event| self.of_event(&event)).unwrap_or_default();
        let row = Row {
            record: "event",
            id: sequence,
            event,
            correlation_id,
            ..row
        };
        self.at(time, row)
    }

    fn at(&self, time: Option<Moment>, row: Row) -> Row {
        let time = time.unwrap_or_default();
        let broker = time.broker_ms.map(|ms| BrokerTime(ms).to_string());
        Row {
            time: time.utc_ms.map(rfc3339).unwrap_or_default(),
            broker_time: broker.unwrap_or_default(),
            account: self.account.clone(),
            ..row
        }
    }

    fn of_order(&self, order: &v1::Order) -> Row {
        Row {
            client: self.shown(&order.client),
            symbol: self.shown(&order.symbol),
            side: side(order.side()),
            r#type: name(order.r#type().as_str_name(), "ORDER_TYPE_"),
            state: name(order.state().as_str_name(), "ORDER_STATE_"),
            lots: Some(order.lots),
            filled_lots: Some(order.filled_lots),
            price: order.price,
            average_price: order.average_price,
            stop_loss: order.stop_loss,
            take_profit: order.take_profit,
            order_id: id(order.order_id),
            position_id: id(order.position_id),
            retcode: order.retcode,
            request_id: self.shown(&order.client_order_id),
            tag: self.shown(&order.tag),
            reason: self.shown(&order.reason),
            ..Row::default()
        }
    }

    fn of_deal(&self, deal: &v1::Deal) -> Row {
        let is_trade = deal.side() != Side::Unspecified;
        Row {
            client: self.shown(&deal.client),
            symbol: self.shown(&deal.symbol),
            side: side(deal.side()),
            entry: if is_trade {
                name(deal.entry().as_str_name(), "DEAL_ENTRY_")
            } else {
                String::new()
            },
            lots: is_trade.then_some(deal.lots),
            price: is_trade.then_some(deal.price),
            profit: Some(deal.profit),
            swap: Some(deal.swap),
            commission: Some(deal.commission),
            order_id: id(deal.order_id),
            position_id: id(deal.position_id),
            tag: self.shown(&deal.tag),
            reason: name(deal.reason().as_str_name(), "DEAL_REASON_"),
            ..Row::default()
        }
    }

    fn of_position(&self, position: &v1::Position) -> Row {
        Row {
            client: self.shown(&position.client),
            symbol: self.shown(&position.symbol),
            side: side(position.side()),
            lots: Some(position.lots),
            price: Some(position.open_price),
            stop_loss: position.stop_loss,
            take_profit: position.take_profit,
            profit: Some(position.profit),
            swap: Some(position.swap),
            position_id: id(position.position_id),
            tag: self.shown(&position.tag),
            ..Row::default()
        }
    }

    /// An event's name, as `events` has it, and what it tells.
    fn of_event(&self, event: &Wire) -> (&'static str, Row) {
        let of_order = |order: &Option<v1::Order>| order.as_ref().map(|it| self.of_order(it));
        let of_deal = |deal: &Option<v1::Deal>| deal.as_ref().map(|it| self.of_deal(it));
        let of_position =
            |held: &Option<v1::Position>| held.as_ref().map(|it| self.of_position(it));
        let of_scope = |client: &str, state: String, reason: &str| Row {
            client: self.shown(client),
            state,
            reason: self.shown(reason),
            ..Row::default()
        };
        let (event, row) = match event {
            Wire::OrderChanged(it) => ("order_changed", of_order(&it.order)),
            Wire::DealAdded(it) => ("deal_added", of_deal(&it.deal)),
            Wire::PositionChanged(it) => ("position_changed", of_position(&it.position)),
            Wire::PositionClosed(it) => ("position_closed", of_position(&it.position)),
            Wire::BalanceChanged(it) => ("balance_changed", of_deal(&it.deal)),
            Wire::SymbolChanged(it) => ("symbol_changed", Some(self.of_symbol(&it.symbol, ""))),
            Wire::TradingStateChanged(it) => {
                let state = name(it.state().as_str_name(), "TRADING_STATE_");
                let row = of_scope(&it.client, state, &it.reason);
                ("trading_state", Some(row))
            }
            Wire::FlattenChanged(it) => {
                let row = of_scope(&it.client, String::new(), &leftovers(&it.left));
                ("flatten", Some(row))
            }
            Wire::LimitLatched(it) => {
                let row = of_scope(&it.client, String::new(), &it.reason);
                ("limit_latched", Some(row))
            }
            Wire::MarginCall(it) => {
                let reason = format!("the margin level is {:.2} percent", it.margin_level);
                ("margin_call", Some(of_scope("", String::new(), &reason)))
            }
            Wire::ForeignActivity(it) => {
                let row = self.of_symbol(&it.symbol, &it.description);
                ("foreign_activity", Some(row))
            }
            Wire::LinkChanged(it) => {
                let state = name(it.state().as_str_name(), "LINK_STATE_");
                ("link_changed", Some(of_scope("", state, &it.reason)))
            }
            Wire::AccountUpdate(_) | Wire::Progress(_) => ("", None),
        };
        (event, row.unwrap_or_default())
    }

    fn of_symbol(&self, symbol: &str, reason: &str) -> Row {
        Row {
            symbol: self.shown(symbol),
            reason: self.shown(reason),
            ..Row::default()
        }
    }

    /// A text as it may be shown to anybody: masked, and without letters that steer a terminal.
    fn shown(&self, text: &str) -> String {
        plain(&self.redactor.clean(text))
    }
}

fn side(side: Side) -> String {
    match side {
        Side::Unspecified => String::new(),
        side => name(side.as_str_name(), "SIDE_"),
    }
}

/// An id, where 0 means none.
fn id(id: u64) -> Option<u64> {
    (id != 0).then_some(id)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_guard::TradingState;
    use mymt5_model::UtcTime;
    use mymt5_orders::{Audience, Event};

    #[test]
    fn the_columns_are_those_of_a_row_in_their_order_and_explained() {
        let json = serde_json::to_string(&Row::default()).unwrap();
        let at = COLUMNS.map(|name| json.find(&format!("\"{name}\":")));
        assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{at:?}");
        let fields = serde_json::to_value(Row::default()).unwrap();
        assert_eq!(fields.as_object().unwrap().len(), COLUMNS.len());
        let readme = include_str!("../../../README.md");
        for name in COLUMNS {
            assert!(readme.contains(&format!("`{name}`")), "{name}");
        }
    }

    #[test]
    fn a_text_passes_the_redactor_and_steers_nothing() {
        let redactor = Redactor::new();
        redactor.set_values(&[], &["10000001"]);
        let zone = BrokerZone::parse("UTC").unwrap();
        let teller = Teller::new("****0001".into(), &zone, &redactor);
        let reason = "of 10000001\u{1b}[2J".to_owned();
        let row = teller.event(&Recorded {
            sequence: 7,
            at: UtcTime(1_782_864_000_000),
            trace_id: String::new(),
            audience: Audience::All,
            event: Event::TradingState(None, TradingState::Halted, reason),
        });
        assert_eq!(row.reason, "of ****0001?[2J");
        assert_eq!((row.event, row.state.as_str()), ("trading_state", "halted"));
        assert_eq!((row.id, row.account.as_str()), (7, "****0001"));
        assert_eq!(row.time, "2026-07-01T00:00:00.000Z");
    }
}
