//! Answers as lines that all brokers must give alike: tickets are named in the order in which
//! they appear, times are counted from the beginning of the play.

use super::stage::begin;
use mymt5_gateway::broker::{SendFailure, Snapshot};
use mymt5_model::{
    AccountRow, Bar, BrokerTime, DealKind, DealRow, Magic, OrderRow, PositionId, PositionRow,
    Receipt, Retcode, SymbolSpec, Tick, Ticket, TimeInForce,
};
use std::{collections::HashMap, fmt::Display};

/// The names of a play's tickets.
#[derive(Default)]
pub struct Names {
    known: HashMap<(char, u64), usize>,
    last: HashMap<char, usize>,
}

impl Names {
    fn name(&mut self, kind: char, number: u64) -> String {
        let last = self.last.entry(kind).or_default();
        let named = self.known.entry((kind, number)).or_insert_with(|| {
            *last += 1;
            *last
        });
        format!("{kind}{named}")
    }

    /// A position's identifier is its first order's ticket: it shares that name.
    fn order(&mut self, ticket: Option<Ticket>) -> String {
        ticket.map_or_else(none, |ticket| self.name('o', ticket.0))
    }

    fn position(&mut self, id: Option<PositionId>) -> String {
        id.map_or_else(none, |id| self.name('o', id.0))
    }

    fn deal(&mut self, ticket: Option<Ticket>) -> String {
        ticket.map_or_else(none, |ticket| self.name('d', ticket.0))
    }

    pub fn outcome(&mut self, outcome: &Result<Receipt, SendFailure>) -> String {
        match outcome {
            Ok(receipt) => format!(
                "{} {} {} {} {}",
                receipt.retcode,
                self.order(receipt.order),
                self.deal(receipt.deal),
                shown(receipt.lots),
                shown(receipt.price)
            ),
            Err(SendFailure::NotSent(_)) => "not sent".into(),
            Err(SendFailure::Rejected(Retcode::ORDER_CHANGED | Retcode::INVALID_ORDER)) => {
                "rejected: no such order".into()
            }
            Err(failure) => failure.to_string(),
        }
    }

    pub fn snapshot(&mut self, snapshot: &Snapshot) -> Vec<String> {
        let mut lines = vec![account(&snapshot.account)];
        lines.extend(snapshot.positions.iter().map(|row| self.position_row(row)));
        lines.extend(snapshot.orders.iter().map(|row| self.order_row(row)));
        assert!(snapshot.unreadable.is_empty(), "{snapshot:?}");
        lines
    }

    fn position_row(&mut self, row: &PositionRow) -> String {
        format!(
            "  position {} of {} m{} {} {:?} {} at {} sl {} tp {} profit {} swap {} opened {} updated {} {:?}",
            self.order(Some(row.ticket)),
            self.position(Some(row.id)),
            magic(row.magic),
            row.symbol,
            row.side,
            row.lots,
            row.open_price,
            shown(row.levels.stop_loss),
            shown(row.levels.take_profit),
            row.profit,
            row.swap,
            at(Some(row.opened)),
            at(Some(row.updated)),
            row.comment,
        )
    }

    pub fn order_row(&mut self, row: &OrderRow) -> String {
        format!(
            "  order {} of {} m{} {} {:?} {:?} {:?} {} left {} at {} limit {} sl {} tp {} {} created {} done {} {:?}",
            self.order(Some(row.ticket)),
            self.position(row.position_id),
            magic(row.magic),
            row.symbol,
            row.side,
            row.kind,
            row.state,
            row.lots,
            row.lots_left,
            shown(row.price),
            shown(row.stop_limit_price),
            shown(row.levels.stop_loss),
            shown(row.levels.take_profit),
            life(row.time_in_force),
            at(Some(row.created)),
            at(row.done),
            row.comment,
        )
    }

    pub fn deal_row(&mut self, row: &DealRow) -> String {
        format!(
            "  deal {} by {} of {} m{} {} {:?} {:?} {:?} {} at {} profit {} swap {} commission {} at {} {:?}",
            self.deal(Some(row.ticket)),
            self.order(row.order),
            self.position(row.position_id),
            magic(row.magic),
            shown(row.symbol.as_ref()),
            row.kind,
            row.entry,
            row.reason,
            row.lots,
            shown(row.price),
            row.profit,
            row.swap,
            row.commission,
            at(Some(row.time)),
            row.comment,
        )
    }
}

/// True for what is not a deposit or the like.
pub fn is_trade(row: &DealRow) -> bool {
    matches!(row.kind, DealKind::Trade(_))
}

pub fn account(row: &AccountRow) -> String {
    format!(
        "  account {} {} {:?} {} digits {} 1:{} balance {} credit {} profit {} equity {} margin {} free {} level {} {}",
        row.account,
        row.server,
        row.mode,
        row.currency,
        row.currency_digits,
        row.leverage,
        row.balance,
        row.credit,
        row.profit,
        row.equity,
        row.margin,
        row.free_margin,
        shown(row.margin_level.map(|level| format!("{level:.6}"))),
        if row.trade_allowed {
            "trades"
        } else {
            "trades not"
        },
    )
}

pub fn symbol(spec: &SymbolSpec) -> String {
    let value = spec.tick_value.map(|value| format!("{value:.8}"));
    let spec = SymbolSpec {
        tick_value: None,
        ..spec.clone()
    };
    format!("  {spec:?} tick value {}", shown(value))
}

/// A tick of the past.
pub fn tick(tick: &Tick) -> String {
    format!(
        "{} {} {} {} {} {}",
        at(Some(tick.time)),
        tick.bid,
        tick.ask,
        shown(tick.last),
        tick.volume,
        tick.flags
    )
}

/// A bar.
pub fn bar(bar: &Bar) -> String {
    format!(
        "{} {} {} {} {} {} {} {}",
        at(Some(bar.time)),
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.tick_volume,
        bar.real_volume,
        bar.spread_points
    )
}

fn none() -> String {
    "-".into()
}

fn shown(value: Option<impl Display>) -> String {
    value.map_or_else(none, |value| value.to_string())
}

fn at(time: Option<BrokerTime>) -> String {
    shown(time.map(|time| time.0 - begin()))
}

fn magic(magic: Magic) -> u64 {
    magic.counter()
}

fn life(life: TimeInForce) -> String {
    match life {
        TimeInForce::Gtc => "gtc".into(),
        TimeInForce::Day => "day".into(),
        TimeInForce::Gtd(end) => format!("gtd {}", at(end.broker)),
        TimeInForce::GtdDay(end) => format!("gtd day {}", at(end.broker)),
    }
}
