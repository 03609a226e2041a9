//! What the gateway holds, for the wire. No magic, no account number, no holder.

use crate::{journal::Disk, link::LinkStatus};
use mymt5_guard::TradingState;
use mymt5_model::{
    BrokerTime, BrokerZone, ClientName, DealKind, DealRow, LinkState, Moment, Money, OrderId,
    Price, TimeInForce, UtcTime,
};
use mymt5_orders::{
    ChangeOutcome, CheckReport, Event, Item, Leftover, Obstacle, Order, OwnedDeal, Position,
    Purpose, Recorded, ScopeLosses,
};
use mymt5_proto::v1;

/// Renders with the broker's zone at hand.
#[derive(Clone, Copy)]
pub(crate) struct Render<'a>(pub Option<&'a BrokerZone>);

impl Render<'_> {
    /// A raw broker time, and UTC where the zone is known.
    pub(super) fn at(self, time: BrokerTime) -> v1::Moment {
        Moment {
            utc: self.0.and_then(|zone| zone.to_utc(time)),
            broker: Some(time),
        }
        .into()
    }

    pub(super) fn position(self, position: &Position) -> v1::Position {
        let row = &position.row;
        v1::Position {
            position_id: row.id.0,
            client: scope(&position.client),
            symbol: row.symbol.to_string(),
            side: v1::Side::from(row.side).into(),
            lots: row.lots.to_f64(),
            open_price: row.open_price.to_f64(),
            stop_loss: row.levels.stop_loss.map(Price::to_f64),
            take_profit: row.levels.take_profit.map(Price::to_f64),
            profit: row.profit.to_f64(),
            swap: row.swap.to_f64(),
            opened: Some(self.at(row.opened)),
            updated: Some(self.at(row.updated)),
            tag: position.tag.clone(),
        }
    }

    /// A deal of the past.
    pub(crate) fn owned_deal(self, owned: &OwnedDeal) -> v1::Deal {
        self.deal(&owned.deal, owned.order, scope(&owned.client), &owned.tag)
    }

    fn deal(self, deal: &DealRow, order: Option<OrderId>, client: String, tag: &str) -> v1::Deal {
        let side = match deal.kind {
            DealKind::Trade(side) => v1::Side::from(side),
            DealKind::Balance | DealKind::Credit | DealKind::Correction | DealKind::Other => {
                v1::Side::Unspecified
            }
        };
        v1::Deal {
            deal_id: deal.ticket.0,
            order_id: order.map_or(0, |id| id.0),
            position_id: deal.position_id.map_or(0, |id| id.0),
            client,
            symbol: deal
                .symbol
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            side: side.into(),
            entry: deal
                .entry
                .map_or(v1::DealEntry::Unspecified, v1::DealEntry::from)
                .into(),
            reason: v1::DealReason::from(deal.reason).into(),
            lots: deal.lots.to_f64(),
            price: deal.price.map_or(0.0, Price::to_f64),
            profit: deal.profit.to_f64(),
            swap: deal.swap.to_f64(),
            commission: deal.commission.to_f64(),
            time: Some(self.at(deal.time)),
            tag: tag.to_owned(),
        }
    }

    /// An event, with its place in the sequence.
    pub(crate) fn event(self, recorded: &Recorded) -> v1::StreamEventsResponse {
        use v1::stream_events_response::Event as Wire;
        let owner = match &recorded.audience {
            mymt5_orders::Audience::Client(name) => name.to_string(),
            mymt5_orders::Audience::Control | mymt5_orders::Audience::All => String::new(),
        };
        let event = match &recorded.event {
            Event::Order(order) => Wire::OrderChanged(v1::OrderChanged {
                order: Some(self::order(order)),
            }),
            Event::Deal { deal, order, tag } => Wire::DealAdded(v1::DealAdded {
                deal: Some(self.deal(deal, *order, owner, tag)),
            }),
            Event::Position(position) => Wire::PositionChanged(v1::PositionChanged {
                position: Some(self.position(position)),
            }),
            Event::PositionClosed(position) => Wire::PositionClosed(v1::PositionClosed {
                position: Some(self.position(position)),
            }),
            Event::Balance(deal, balance) => Wire::BalanceChanged(v1::BalanceChanged {
                deal: Some(self.deal(deal, None, owner, "")),
                balance: balance.to_f64(),
            }),
            Event::TradingState(client, state, reason) => {
                Wire::TradingStateChanged(v1::TradingStateChanged {
                    client: scope(client),
                    state: trading_state(*state).into(),
                    reason: reason.clone(),
                })
            }
            Event::LimitLatched(client, reason) => Wire::LimitLatched(v1::LimitLatched {
                client: scope(client),
                reason: reason.clone(),
            }),
            Event::Flatten(client, left) => Wire::FlattenChanged(v1::FlattenChanged {
                client: scope(client),
                left: left.iter().map(leftover).collect(),
            }),
            Event::Symbol(symbol) => Wire::SymbolChanged(v1::SymbolChanged {
                symbol: symbol.to_string(),
            }),
            Event::MarginCall(level) => Wire::MarginCall(v1::MarginCall {
                margin_level: *level,
            }),
            Event::Foreign {
                symbol,
                description,
                frozen,
            } => Wire::ForeignActivity(v1::ForeignActivity {
                symbol: symbol
                    .as_ref()
                    .map_or_else(String::new, ToString::to_string),
                description: description.clone(),
                frozen: *frozen,
            }),
            Event::Link(state, reason) => Wire::LinkChanged(v1::LinkChanged {
                state: link_state(*state).into(),
                reason: reason.clone(),
            }),
        };
        v1::StreamEventsResponse {
            sequence: recorded.sequence,
            time: Some(utc(recorded.at.0)),
            correlation_id: recorded.trace_id.clone(),
            event: Some(event),
        }
    }
}

/// The room on the journal's disk.
pub(super) fn disk(disk: &Disk) -> v1::Disk {
    let free = disk.free().ok();
    v1::Disk {
        free_bytes: free,
        alarm_bytes: disk.alarm_bytes(),
        low: free.is_some_and(|free| disk.is_low(free)),
    }
}

/// A time that only the gateway saw.
pub(super) fn utc(ms: i64) -> v1::Moment {
    Moment {
        utc: Some(UtcTime(ms)),
        broker: None,
    }
    .into()
}

/// An order.
pub(crate) fn order(order: &Order) -> v1::Order {
    let action = match order.purpose {
        Purpose::Entry => v1::OrderAction::Submit,
        Purpose::Exit(_) => v1::OrderAction::Close,
    };
    let (time_in_force, expiration) = match order.time_in_force {
        TimeInForce::Gtc => (v1::TimeInForce::Gtc, None),
        TimeInForce::Day => (v1::TimeInForce::Day, None),
        TimeInForce::Gtd(moment) => (v1::TimeInForce::Gtd, Some(moment.into())),
        TimeInForce::GtdDay(moment) => (v1::TimeInForce::GtdDay, Some(moment.into())),
    };
    v1::Order {
        order_id: order.id.0,
        client: order.client.to_string(),
        client_order_id: order.request_id.to_string(),
        action: action.into(),
        symbol: order.symbol.to_string(),
        side: v1::Side::from(order.side).into(),
        r#type: v1::OrderType::from(order.kind).into(),
        state: v1::OrderState::from(order.state).into(),
        lots: order.lots.to_f64(),
        filled_lots: order.filled.to_f64(),
        average_price: order.average_price(),
        price: order.price.map(Price::to_f64),
        stop_limit_price: order.stop_limit_price.map(Price::to_f64),
        stop_loss: order.levels.stop_loss.map(Price::to_f64),
        take_profit: order.levels.take_profit.map(Price::to_f64),
        time_in_force: time_in_force.into(),
        expiration,
        retcode: order.retcode.map(|code| code.0),
        reason: order.reason.clone(),
        retryable: order.retryable,
        cancel_pending: order.cancel_pending,
        created: Some(order.created.into()),
        updated: Some(order.updated.into()),
        position_id: order.position.map_or(0, |id| id.0),
        tag: order.tag.clone(),
    }
}

/// A client's name; empty for the account, or for what is nobody's.
pub(super) fn scope(client: &Option<ClientName>) -> String {
    client
        .as_ref()
        .map_or_else(String::new, ToString::to_string)
}

/// What became of a change.
pub(super) fn change(outcome: ChangeOutcome) -> v1::Change {
    use v1::ChangeOutcome as Wire;
    let (wire, retcode) = match outcome {
        ChangeOutcome::Pending => (Wire::Pending, None),
        ChangeOutcome::Done => (Wire::Done, None),
        ChangeOutcome::Refused(code) => (Wire::Refused, Some(code)),
        ChangeOutcome::NotSent => (Wire::NotSent, None),
        ChangeOutcome::Expired => (Wire::Expired, None),
        ChangeOutcome::NotDone => (Wire::NotDone, None),
        ChangeOutcome::Moot => (Wire::Moot, None),
        ChangeOutcome::Unknown => (Wire::Unknown, None),
    };
    v1::Change {
        outcome: wire.into(),
        retcode: retcode.map(|code| code.0),
        reason: retcode.map_or_else(String::new, |code| code.text().to_owned()),
    }
}

/// What would become of an order.
pub(super) fn check(report: &CheckReport) -> v1::CheckOrderResponse {
    let refusals = report.refusals.iter().map(|refusal| v1::CheckRefusal {
        reason: refusal.reason().name().to_owned(),
        message: refusal.to_string(),
        retryable: refusal.reason().retryable(),
    });
    v1::CheckOrderResponse {
        refusals: refusals.collect(),
        margin: report.margin.map(Money::to_f64),
        loss_at_stop: report.loss_at_stop.map(Money::to_f64),
    }
}

/// What a flatten has still to close or cancel.
pub(super) fn leftover(left: &Leftover) -> v1::Leftover {
    use v1::leftover::Item as Wire;
    let item = match left.item {
        Item::Position(id) => Wire::PositionId(id.0),
        Item::Order(id) => Wire::OrderId(id.0),
        Item::Foreign(ticket) => Wire::ForeignOrder(ticket.0),
    };
    v1::Leftover {
        item: Some(item),
        symbol: left.symbol.to_string(),
        lots: left.lots.to_f64(),
        why: left.why.clone(),
    }
}

/// Something that stands in the way.
pub(super) fn obstacle(obstacle: &Obstacle) -> v1::Obstacle {
    v1::Obstacle {
        name: obstacle.kind.name().to_owned(),
        client: scope(&obstacle.client),
        symbol: obstacle
            .symbol
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        why: obstacle.why.clone(),
        closes: obstacle.kind.closes().to_owned(),
        ends: obstacle.ends(),
    }
}

/// How the losses of a scope stand.
pub(super) fn losses(losses: &ScopeLosses) -> v1::ScopeLosses {
    let limits = losses.limits.iter().map(|room| v1::LossLimit {
        name: room.limit.name().to_owned(),
        allowed: room.allowed.to_f64(),
        left: room.left.to_f64(),
    });
    v1::ScopeLosses {
        client: scope(&losses.client),
        profit_today: losses.profit_today.to_f64(),
        limits: limits.collect(),
    }
}

/// A trading state.
pub(super) const fn trading_state(state: TradingState) -> v1::TradingState {
    match state {
        TradingState::Active => v1::TradingState::Active,
        TradingState::Reducing => v1::TradingState::Reducing,
        TradingState::Halted => v1::TradingState::Halted,
    }
}

const fn link_state(state: LinkState) -> v1::LinkState {
    match state {
        LinkState::Disconnected => v1::LinkState::Disconnected,
        LinkState::Connecting => v1::LinkState::Connecting,
        LinkState::Identifying => v1::LinkState::Identifying,
        LinkState::Ready => v1::LinkState::Ready,
        LinkState::Degraded => v1::LinkState::Degraded,
        LinkState::BackingOff => v1::LinkState::BackingOff,
        LinkState::Refused => v1::LinkState::Refused,
        LinkState::MarketClosed => v1::LinkState::MarketClosed,
    }
}

/// How the link stands.
pub(super) fn link(status: &LinkStatus) -> v1::LinkStatus {
    v1::LinkStatus {
        state: link_state(status.state).into(),
        reason: status.reason.clone(),
        last_ping: status.ping.map(|(at, _)| utc(at)),
        ping_latency_us: status.ping.map_or(0, |(_, latency)| {
            u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)
        }),
        error_rate: status.error_rate,
        trade_obstacle: status.trade_obstacle.clone().unwrap_or_default(),
    }
}
