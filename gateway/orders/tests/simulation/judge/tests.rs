//! What the judge itself must not say.

use super::{Judge, Verdict};
use crate::{
    bench::{Disk, by_hand::ready, rows::*},
    broker::Broker,
    dice::Dice,
    temper::{Faults, Temper},
};
use mymt5_model::{
    AccountMode, Comment, DealKind, Levels, Magic, Money, OrderId, Side, TradeRequest,
};
use mymt5_orders::{Job, Outgoing};
use std::collections::BTreeSet;

const NOTHING: Faults = Faults(0);

/// An account of alpha's alone, which may have 0.3 lots.
struct Stage {
    judge: Judge,
    disk: Disk,
    broker: Broker,
    temper: Temper,
    dice: Dice,
}

impl Stage {
    fn new(mode: AccountMode) -> Self {
        let mut dice = Dice::new(1);
        let temper = Temper::draw(&mut dice, NOTHING);
        let broker = Broker::new(mode, &["EURUSD"], &temper, &mut dice);
        let disk = Disk::new(&["alpha"]);
        let mut judge = Judge::new(Some(lots(0.3)), None);
        judge.learn_slots(&disk);
        Self {
            judge,
            disk,
            broker,
            temper,
            dice,
        }
    }

    /// That order buys so much at the market.
    fn buys(&mut self, order: u64, volume: f64) -> Magic {
        let magic = Magic::new(1, order).unwrap();
        let outgoing = Outgoing {
            job: Job::Order(OrderId(order)),
            request: TradeRequest::Market {
                symbol: symbol("EURUSD"),
                side: Side::Buy,
                lots: lots(volume),
                levels: Levels::default(),
                max_deviation_points: None,
                magic,
                comment: Comment::default(),
            },
            before_ms: i64::MAX,
            trace_id: String::new(),
        };
        let (temper, dice) = (&self.temper, &mut self.dice);
        self.broker.send(0, outgoing, temper, dice);
        self.broker.now_ms += 1_000;
        self.broker.work(temper, dice);
        assert!(self.broker.filled.contains_key(&magic));
        magic
    }

    /// Loses all that the account has, and so much more.
    fn owes(&mut self, debt: Money) {
        let loss = self.broker.account().balance + debt;
        let simulator = &mut self.broker.simulator;
        simulator.book(DealKind::Other, -loss, "lost");
    }

    fn within_limits(&self, magic: Magic) -> Verdict {
        self.judge.within_limits(magic, &self.disk, &self.broker)
    }
}

#[test]
fn what_an_operator_resolved_counts_in_nobody_s_position() {
    for mode in [AccountMode::Netting, AccountMode::Hedging] {
        let mut stage = Stage::new(mode);
        let known = stage.buys(1, 0.2);
        assert_eq!(stage.within_limits(known), Ok(()));
        let resolved = stage.buys(2, 0.12);
        assert!(stage.within_limits(resolved).is_err());
        stage.judge.resolved.insert(OrderId(2), resolved);
        assert_eq!(stage.within_limits(resolved), Ok(()));
        let more = stage.buys(3, 0.1);
        assert_eq!(stage.within_limits(more), Ok(()));
        let beyond = stage.buys(4, 0.01);
        assert!(stage.within_limits(beyond).is_err());
    }
}

/// It left before the restore and is executed after it: no row tells of it meanwhile.
#[test]
fn what_was_on_its_way_at_a_restore_counts_in_nobody_s_position() {
    for mode in [AccountMode::Netting, AccountMode::Hedging] {
        let mut lost = ready();
        let (flying, _) = lost.send("alpha", "a", buy(0.12));
        let mut stage = Stage::new(mode);
        stage.judge.forget(&lost.disk, &stage.disk);
        let known = stage.buys(1, 0.2);
        assert_eq!(stage.within_limits(known), Ok(()));
        let late = stage.buys(flying.0, 0.12);
        assert_eq!(stage.within_limits(late), Ok(()));
        let more = stage.buys(2, 0.1);
        assert_eq!(stage.within_limits(more), Ok(()));
        let beyond = stage.buys(3, 0.01);
        assert!(stage.within_limits(beyond).is_err());
    }
}

/// The broker's rows tell of it before anything may be opened, and a backup that knows an order has
/// it as unknown.
#[test]
fn what_was_executed_before_a_restore_or_is_in_the_backup_counts() {
    for in_backup in [false, true] {
        let mut lost = ready();
        let (order, magic) = lost.send("alpha", "a", buy(0.12));
        let mut stage = Stage::new(AccountMode::Hedging);
        if in_backup {
            stage.disk = lost.disk.clone();
        } else {
            stage.judge.executed.insert(magic);
        }
        stage.judge.forget(&lost.disk, &stage.disk);
        stage.buys(order.0, 0.12);
        let beyond = stage.buys(1, 0.2);
        assert!(stage.within_limits(beyond).is_err(), "{in_backup}");
    }
}

/// Of a balance that was twice with a flow between, nobody who lacks the deals can tell the moment.
#[test]
fn what_is_booked_makes_no_balance_twice_also_in_debt() {
    for debt in [0.0, 500.0] {
        let mut stage = Stage::new(AccountMode::Hedging);
        stage.owes(Money::from_f64(debt).unwrap());
        let mut last = stage.broker.account().balance;
        let mut balances = BTreeSet::from([last]);
        for _ in 0..100 {
            stage.broker.book(&mut stage.dice);
            let balance = stage.broker.account().balance;
            // Credit leaves it as it is.
            let is_new = balance == last || balances.insert(balance);
            assert!(is_new, "{balance} again, after a debt of {debt}");
            last = balance;
        }
    }
}
