//! Rows of named values, as a table for people or as JSON for programs.

use mymt5_chassis::letters;
use mymt5_proto::v1::{Leftover, Moment, Order, Position, leftover::Item};
use serde_json::{Map, Value};
use std::io::{self, Write};

/// Named values, in the order in which people read them.
pub(super) type Row = Vec<(&'static str, Value)>;

/// Prints rows: a table with a head, or one JSON array. `none` is printed for no rows.
///
/// # Errors
/// Standard output does not take them.
pub(super) fn rows(rows: &[Row], json: bool, none: &str) -> io::Result<()> {
    let text = match (json, rows) {
        (true, rows) => json_line(&Value::Array(rows.iter().map(object).collect())),
        (false, []) => none.to_owned(),
        (false, rows) => table(rows),
    };
    writeln!(io::stdout(), "{text}")
}

/// Prints one row: a line for each value, or one JSON object.
///
/// # Errors
/// Standard output does not take it.
pub(super) fn row(row: &Row, json: bool) -> io::Result<()> {
    let text = if json {
        json_line(&object(row))
    } else {
        let lines = row
            .iter()
            .map(|(name, value)| format!("{name:<16} {}", text(value)));
        lines.collect::<Vec<_>>().join("\n")
    };
    writeln!(io::stdout(), "{text}")
}

/// One line of `name=value` pairs; what is empty is left out.
pub(super) fn pairs(row: &Row) -> String {
    let filled = row
        .iter()
        .filter(|(_, value)| !matches!(value, Value::Null) && value.as_str() != Some(""));
    let pairs: Vec<_> = filled
        .map(|(name, value)| format!("{name}={}", text(value)))
        .collect();
    pairs.join(" ")
}

/// The row as JSON has it.
pub(super) fn object(row: &Row) -> Value {
    let fields = row
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn table(rows: &[Row]) -> String {
    let head: Vec<&str> = rows
        .first()
        .map(|row| row.iter().map(|(name, _)| *name).collect())
        .unwrap_or_default();
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|(_, value)| text(value)).collect())
        .collect();
    let width = |column: usize| {
        let cells = cells.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(head.get(column).map_or(0, |name| name.len()))
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    // A column of numbers may have gaps.
    let numeric = |column: usize| {
        let mut values = rows.iter().filter_map(|row| row.get(column));
        values.all(|(_, value)| value.is_number() || value.is_null())
    };
    let numbers: Vec<bool> = (0..head.len()).map(numeric).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded = cells
            .zip(widths.iter().zip(&numbers))
            .map(|(cell, (&width, &right))| {
                if right {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&mut head.iter().copied())];
    lines.extend(
        cells
            .iter()
            .map(|row| line(&mut row.iter().map(String::as_str))),
    );
    lines.join("\n")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => plain(text),
        other => other.to_string(),
    }
}

/// What a flatten has still to close or cancel, in one line; empty: nothing.
pub(in crate::cli) fn leftovers(left: &[Leftover]) -> String {
    let line = |left: &Leftover| {
        let what = match left.item {
            Some(Item::PositionId(id)) => format!("position {id}"),
            Some(Item::OrderId(id)) => format!("order {id}"),
            Some(Item::ForeignOrder(ticket)) => format!("foreign order {ticket}"),
            None => "something".to_owned(),
        };
        format!("{what} {} {} ({})", left.symbol, left.lots, left.why)
    };
    left.iter().map(line).collect::<Vec<_>>().join(", ")
}

/// Without letters that steer: what a broker or a client wrote must not steer a terminal.
pub(in crate::cli) fn plain(text: &str) -> String {
    let shown = |letter: char| if letters::steers(letter) { '?' } else { letter };
    text.chars().map(shown).collect()
}

/// JSON in one line, in which such letters are escaped.
pub(in crate::cli) fn json_line(value: &Value) -> String {
    letters::escaped(&value.to_string()).into_owned()
}

/// A name of the wire without its enum's prefix, in lower case.
pub(in crate::cli) fn name(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase()
}

/// The same, as a value of a row.
pub(super) fn word(of: &str, prefix: &str) -> Value {
    name(of, prefix).into()
}

/// An id, where 0 means none.
pub(super) fn id(id: u64) -> Value {
    if id == 0 { Value::Null } else { id.into() }
}

/// UTC, else the broker's clock, marked as such.
pub(super) fn moment(moment: Option<Moment>) -> Value {
    let Some(moment) = moment else {
        return Value::Null;
    };
    let read = |ms| jiff::Timestamp::from_millisecond(ms).ok();
    match (moment.utc_ms, moment.broker_ms) {
        (Some(utc), _) => read(utc).map(|time| format!("{time:.3}").into()),
        (None, Some(broker)) => read(broker).map(|time| {
            let wall = format!("{time:.3}");
            format!("{} broker time", wall.trim_end_matches('Z')).into()
        }),
        (None, None) => None,
    }
    .unwrap_or(Value::Null)
}

/// An order's columns.
pub(super) fn order(order: &Order) -> Row {
    vec![
        ("order_id", order.order_id.into()),
        ("client", order.client.as_str().into()),
        ("state", word(order.state().as_str_name(), "ORDER_STATE_")),
        ("symbol", order.symbol.as_str().into()),
        ("side", word(order.side().as_str_name(), "SIDE_")),
        ("type", word(order.r#type().as_str_name(), "ORDER_TYPE_")),
        ("lots", order.lots.into()),
        ("filled_lots", order.filled_lots.into()),
        ("price", order.price.into()),
        ("average_price", order.average_price.into()),
        ("retcode", order.retcode.into()),
        ("reason", order.reason.as_str().into()),
        ("position_id", id(order.position_id)),
        ("request_id", order.client_order_id.as_str().into()),
        ("updated", moment(order.updated)),
    ]
}

/// A position's columns.
pub(super) fn position(position: &Position) -> Row {
    let owner = if position.client.is_empty() {
        "(foreign)"
    } else {
        &position.client
    };
    vec![
        ("position_id", position.position_id.into()),
        ("client", owner.into()),
        ("symbol", position.symbol.as_str().into()),
        ("side", word(position.side().as_str_name(), "SIDE_")),
        ("lots", position.lots.into()),
        ("open_price", position.open_price.into()),
        ("stop_loss", position.stop_loss.into()),
        ("take_profit", position.take_profit.into()),
        ("profit", position.profit.into()),
        ("swap", position.swap.into()),
        ("opened", moment(position.opened)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use mymt5_proto::v1::{OrderState, OrderType, Side};

    fn orders() -> Vec<Row> {
        let first = Order {
            order_id: 7,
            client: "alpha".into(),
            client_order_id: "a-1".into(),
            symbol: "EURUSD".into(),
            side: Side::Buy.into(),
            r#type: OrderType::StopLimit.into(),
            state: OrderState::Unknown.into(),
            lots: 0.1,
            updated: Some(Moment {
                utc_ms: Some(1_782_900_000_123),
                broker_ms: None,
            }),
            ..Order::default()
        };
        let second = Order {
            order_id: 12_345,
            price: Some(1.25),
            retcode: Some(10_019),
            reason: "NO_MONEY\u{1b}[31m\u{9b}m\u{202e}\u{2028}".into(),
            updated: Some(Moment {
                utc_ms: None,
                broker_ms: Some(0),
            }),
            ..first.clone()
        };
        vec![order(&first), order(&second)]
    }

    #[test]
    fn a_table_is_aligned_and_steers_no_terminal() {
        let table = table(&orders());
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[0].starts_with("order_id  client  state    symbol  side  type"));
        assert!(lines[1].starts_with("       7  alpha   unknown  EURUSD  buy   stop_limit"));
        assert!(lines[0].contains("  price  average_price"), "{table}");
        assert!(lines[1].contains("      -              -"), "{table}");
        assert!(lines[2].contains("   1.25              -"), "{table}");
        assert!(lines[2].starts_with("   12345  alpha"), "{table}");
        assert!(lines[1].ends_with("2026-07-01T10:00:00.123Z"), "{table}");
        assert!(
            lines[2].ends_with("1970-01-01T00:00:00.000 broker time"),
            "{table}"
        );
        assert!(table.lines().all(|line| !line.chars().any(letters::steers)));
    }

    #[test]
    fn json_keeps_kinds() {
        let json = object(&orders()[1]);
        assert_eq!(json["order_id"], 12_345);
        assert_eq!(json["retcode"], 10_019);
        assert_eq!(json["price"], 1.25);
        assert_eq!(json["average_price"], Value::Null);
        assert_eq!(json["state"], "unknown");
        let line = json_line(&json);
        assert!(!line.chars().any(letters::steers), "{line:?}");
        assert_eq!(serde_json::from_str::<Value>(&line).ok(), Some(json));
    }

    #[test]
    fn pairs_leave_out_what_is_empty() {
        let told = pairs(&vec![
            ("a", 1.into()),
            ("b", "".into()),
            ("c", Value::Null),
            ("d", "x".into()),
        ]);
        assert_eq!(told, "a=1 d=x");
    }
}
