//! The orders core alone, its records kept in memory: what an order costs it where nothing is open,
//! where much is, and after a long past; and what the broker's rows cost it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "../orders/tests/bench/mod.rs"]
mod bench;
mod measure;

use bench::{Shell, by_hand, rows};
use measure::{Figure, ROUNDS, Table, Times};
use mymt5_model::{DealRow, Entry, Lots, PositionId, Receipt, Retcode, Side, Ticket};
use mymt5_orders::{Input, Job, Order};

/// Orders that are timed in a round.
const TIMED: usize = 2_000;
/// So many at a time.
const SERIES: usize = 50;
/// Positions where much is open.
const OPEN: u64 = 500;
/// Orders of the long past.
const PAST: usize = 50_000;
/// Tickets after those of the positions that stay open.
const TICKETS: u64 = 1_000_000;

const EMPTY: &str = "order, nothing open";
const FULL: &str = "order, 500 positions open";
const LONG: &str = "order, 50,000 orders before";
const ROWS: &str = "rows with 500 positions";

/// A core, how many orders went through it, and deals that the broker's history does not show yet.
struct Bench {
    shell: Shell,
    orders: u64,
    late: Vec<DealRow>,
}

impl Bench {
    fn new(open: u64) -> Self {
        let mut shell = by_hand::ready();
        (1..=open).for_each(|number| shell.hold("alpha", number, 0.1));
        Self {
            shell,
            orders: 0,
            late: Vec::new(),
        }
    }

    /// A market order from its call to its answer; every other one closes what the one before opened.
    fn order(&mut self) {
        self.orders += 1;
        let number = TICKETS + self.orders;
        let is_exit = self.orders.is_multiple_of(2);
        let position = PositionId(number - u64::from(is_exit));
        let command = if is_exit {
            by_hand::close(position, None)
        } else {
            by_hand::submit(rows::buy(0.1))
        };
        self.shell.must("alpha", &format!("r{number}"), command);
        let sent = self.shell.leaves();
        let Job::Order(id) = sent.job else {
            panic!("{:?}", sent.job)
        };
        let deal = deal_of(number, position, is_exit, self.shell.order(id));
        self.late.push(deal.clone());
        let receipt = Receipt {
            order: Some(Ticket(number)),
            deals: vec![deal],
            ..Receipt::bare(Retcode::DONE)
        };
        self.shell.answer(id, Ok(receipt));
    }

    /// What happens between orders: time passes; prices, deals and rows come. What was told is not
    /// part of the core.
    fn rest(&mut self) {
        self.shell.pass(1_000);
        self.shell.quote_again();
        for deal in self.late.drain(..) {
            self.shell.feed(Input::Deal(deal));
        }
        let rows = self.shell.known_rows();
        self.shell.feed(Input::Rows(rows));
        self.shell.second();
        self.shell.events.clear();
        self.shell.answers.clear();
        self.shell.notices.clear();
    }

    /// Orders without what is between them.
    fn timed(&mut self) -> Times {
        let parts = (0..TIMED / SERIES).map(|_| {
            let part = Times::each(SERIES, |_| self.order());
            self.rest();
            part
        });
        Times::together(parts)
    }
}

fn deal_of(ticket: u64, position: PositionId, is_exit: bool, order: &Order) -> DealRow {
    let (side, entry) = if is_exit {
        (Side::Sell, Entry::Out)
    } else {
        (Side::Buy, Entry::In)
    };
    let lots = Lots::from_f64(0.1).unwrap();
    DealRow {
        magic: order.magic,
        ..rows::deal(ticket, position.0, side, entry, lots.units(), 110_010)
    }
}

fn main() {
    let mut empty = Bench::new(0);
    let mut full = Bench::new(OPEN);
    let mut long = Bench::new(0);
    for _ in 0..PAST / SERIES {
        (0..SERIES).for_each(|_| long.order());
        long.rest();
    }
    let mut table = Table::default();
    for _ in 0..ROUNDS {
        table.note(EMPTY, empty.timed());
        table.note(FULL, full.timed());
        table.note(LONG, long.timed());
        let rows = full.shell.known_rows();
        let read = |_| full.shell.feed(Input::Rows(rows.clone()));
        table.note(ROWS, Times::each(TIMED / 10, read));
    }
    table.print();
    for (name, one) in [
        ("with 500 positions open", FULL),
        ("after 50,000 others", LONG),
    ] {
        let times = table.ratio(Figure::P50, one, &[EMPTY]);
        println!("an order {name} takes {times:.2} times one where nothing is open (p50)");
    }
}
