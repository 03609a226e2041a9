//! An EMA 10/20 crossing traded through the whole simulator must come to the same money as plain
//! arithmetic over the same ticks, and over real ticks to a known result.

use crate::support::*;
use mymt5_model::*;
use mymt5_simulator::{Simulator, feed};
use std::path::PathBuf;

/// Two exponential averages of the middle price; their first value is the first input.
#[derive(Default)]
struct Cross {
    averages: Option<(f64, f64)>,
    above: Option<bool>,
    inputs: u32,
}

impl Cross {
    /// The side to change to, on the very tick on which the averages cross, after 20 inputs.
    fn signal(&mut self, tick: &Tick) -> Option<Side> {
        let middle = f64::midpoint(tick.bid.to_f64(), tick.ask.to_f64());
        let (fast, slow) = self.averages.unwrap_or((middle, middle));
        let fast = fast + (middle - fast) * 2.0 / 11.0;
        let slow = slow + (middle - slow) * 2.0 / 21.0;
        self.averages = Some((fast, slow));
        let before = self.above;
        if fast != slow {
            self.above = Some(fast > slow);
        }
        self.inputs += 1;
        if self.inputs <= 20 || before == self.above {
            return None;
        }
        self.above
            .map(|above| if above { Side::Buy } else { Side::Sell })
    }
}

/// Orders and profit through the simulator.
fn simulated(ticks: &[Tick]) -> (usize, Money) {
    let mut sim = Simulator::new(netting(), vec![spec("AUDUSD")]).unwrap();
    let (mut cross, mut held, mut orders) = (Cross::default(), None, 0);
    let mut send = |sim: &mut Simulator, side, lots| {
        let (receipt, _) = sim.send(&deal_in("AUDUSD", side, lots));
        assert_eq!(receipt.retcode, Retcode::DONE);
        orders += 1;
    };
    for tick in ticks {
        sim.on_tick(tick);
        if let Some(side) = cross.signal(tick) {
            send(&mut sim, side, if held.is_none() { 1.0 } else { 2.0 });
            held = Some(side);
        }
    }
    if let Some(side) = held {
        send(&mut sim, side.opposite(), 1.0);
    }
    assert!(sim.positions().is_empty());
    (orders, sim.account().balance - money("100000"))
}

/// The same in whole points: one point of 100,000 AUD is one dollar.
fn computed(ticks: &[Tick]) -> (usize, Money) {
    let (mut cross, mut held, mut orders, mut cash) = (Cross::default(), 0, 0, 0);
    let mut trade = |tick: &Tick, to: i64, held: &mut i64| {
        let volume = to - *held;
        let price = if volume > 0 { tick.ask } else { tick.bid };
        cash -= volume * price.points();
        *held = to;
        orders += 1;
    };
    for tick in ticks {
        if let Some(to) = cross.signal(tick).map(Side::sign) {
            trade(tick, to, &mut held);
        }
    }
    trade(ticks.last().unwrap(), 0, &mut held);
    (orders, Money::from_units(i128::from(cash) * Money::SCALE))
}

#[test]
fn generated_ticks_come_to_the_same_money() {
    let specs = [spec("AUDUSD")];
    let ticks: Vec<Tick> = feed::Synthetic::new(5, &specs, BrokerTime(MONDAY), 100)
        .take(30_000)
        .map(Result::unwrap)
        .collect();
    let (orders, profit) = computed(&ticks);
    assert!(orders > 10);
    assert_eq!(simulated(&ticks), (orders, profit));
}

/// A file of real market data beside the project, unless it is not there.
pub fn real_data(name: &str) -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let path = root.join("shared/data").join(name);
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var("MYMT5_REQUIRE").is_ok_and(|value| value == "1");
    assert!(!required, "{name} is required but absent");
    println!("skipped: {name} is not beside the project");
    None
}

#[test]
fn real_ticks_come_to_the_known_result() {
    let Some(path) = real_data("AUDUSD_ticks_20200130-31.csv") else {
        return;
    };
    assert_eq!(feed::symbol_of(&path), Some(symbol("AUDUSD")));
    let ticks: Vec<Tick> = feed::TickFile::open(&path, &spec("AUDUSD"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(ticks.len(), 100_000);
    assert_eq!(simulated(&ticks), (4_460, money("-11461")));
    assert_eq!(computed(&ticks), (4_460, money("-11461")));
}
