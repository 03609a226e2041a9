//! What the user sees while the demo runs, on standard error.

use crate::sample::Sample;
use std::{
    cell::Cell,
    io::{self, IsTerminal, Write},
};

pub(crate) struct Show {
    terminal: bool,
    drawn: Cell<usize>,
    seconds: Cell<u64>,
}

impl Show {
    /// Without a terminal, one line for so many seconds.
    const EVERY: u64 = 5;

    pub(crate) fn new() -> Self {
        Self {
            terminal: io::stderr().is_terminal(),
            drawn: Cell::new(0),
            seconds: Cell::new(0),
        }
    }

    pub(crate) fn line(&self, text: &str) {
        self.drawn.set(0);
        // Nobody listening is no reason to stop.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// `left`: how far a replay is.
    pub(crate) fn table(&self, now: &Sample, before: &Sample, left: Option<&str>) {
        self.seconds.set(self.seconds.get() + 1);
        let rate = now.ticks_received.saturating_sub(before.ticks_received);
        let left = left.map_or_else(String::new, |left| format!(", {left}"));
        if !self.terminal {
            if self.seconds.get() % Self::EVERY == 1 {
                let orders = now.orders;
                let fills = now.fills;
                let equity = now.equity;
                self.line(&format!(
                    "{rate} ticks/s{left}, {orders} orders, {fills} fills, equity {equity:.2}"
                ));
            }
            return;
        }
        let mut lines = vec![
            format!(
                "link {}   gateway {}   engine {}",
                now.link, now.healths[0], now.healths[1]
            ),
            format!(
                "ticks {} ({rate}/s{left})   orders {}   fills {}   rejected {}",
                now.ticks_received, now.orders, now.fills, now.rejected
            ),
            format!(
                "balance {:.2}   equity {:.2} {}",
                now.balance, now.equity, now.currency
            ),
        ];
        lines.extend(now.positions.iter().map(|position| {
            let side = position
                .side()
                .as_str_name()
                .trim_start_matches("SIDE_")
                .to_lowercase();
            format!(
                "  {:<8} {side:<5}{:>6.2} lots at {:<10} profit {:>9.2}",
                position.symbol,
                position.lots,
                now.price(&position.symbol, position.open_price),
                position.profit
            )
        }));
        lines.extend(now.last_orders.iter().map(|order| {
            let state = order
                .state()
                .as_str_name()
                .trim_start_matches("ORDER_STATE_")
                .to_lowercase();
            let side = order
                .side()
                .as_str_name()
                .trim_start_matches("SIDE_")
                .to_lowercase();
            let price = order.average_price.map_or_else(String::new, |price| {
                format!(" at {}", now.price(&order.symbol, price))
            });
            format!(
                "  order {:<4} {:<8} {side:<5}{:>6.2} lots {state}{price} {}",
                order.order_id, order.symbol, order.lots, order.reason
            )
        }));
        let mut text = String::new();
        if self.drawn.get() > 0 {
            text += &format!("\x1b[{}A\x1b[J", self.drawn.get());
        }
        text += &lines.join("\n");
        let _ = writeln!(io::stderr(), "{text}");
        self.drawn.set(lines.len());
    }
}
