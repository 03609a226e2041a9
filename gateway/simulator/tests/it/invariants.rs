//! Whatever is asked in whatever order: the books balance, and nothing panics.

use crate::support::*;
use mymt5_model::*;
use mymt5_simulator::{AccountConfig, Event, Simulator};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One thing that happens to an account.
#[derive(Clone, Debug)]
pub enum Step {
    Tick {
        symbol: usize,
        move_points: i64,
        ms: i64,
    },
    Market {
        symbol: usize,
        side: Side,
        volume: u32,
        levels: (i64, i64),
        close: Option<usize>,
    },
    Pending {
        side: Side,
        kind: OrderType,
        volume: u32,
        away: i64,
        life: TimeInForce,
    },
    ModifyPosition {
        which: usize,
        levels: (i64, i64),
    },
    ModifyOrder {
        which: usize,
        away: i64,
    },
    Cancel {
        which: usize,
    },
}

const NAMES: [&str; 3] = ["EURUSD", "USDJPY", "EURGBP"];

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Buy), Just(Side::Sell)]
}

pub fn step() -> impl Strategy<Value = Step> {
    let levels = || (-60i64..300, -60i64..300);
    let kind = prop_oneof![
        Just(OrderType::Limit),
        Just(OrderType::Stop),
        Just(OrderType::StopLimit)
    ];
    let life = prop_oneof![
        Just(TimeInForce::Gtc),
        Just(TimeInForce::Day),
        (0i64..DAY).prop_map(|ms| TimeInForce::Gtd(until(ms))),
    ];
    prop_oneof![
        6 => (0usize..3, -150i64..150, 0i64..2 * HOUR)
            .prop_map(|(symbol, move_points, ms)| Step::Tick { symbol, move_points, ms }),
        4 => (0usize..3, side(), 0u32..3000, levels(), proptest::option::of(0usize..4))
            .prop_map(|(symbol, side, volume, levels, close)| Step::Market { symbol, side, volume, levels, close }),
        2 => (side(), kind, 0u32..300, -100i64..300, life)
            .prop_map(|(side, kind, volume, away, life)| Step::Pending { side, kind, volume, away, life }),
        1 => (0usize..4, levels()).prop_map(|(which, levels)| Step::ModifyPosition { which, levels }),
        1 => (0usize..4, -50i64..300).prop_map(|(which, away)| Step::ModifyOrder { which, away }),
        1 => (0usize..4).prop_map(|which| Step::Cancel { which }),
    ]
}

pub fn account(mode: AccountMode) -> AccountConfig {
    AccountConfig {
        mode,
        balance: money("20000"),
        commission_per_lot: money("3.33"),
        rates: [("GBPUSD".to_owned(), 1.27)].into(),
        slippage_points: 3,
        partial_fill_probability: 0.3,
        seed: 9,
        ..AccountConfig::default()
    }
}

pub fn symbols() -> Vec<SymbolSpec> {
    let mut specs: Vec<SymbolSpec> = NAMES
        .iter()
        .map(|name| mymt5_simulator::catalogue::spec(&symbol(name)))
        .collect();
    specs[1].execution = Execution::Exchange;
    specs[2].freeze_level_points = 15;
    specs
}

/// A random walk of requests over one account.
pub struct Walk {
    pub sim: Simulator,
    bids: [i64; 3],
    ms: i64,
}

impl Walk {
    pub fn new(sim: Simulator) -> Self {
        Self {
            sim,
            bids: [110_000, 150_000, 86_000],
            ms: 0,
        }
    }

    /// The same walk over another account.
    pub fn over(&self, sim: Simulator) -> Self {
        Self {
            sim,
            bids: self.bids,
            ms: self.ms,
        }
    }

    pub fn take(&mut self, step: &Step) -> (Option<Receipt>, Vec<Event>) {
        if let Step::Tick {
            symbol,
            move_points,
            ms,
        } = step
        {
            self.ms += ms;
            self.bids[*symbol] += move_points;
            let bid = self.bids[*symbol];
            return (
                None,
                self.sim
                    .on_tick(&tick(NAMES[*symbol], self.ms, bid, bid + 12)),
            );
        }
        match self.request(step) {
            Some(request) => {
                let (receipt, events) = self.sim.send(&request);
                (Some(receipt), events)
            }
            None => (None, Vec::new()),
        }
    }

    fn request(&self, step: &Step) -> Option<TradeRequest> {
        let around = |symbol: usize, side: Side, (loss, gain): (i64, i64)| {
            let digits = if symbol == 1 { 3 } else { 5 };
            let price = |points: i64| Price::from_points(self.bids[symbol] + points, digits);
            Levels {
                stop_loss: (loss > 0).then(|| price(-side.sign() * loss)),
                take_profit: (gain > 0).then(|| price(side.sign() * gain)),
            }
        };
        let centilots = |volume: u32| Lots::from_units(i64::from(volume) * Lots::SCALE / 100);
        Some(match step {
            Step::Tick { .. } => return None,
            Step::Market {
                symbol,
                side,
                volume,
                levels,
                close,
            } => {
                let position = close.and_then(|i| self.sim.positions().into_iter().nth(i));
                let of = position
                    .as_ref()
                    .and_then(|p| NAMES.iter().position(|n| *n == p.symbol.as_str()));
                let m = of.unwrap_or(*symbol);
                let side = position.as_ref().map_or(*side, |p| p.side.opposite());
                let symbol = crate::support::symbol(NAMES[m]);
                let comment = Comment::default();
                match position {
                    // Every third close is of all there is.
                    Some(position) => TradeRequest::Close {
                        symbol,
                        side,
                        position: position.ticket,
                        lots: position.lots.min(centilots(*volume)),
                        all: volume % 3 == 0,
                        max_deviation_points: None,
                        magic: MAGIC,
                        comment,
                    },
                    None => TradeRequest::Market {
                        symbol,
                        side,
                        lots: centilots(*volume),
                        levels: around(m, side, *levels),
                        max_deviation_points: None,
                        magic: MAGIC,
                        comment,
                    },
                }
            }
            Step::Pending {
                side,
                kind,
                volume,
                away,
                life,
            } => {
                let ahead = if *kind == OrderType::Limit { -1 } else { 1 };
                let price = self.bids[0] + side.sign() * ahead * away;
                TradeRequest::Pending {
                    symbol: symbol(NAMES[0]),
                    side: *side,
                    kind: *kind,
                    lots: centilots(*volume),
                    price: px(price),
                    stop_limit_price: (*kind == OrderType::StopLimit)
                        .then(|| px(price - side.sign() * 20)),
                    levels: Levels::default(),
                    time_in_force: *life,
                    magic: MAGIC,
                    comment: Comment::default(),
                }
            }
            Step::ModifyPosition { which, levels } => {
                let position = self.sim.positions().into_iter().nth(*which)?;
                let m = NAMES.iter().position(|n| *n == position.symbol.as_str())?;
                let levels = around(m, position.side, *levels);
                TradeRequest::ModifyPosition {
                    position: position.ticket,
                    symbol: position.symbol,
                    levels: LevelsEdit::to(levels),
                }
            }
            Step::ModifyOrder { which, away } => {
                let order = self.sim.orders().into_iter().nth(*which)?;
                TradeRequest::ModifyOrder {
                    order: order.ticket,
                    terms: TermsEdit {
                        price: Some(order.price?.moved(order.side.sign() * away)),
                        ..TermsEdit::default()
                    },
                    symbol: order.symbol,
                }
            }
            Step::Cancel { which } => {
                let order = self.sim.orders().into_iter().nth(*which)?;
                TradeRequest::Cancel {
                    order: order.ticket,
                    symbol: order.symbol,
                }
            }
        })
    }
}

fn check_books(sim: &Simulator, mode: AccountMode) {
    let (orders, deals) = sim.history(BrokerTime(0), BrokerTime(i64::MAX));
    let result: Money = deals.iter().map(|d| d.profit + d.swap + d.commission).sum();
    let row = sim.account();
    assert_eq!(row.balance, money("20000") + result);
    assert_eq!(row.equity, row.balance + row.profit);
    assert_eq!(row.free_margin, row.equity - row.margin);
    assert_eq!(row.balance.rounded(2), row.balance);

    let mut lots: BTreeMap<PositionId, i64> = BTreeMap::new();
    for deal in &deals {
        let DealKind::Trade(side) = deal.kind else {
            continue;
        };
        *lots.entry(deal.position_id.unwrap()).or_default() += side.sign() * deal.lots.units();
    }
    lots.retain(|_, lots| *lots != 0);
    let positions = sim.positions();
    let held: BTreeMap<_, _> = positions
        .iter()
        .map(|p| (p.id, p.side.sign() * p.lots.units()))
        .collect();
    assert_eq!((held.len(), &held), (positions.len(), &lots));
    let floating: Money = positions.iter().map(|p| p.profit + p.swap).sum();
    assert_eq!(row.profit, floating);

    if mode == AccountMode::Netting {
        let names: std::collections::BTreeSet<_> = positions.iter().map(|p| &p.symbol).collect();
        assert_eq!(names.len(), positions.len());
    }
    for order in orders.iter().chain(&sim.orders()) {
        let done: i64 = deals
            .iter()
            .filter(|d| d.order == Some(order.ticket))
            .map(|d| d.lots.units())
            .sum();
        assert_eq!(order.lots.units() - order.lots_left.units(), done);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_books_balance(steps in proptest::collection::vec(step(), 1..120), net in any::<bool>()) {
        let mode = if net { AccountMode::Netting } else { AccountMode::Hedging };
        let mut walk = Walk::new(Simulator::new(account(mode), symbols()).unwrap());
        for step in &steps {
            walk.take(step);
            check_books(&walk.sim, mode);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_account(steps in proptest::collection::vec(step(), 1..80)) {
        let run = || {
            let mut walk = Walk::new(Simulator::new(account(AccountMode::Hedging), symbols()).unwrap());
            let told: Vec<_> = steps.iter().map(|step| walk.take(step)).collect();
            (told, walk.sim.save())
        };
        prop_assert_eq!(run(), run());
    }
}

#[test]
fn the_walk_reaches_what_it_should() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let steps = proptest::collection::vec(step(), 4000)
        .new_tree(&mut runner)
        .unwrap()
        .current();
    let rich = AccountConfig {
        balance: money("20000"),
        ..account(AccountMode::Netting)
    };
    let mut walk = Walk::new(Simulator::new(rich, symbols()).unwrap());
    let told: Vec<_> = steps.iter().map(|step| walk.take(step)).collect();
    let codes: std::collections::BTreeSet<u32> = told
        .iter()
        .filter_map(|(receipt, _)| Some(receipt.as_ref()?.retcode.0))
        .collect();
    for code in [10008, 10009, 10010, 10014, 10015, 10016, 10019, 10021] {
        assert!(codes.contains(&code), "{code} not in {codes:?}");
    }
    let (_, deals) = walk.sim.history(BrokerTime(0), BrokerTime(i64::MAX));
    let has = |entry| deals.iter().any(|d| d.entry == Some(entry));
    assert!(has(Entry::In) && has(Entry::Out) && has(Entry::InOut));
    assert!(deals.iter().any(|d| d.swap != Money::ZERO));
    assert!(deals.iter().any(|d| d.reason == DealReason::StopLoss));
}
