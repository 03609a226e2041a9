//! The broker: a whole account, and between it and its callers everything that goes wrong. It never
//! sees the core; what it knows is the truth.

mod flights;
mod reads;

use super::{
    dice::Dice,
    temper::{Fault, Temper},
};
use crate::bench::shell::BROKER_START;
pub use flights::Execution;
use flights::Flight;
use mymt5_model::{
    AccountMode, AccountRow, BrokerTime, Comment, DealKind, DealReason, DealRow, Entry, Levels,
    Lots, Magic, Money, OrderRow, OrderType, PositionId, PositionRow, Price, Side, Symbol,
    SymbolSpec, Tick, Ticket, TimeInForce, TradeRequest,
};
use mymt5_orders::RowKind;
use mymt5_simulator::{AccountConfig, Event, Simulator, catalogue};
use reads::Garbled;
pub use reads::Read;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

/// How long a request may take before its outcome counts as unknown.
pub const SEND_TIMEOUT_MS: i64 = 5_000;
/// How long the truth is remembered for late readers.
const MEMORY_MS: i64 = 10_000;
/// What is booked is anything up to this much at least, in units of money, also where the account has
/// nothing or is in debt: of a few units alone, two sums are the same by chance.
const BOOKED_UNITS: i64 = 1_000_000_000;

/// Positions and account at one moment.
#[derive(Clone, Debug)]
struct View {
    at: i64,
    account: AccountRow,
    positions: Arc<Vec<PositionRow>>,
    /// Deposits less withdrawals until then.
    flows: Money,
}

/// What a position was at one time.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub side: Side,
    pub lots: Lots,
    /// Opening price in points times units of lots.
    weight: i128,
}

impl Size {
    /// The average opening price in points.
    pub fn points(self) -> i128 {
        self.weight / i128::from(self.lots.units().max(1))
    }
}

/// All that a position ever was.
#[derive(Debug, Default)]
pub struct Life {
    pub sizes: Vec<Size>,
    pub levels: Vec<Levels>,
    /// Of the orders that opened or reversed it.
    pub magics: BTreeSet<Magic>,
    /// Lots that somebody else added.
    pub foreign: Lots,
}

pub struct Broker {
    pub simulator: Simulator,
    pub specs: BTreeMap<Symbol, Arc<SymbolSpec>>,
    pub now_ms: i64,
    prices: BTreeMap<Symbol, i64>,
    flights: Vec<Flight>,
    views: VecDeque<View>,
    working: VecDeque<(i64, Arc<Vec<OrderRow>>)>,
    /// All deals ever, and when they were done.
    pub deals: BTreeMap<Ticket, (i64, DealRow)>,
    recent: VecDeque<(i64, Ticket)>,
    purged_deals: BTreeSet<Ticket>,
    /// The orders of the history that was read last.
    listed: BTreeSet<Ticket>,
    torn: BTreeSet<PositionId>,
    /// How far each kind of reader has come: it never goes back.
    seen: [i64; 3],
    /// Deals that are to be pushed.
    pub pushes: VecDeque<DealRow>,
    /// Executed requests that nobody judged yet.
    pub executed: Vec<Execution>,
    pub lives: HashMap<PositionId, Life>,
    /// Deals of a magic by an expert: lots, and points times units.
    pub filled: HashMap<Magic, (Lots, i128)>,
    /// Deposits less withdrawals.
    flows: Money,
    /// The balance without them, whenever it changed.
    pub balances: BTreeSet<Money>,
    garbled: Vec<Garbled>,
    is_strange: bool,
    /// Until when, and up to what time, the history is there.
    loads: Option<(i64, BrokerTime)>,
    /// Positions that the rows show under another ticket: the real one, and that.
    renamed: BTreeMap<PositionId, (Ticket, Ticket)>,
    forbidden: Option<i64>,
    closed: Option<i64>,
    next_foreign: u64,
}

impl Broker {
    pub fn new(mode: AccountMode, names: &[&str], temper: &Temper, dice: &mut Dice) -> Self {
        let symbols: Vec<SymbolSpec> = names
            .iter()
            .map(|name| {
                let mut spec = catalogue::spec(&Symbol::parse(name).unwrap());
                if temper.has(Fault::SmallVolumes) {
                    spec.volume.max = Lots::from_f64(0.3).unwrap();
                }
                spec.tick_value = Some(1.0);
                spec
            })
            .collect();
        let balance = [100_000.0, 10_000.0, 1_500.0][dice.below(3) as usize];
        let account = AccountConfig {
            mode,
            seed: dice.next(),
            balance: Money::from_f64(balance).unwrap(),
            commission_per_lot: Money::from_f64(3.5).unwrap(),
            slippage_points: 2,
            partial_fill_probability: if temper.has(Fault::PartialFills) {
                0.1
            } else {
                0.0
            },
            max_history_rows: 4_000,
            // With cents alone, two sums of deals are the same by chance now and then, and nobody can
            // tell from a balance which of them it is.
            currency_digits: 8,
            ..AccountConfig::default()
        };
        let specs = symbols.iter().cloned();
        let specs = specs.map(|spec| (spec.symbol.clone(), Arc::new(spec)));
        let mut broker = Self {
            specs: specs.collect(),
            simulator: Simulator::new(account, symbols.clone()).unwrap(),
            now_ms: 0,
            prices: symbols
                .iter()
                .map(|spec| (spec.symbol.clone(), 110_000))
                .collect(),
            flights: Vec::new(),
            views: VecDeque::new(),
            working: VecDeque::new(),
            deals: BTreeMap::new(),
            recent: VecDeque::new(),
            purged_deals: BTreeSet::new(),
            listed: BTreeSet::new(),
            torn: BTreeSet::new(),
            seen: [0; 3],
            pushes: VecDeque::new(),
            executed: Vec::new(),
            lives: HashMap::new(),
            filled: HashMap::new(),
            flows: Money::ZERO,
            balances: BTreeSet::new(),
            garbled: Vec::new(),
            is_strange: false,
            loads: None,
            renamed: BTreeMap::new(),
            forbidden: None,
            closed: None,
            next_foreign: 1,
        };
        for spec in &symbols {
            broker.tick(&spec.symbol.clone(), 0);
        }
        broker.remember();
        broker
    }

    /// The broker's clock.
    pub fn time(&self) -> BrokerTime {
        BrokerTime(BROKER_START.0 + self.now_ms)
    }

    /// The market moves by so many points.
    pub fn tick(&mut self, symbol: &Symbol, points: i64) -> Tick {
        let (spec, time) = (self.specs[symbol].clone(), self.time());
        let price = self.prices.get_mut(symbol).unwrap();
        *price = (*price + points).clamp(90_000, 130_000);
        let tick = Tick {
            symbol: symbol.clone(),
            time,
            bid: Price::from_points(*price, spec.digits),
            ask: Price::from_points(*price + 10, spec.digits),
            last: None,
            volume: 0.0,
            flags: 6,
            is_continuous: false,
        };
        let events = self.simulator.on_tick(&tick);
        self.take(events);
        tick
    }

    fn take(&mut self, events: Vec<Event>) {
        for event in events {
            if let Event::Deal(deal) = event {
                self.note(&deal);
                self.recent.push_back((self.now_ms, deal.ticket));
                self.deals.insert(deal.ticket, (self.now_ms, deal.clone()));
                self.pushes.push_back(deal);
            }
        }
        self.remember();
    }

    fn note(&mut self, deal: &DealRow) {
        if deal.reason == DealReason::Expert {
            let (lots, points) = self.filled.entry(deal.magic).or_default();
            *lots = lots.plus(deal.lots);
            let price = deal.price.map_or(0, |price| price.points());
            *points += i128::from(price) * i128::from(deal.lots.units());
        }
        if deal.kind.is_flow() && deal.kind != DealKind::Credit {
            self.flows += deal.result();
        }
        let (Some(id), DealKind::Trade(side), Some(entry)) =
            (deal.position_id, deal.kind, deal.entry)
        else {
            return;
        };
        let life = self.lives.entry(id).or_default();
        let now = life.sizes.last().copied();
        life.sizes.push(after(now, deal, side, entry));
        let opens = deal.order == Some(Ticket(id.0)) || entry == Entry::InOut;
        life.magics.extend(opens.then_some(deal.magic));
        let is_ours = deal.magic.slot() > 0 && deal.magic.slot() < 1_000;
        if !is_ours && entry == Entry::In {
            life.foreign = life.foreign.plus(deal.lots);
        }
    }

    /// Keeps what is true now for later readers.
    fn remember(&mut self) {
        let (at, oldest) = (self.now_ms, self.now_ms - MEMORY_MS);
        let positions = self.position_rows();
        for row in &positions {
            let life = self.lives.entry(row.id).or_default();
            life.magics.insert(row.magic);
            if life.levels.last() != Some(&row.levels) {
                life.levels.push(row.levels);
            }
        }
        let account = self.account();
        self.balances.insert(account.balance - self.flows);
        self.views.push_back(View {
            at,
            account,
            positions: Arc::new(positions),
            flows: self.flows,
        });
        while self.views.len() > 1 && self.views[1].at < oldest {
            self.views.pop_front();
        }
        let orders = self.simulator.orders();
        if self
            .working
            .back()
            .is_none_or(|(_, known)| **known != orders)
        {
            self.working.push_back((at, Arc::new(orders)));
        }
        while self.working.len() > 1 && self.working[1].0 < oldest {
            self.working.pop_front();
        }
        while self.recent.front().is_some_and(|(at, _)| *at < oldest) {
            self.recent.pop_front();
        }
    }

    /// The open positions under the tickets that the rows show.
    pub fn position_rows(&mut self) -> Vec<PositionRow> {
        let mut rows = self.simulator.positions();
        let renamed = &self.renamed;
        for row in &mut rows {
            if let Some((real, shown)) = renamed.get(&row.id)
                && *real == row.ticket
            {
                row.ticket = *shown;
            }
        }
        rows
    }

    /// A broker's rollover: a position goes on under another ticket.
    pub fn rename(&mut self, dice: &mut Dice) {
        let rows = self.simulator.positions();
        let row = dice.one_of(&rows);
        if let Some(row) = row.filter(|row| !self.is_garbled(RowKind::Position, row.ticket)) {
            let shown = Ticket(3_000_000 + dice.below(1_000_000));
            self.renamed.insert(row.id, (row.ticket, shown));
        }
        let open: BTreeSet<PositionId> = rows.iter().map(|row| row.id).collect();
        self.renamed.retain(|id, _| open.contains(id));
        self.remember();
    }

    /// The account as it is.
    pub fn account(&self) -> AccountRow {
        AccountRow {
            trade_allowed: self.forbidden.is_none_or(|until| self.now_ms >= until),
            ..self.simulator.account()
        }
    }

    /// The broker archives its oldest deals.
    pub fn purge_deals(&mut self, known: impl Fn(Ticket) -> bool) {
        let old = self.now_ms - 30_000;
        let oldest = self.deals.iter().filter(|(ticket, (at, _))| {
            *at < old && !self.purged_deals.contains(ticket) && known(**ticket)
        });
        let oldest: Vec<Ticket> = oldest.map(|(ticket, _)| *ticket).take(3).collect();
        oldest.into_iter().for_each(|ticket| self.archive(ticket));
    }

    /// A deal goes, for ever.
    pub fn archive(&mut self, ticket: Ticket) {
        if let Some((_, deal)) = self.deals.get(&ticket) {
            self.torn.extend(deal.position_id);
            self.purged_deals.insert(ticket);
        }
    }

    /// True when any deal was archived.
    pub fn has_archived(&self) -> bool {
        !self.purged_deals.is_empty()
    }

    /// True for a deal that a reader who lacks it by now will never learn of.
    pub fn is_purged(&self, ticket: Ticket) -> bool {
        self.purged_deals.contains(&ticket)
    }

    /// True when such a deal is an order's.
    pub fn has_purged(&self, magic: Magic) -> bool {
        let mut purged = self.purged_deals.iter();
        purged.any(|ticket| self.deals[ticket].1.magic == magic)
    }

    /// True when such a deal is a position's.
    pub fn is_torn(&self, id: PositionId) -> bool {
        self.torn.contains(&id)
    }

    /// True where neither the deals that opened a position nor their order can be read any more.
    pub fn hides_opening(&self, id: PositionId) -> bool {
        let order = Ticket(id.0);
        let deals = self.deals.values().map(|(_, deal)| deal);
        let mut opening = deals.filter(|deal| deal.order == Some(order));
        !self.listed.contains(&order) && opening.all(|deal| self.is_purged(deal.ticket))
    }

    pub fn forbid(&mut self, ms: i64) {
        self.forbidden = Some(self.now_ms + ms);
    }

    /// The market closes for so long.
    pub fn close(&mut self, ms: i64) {
        self.closed = Some(self.now_ms + ms);
    }

    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// True when the market opens again just now.
    pub fn opens(&mut self) -> bool {
        self.closed.take_if(|until| *until <= self.now_ms).is_some()
    }

    /// Money comes in or goes out.
    pub fn book(&mut self, dice: &mut Dice) {
        let kinds = [
            DealKind::Balance,
            DealKind::Credit,
            DealKind::Correction,
            DealKind::Other,
        ];
        let kind = *dice.one_of(&kinds).unwrap();
        if self.is_closed() {
            return;
        }
        let account = self.simulator.account();
        let units = |money: Money| i64::try_from(money.units()).unwrap();
        let most = (units(account.balance).abs() / 10).max(BOOKED_UNITS);
        let mut amount = dice.between(-most, most);
        if kind == DealKind::Credit {
            // Credit never falls below nothing.
            amount = amount.max(-units(account.credit));
        }
        let amount = Money::from_units(amount.into());
        let events = self.simulator.book(kind, amount, "booked");
        self.take(events);
    }

    /// Somebody else trades: by hand, or another expert; opens, closes what is ours, or places an
    /// order.
    pub fn foreign(&mut self, dice: &mut Dice) {
        if self.is_closed() {
            return;
        }
        self.next_foreign += 1;
        // Slots are given from 1 on: these lie in none of ours.
        let expert = Magic::from_raw((1 << 52) | self.next_foreign);
        let magic = if dice.below(2) == 0 {
            Magic::NONE
        } else {
            expert
        };
        let symbols: Vec<Symbol> = self.specs.keys().cloned().collect();
        let symbol = dice.one_of(&symbols).unwrap().clone();
        let positions = self.simulator.positions();
        let side = if dice.below(2) == 0 {
            Side::Buy
        } else {
            Side::Sell
        };
        let request = match (dice.below(3), dice.one_of(&positions)) {
            (0, Some(row)) => TradeRequest::Close {
                symbol: row.symbol.clone(),
                side: row.side.opposite(),
                position: row.ticket,
                lots: Lots::from_f64(0.01).unwrap(),
                all: dice.below(2) == 0,
                max_deviation_points: None,
                magic,
                comment: Comment::default(),
            },
            (1, _) => TradeRequest::Pending {
                side: Side::Buy,
                kind: OrderType::Limit,
                lots: Lots::from_f64(0.02).unwrap(),
                price: Price::from_points(self.prices[&symbol] - 300, self.specs[&symbol].digits),
                stop_limit_price: None,
                levels: Levels::default(),
                time_in_force: TimeInForce::Gtc,
                symbol,
                magic,
                comment: Comment::default(),
            },
            _ => TradeRequest::Market {
                symbol,
                side,
                lots: Lots::from_f64(0.02).unwrap(),
                levels: Levels::default(),
                max_deviation_points: None,
                magic,
                comment: Comment::default(),
            },
        };
        let (_, events) = self.simulator.send(&request);
        self.take(events);
    }

    /// Other traders leave: their orders are gone, and the market is open.
    pub fn calm(&mut self, slots: u64) {
        self.closed = self.closed.map(|_| self.now_ms);
        self.mend_reads();
        for row in self.simulator.orders() {
            if row.magic.slot() == 0 || row.magic.slot() > slots {
                let request = TradeRequest::Cancel {
                    order: row.ticket,
                    symbol: row.symbol,
                };
                let (_, events) = self.simulator.send(&request);
                self.take(events);
            }
        }
    }

    /// The price in points.
    pub fn price(&self, symbol: &Symbol) -> i64 {
        self.prices[symbol]
    }
}

/// What a position has become by a deal.
fn after(now: Option<Size>, deal: &DealRow, side: Side, entry: Entry) -> Size {
    let points = deal.price.map_or(0, |price| price.points());
    let opened = |lots: Lots| Size {
        side,
        lots,
        weight: i128::from(points) * i128::from(lots.units()),
    };
    let Some(now) = now.filter(|now| !now.lots.is_zero()) else {
        return opened(deal.lots);
    };
    match entry {
        Entry::In => Size {
            lots: now.lots.plus(deal.lots),
            weight: now.weight + opened(deal.lots).weight,
            ..now
        },
        Entry::Out | Entry::OutBy => {
            let lots = now.lots.minus(deal.lots);
            let weight = now.points() * i128::from(lots.units());
            Size {
                lots,
                weight,
                ..now
            }
        }
        Entry::InOut => opened(deal.lots.minus(now.lots)),
    }
}
