//! Which rows are this client's own. With `control` it is told those of others and of nobody, too, which
//! no rule of it counts or closes, and the trading states of others, which do not bind it. A gateway
//! that does not tell this client's name is trusted to show no others.

use mymt5_proto::v1;
use v1::stream_events_response::Event as WireEvent;

/// Leaves this client's rows in a snapshot.
pub(super) fn keep(snapshot: &mut v1::GetSnapshotResponse) {
    let client = &snapshot.client;
    snapshot
        .positions
        .retain(|position| is_own(&position.client, client));
    snapshot
        .orders
        .retain(|order| is_own(&order.client, client));
}

/// False for an event of an order or a position of another client, or of nobody, and for the trading
/// state of another client.
pub(super) fn tells(event: &WireEvent, client: &str) -> bool {
    let order = |order: &v1::Order| is_own(&order.client, client);
    let position = |position: &v1::Position| is_own(&position.client, client);
    match event {
        WireEvent::OrderChanged(changed) => changed.order.as_ref().is_none_or(order),
        WireEvent::PositionChanged(changed) => changed.position.as_ref().is_none_or(position),
        WireEvent::PositionClosed(closed) => closed.position.as_ref().is_none_or(position),
        WireEvent::TradingStateChanged(changed) => {
            changed.client.is_empty() || is_own(&changed.client, client)
        }
        _ => true,
    }
}

fn is_own(owner: &str, client: &str) -> bool {
    client.is_empty() || owner == client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(client: &str) -> v1::Position {
        v1::Position {
            client: client.to_owned(),
            ..Default::default()
        }
    }

    fn order(client: &str) -> v1::Order {
        v1::Order {
            client: client.to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn only_own_rows_are_kept() {
        for (client, kept) in [("own", 1), ("", 3)] {
            let mut snapshot = v1::GetSnapshotResponse {
                positions: ["own", "other", ""].map(position).into(),
                orders: ["own", "other", ""].map(order).into(),
                client: client.to_owned(),
                ..Default::default()
            };
            keep(&mut snapshot);
            assert_eq!(snapshot.positions.len(), kept, "{client}");
            assert_eq!(snapshot.orders.len(), kept, "{client}");
            assert_eq!(snapshot.positions[0].client, "own");
        }
    }

    #[test]
    fn events_of_rows_that_are_not_own_are_passed_over() {
        for (owner, is_told) in [("own", true), ("other", false), ("", false)] {
            let changed = v1::PositionChanged {
                position: Some(position(owner)),
            };
            let closed = v1::PositionClosed {
                position: Some(position(owner)),
            };
            let moved = v1::OrderChanged {
                order: Some(order(owner)),
            };
            for event in [
                WireEvent::PositionChanged(changed),
                WireEvent::PositionClosed(closed),
                WireEvent::OrderChanged(moved),
            ] {
                assert_eq!(tells(&event, "own"), is_told, "{event:?}");
                assert!(tells(&event, ""), "a gateway that tells no name");
            }
        }
        for (scope, binds) in [("own", true), ("other", false), ("", true)] {
            let changed = v1::TradingStateChanged {
                client: scope.to_owned(),
                ..Default::default()
            };
            let event = WireEvent::TradingStateChanged(changed);
            assert_eq!(tells(&event, "own"), binds, "{event:?}");
        }
        assert!(tells(
            &WireEvent::AccountUpdate(v1::AccountUpdate::default()),
            "own"
        ));
    }
}
