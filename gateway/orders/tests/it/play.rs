//! Whatever happens in whatever order: who asks is answered once, what is told is what is kept, and
//! once the faults are over everything ends as the broker has it.

use crate::bench::{rows::*, scenes::*};
use mymt5_guard::TradingState;
use mymt5_model::{
    AccountMode, DealReason, DealRow, Lots, OrderId, PositionId, Receipt, Retcode, RowState, Side,
};
use mymt5_orders::{
    Asker, ChangeOutcome, Command, Event, Input, Job, NewOrder, Order, Resolution, Snapshot,
    Subject,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Deed {
    Submit(u8),
    Pending(u8),
    Close(u8),
    Cancel(u8),
    Reprice(u8),
    Stop(u8),
    Beat(u8),
    Check,
    State(bool),
    Flatten,
    Resolve(u8, bool),
    Obey,
    Lose,
    LoseAnswer,
    Part,
    Placed,
    NotSent,
    LateAnswer,
    Remove(u8),
    Rows,
    Pass,
    Live,
    Link(bool),
    Fill(u8, bool),
    StopOut(u8),
    Hand(u8),
    Crash,
    Hide,
    Keep,
    Stale,
    Mend,
}

fn deed() -> impl Strategy<Value = Deed> {
    use Deed as D;
    prop_oneof![
        8 => (0..40u8).prop_map(D::Submit),
        8 => (0..40u8).prop_map(D::Pending),
        3 => (0..4u8).prop_map(D::Close),
        3 => (0..6u8).prop_map(D::Cancel),
        3 => (0..6u8).prop_map(D::Reprice),
        3 => (0..4u8).prop_map(D::Stop),
        1 => (0..2u8).prop_map(D::Beat),
        1 => Just(D::Check),
        1 => any::<bool>().prop_map(D::State),
        1 => Just(D::Flatten),
        1 => (0..6u8, any::<bool>()).prop_map(|(n, ends)| D::Resolve(n, ends)),
        16 => Just(D::Obey),
        1 => Just(D::Lose),
        2 => Just(D::LoseAnswer),
        2 => Just(D::Part),
        2 => Just(D::Placed),
        1 => Just(D::NotSent),
        1 => Just(D::LateAnswer),
        1 => (0..4u8).prop_map(D::Remove),
        2 => Just(D::Rows),
        2 => Just(D::Pass),
        3 => Just(D::Live),
        1 => any::<bool>().prop_map(D::Link),
        3 => (0..4u8, any::<bool>()).prop_map(|(n, told)| D::Fill(n, told)),
        1 => (0..4u8).prop_map(D::StopOut),
        1 => (0..4u8).prop_map(D::Hand),
        1 => Just(D::Crash),
        1 => Just(D::Hide),
        6 => Just(D::Mend),
        2 => Just(D::Keep),
        2 => Just(D::Stale),
    ]
}

fn mode() -> impl Strategy<Value = AccountMode> {
    prop_oneof![Just(AccountMode::Hedging), Just(AccountMode::Netting)]
}

struct Play {
    scene: Scene,
    askers: Vec<Asker>,
    given_up: Vec<Job>,
    /// Deals that the history does not show yet.
    hidden: Vec<DealRow>,
    /// Rows that were read, and come late.
    stale: Option<Snapshot>,
    count: usize,
}

impl Play {
    fn request(&mut self) -> String {
        self.count += 1;
        format!("r{}", self.count)
    }

    fn order(&self, n: u8) -> Option<OrderId> {
        let orders = self.scene.shell.disk.orders.keys();
        orders.rev().nth(usize::from(n)).copied()
    }

    fn position(&self, n: u8) -> u64 {
        let held = self.scene.positions.get(usize::from(n));
        held.map_or(1, |held| held.id.0)
    }

    fn ask(&mut self, command: Command) {
        let request = self.request();
        let asker = self.scene.ask("local", &request, command);
        self.askers.push(asker);
    }

    fn play(&mut self, deed: Deed) {
        match deed {
            Deed::Submit(n) => {
                let side = if n % 2 == 0 { Side::Buy } else { Side::Sell };
                let new = NewOrder { side, ..buy(0.1) };
                let asker = self.scene.submit("alpha", &format!("s{n}"), new);
                self.askers.push(asker);
            }
            Deed::Pending(n) => {
                let new = buy_limit(0.1, BID - 1_000);
                let asker = self.scene.submit("beta", &format!("p{n}"), new);
                self.askers.push(asker);
            }
            Deed::Close(n) => {
                let position = self.position(n);
                self.ask(Command::Close(Ok(exit(position, None))));
            }
            Deed::Cancel(n) => {
                let order = self.order(n).unwrap_or(OrderId(1));
                self.ask(Command::Cancel(order));
            }
            Deed::Reprice(n) => {
                let order = self.order(n).unwrap_or(OrderId(1));
                let request = self.request();
                let to = BID - 900 - i64::from(n);
                let asker = self.scene.reprice("local", &request, order, to);
                self.askers.push(asker);
            }
            Deed::Stop(n) => {
                let position = PositionId(self.position(n));
                let edit = stop_at(BID - 500 - i64::from(n));
                self.ask(Command::ModifyPosition(position, Ok(edit)));
            }
            Deed::Beat(n) => drop(self.scene.beat("alpha", &format!("b{n}"), n == 1)),
            Deed::Check => drop(self.scene.check("alpha", buy(0.1))),
            Deed::State(active) => {
                let state = if active {
                    TradingState::Active
                } else {
                    TradingState::Reducing
                };
                self.ask(Command::SetState {
                    scope: None,
                    state,
                    reason: String::new(),
                });
            }
            Deed::Flatten => self.ask(Command::Flatten {
                scope: Some(name("beta")),
                include_foreign: false,
                reason: String::new(),
            }),
            Deed::Resolve(n, ends) => {
                let order = self.order(n).unwrap_or(OrderId(1));
                let resolution = if ends {
                    Resolution::NotDone
                } else {
                    Resolution::Reconcile
                };
                self.ask(Command::Resolve {
                    order,
                    resolution,
                    reason: String::new(),
                });
            }
            Deed::LateAnswer => {
                if let Some(job) = self.given_up.pop() {
                    self.scene.say_late(job, lost());
                }
            }
            Deed::Remove(n) => {
                if let Some(row) = self.scene.orders.get(usize::from(n)) {
                    let ticket = row.ticket;
                    self.scene.remove(ticket, RowState::Expired).unwrap();
                }
            }
            Deed::Rows => self.scene.rows(),
            Deed::Pass => self.scene.pass(),
            Deed::Live => self.scene.live(7),
            Deed::Link(up) => self.scene.shell.feed(Input::Link(up)),
            Deed::Fill(n, told) => {
                if let Some(row) = self.scene.orders.get(usize::from(n)) {
                    let ticket = row.ticket;
                    let deal = self.scene.fill_pending(ticket, lots(0.05));
                    if told {
                        self.scene.shell.feed(Input::Deal(deal));
                    }
                }
            }
            Deed::StopOut(n) => {
                if let Some(held) = self.scene.positions.get(usize::from(n)).cloned() {
                    self.scene.reduce(held.id, held.lots, held.magic);
                    let deal = self.scene.deals.last_mut().unwrap();
                    deal.reason = DealReason::StopOut;
                }
            }
            Deed::Hand(n) => {
                if let Some(held) = self.scene.positions.get(usize::from(n)).cloned() {
                    let deal = self.scene.close_by_hand(held.id.0, 0.01);
                    self.scene.shell.feed(Input::Deal(deal));
                }
            }
            Deed::Hide => self.hidden.extend(self.scene.deals.pop()),
            Deed::Keep => self.stale = Some(self.scene.snapshot()),
            Deed::Stale => {
                if let Some(rows) = self.stale.take() {
                    self.scene.shell.feed(Input::Rows(rows));
                }
            }
            Deed::Mend => {
                self.scene.deals.append(&mut self.hidden);
                if !self.scene.shell.core.link_is_up() {
                    self.scene.connect();
                }
                self.scene.live(6);
                self.play(Deed::State(true));
            }
            Deed::Crash => {
                self.stale = None;
                self.askers.clear();
                self.given_up.clear();
                self.scene.shell.crash();
                self.scene.connect();
            }
            Deed::Obey
            | Deed::Lose
            | Deed::LoseAnswer
            | Deed::Part
            | Deed::Placed
            | Deed::NotSent => self.answer(&deed),
        }
    }

    fn answer(&mut self, deed: &Deed) {
        let Some(first) = self.scene.shell.sent.first() else {
            return;
        };
        let changes = matches!(first.job, Job::Change(_));
        let sent = match deed {
            Deed::Placed if changes => {
                let sent = self.scene.sent();
                let placed = Receipt::bare(Retcode::PLACED);
                self.scene.say(sent.job, Ok(placed));
                sent
            }
            Deed::Obey | Deed::Placed => self.scene.obey(),
            Deed::Lose => self.scene.lose(),
            Deed::LoseAnswer => self.scene.lose_answer(),
            Deed::Part => {
                let sent = self.scene.sent();
                let outcome = self.scene.execute_part(&sent);
                self.scene.say(sent.job, outcome);
                sent
            }
            _ => {
                let sent = self.scene.sent();
                self.scene.say(sent.job, not_sent());
                sent
            }
        };
        self.given_up.push(sent.job);
    }

    /// The faults are over: everything must end.
    fn heal(&mut self) {
        self.scene.shell.feed(Input::Link(false));
        while !self.scene.shell.sent.is_empty() {
            self.scene.lose();
        }
        self.scene.deals.append(&mut self.hidden);
        self.scene.connect();
        self.scene.live_and_obey(500);
    }

    fn after(mode: AccountMode, deeds: Vec<Deed>) -> Self {
        let scene = match mode {
            AccountMode::Hedging => scene(),
            AccountMode::Netting => netting_scene(),
        };
        let mut play = Self {
            scene,
            askers: Vec::new(),
            given_up: Vec::new(),
            hidden: Vec::new(),
            stale: None,
            count: 0,
        };
        deeds.into_iter().for_each(|deed| play.play(deed));
        play
    }

    fn each_is_answered_once(&self) -> bool {
        let answers = self.askers.iter().map(|asker| self.scene.answers(*asker));
        answers.into_iter().all(|answers| answers.len() == 1)
    }
}

/// Each order as the events tell it last.
fn told_last(scene: &Scene) -> BTreeMap<OrderId, &Order> {
    let told = scene.events().filter_map(|event| match event {
        Event::Order(order) => Some((order.id, &**order)),
        _ => None,
    });
    told.collect()
}

fn filled_by_deals(scene: &Scene, order: OrderId) -> Lots {
    let deals = scene.shell.disk.deals.values();
    let own = deals.filter(|owned| owned.order == Some(order));
    own.fold(Lots::ZERO, |sum, owned| sum.plus(owned.deal.lots))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn everybody_who_asks_is_answered_exactly_once(
        mode in mode(), deeds in prop::collection::vec(deed(), 1..160)
    ) {
        let mut play = Play::after(mode, deeds);
        for asker in play.askers.clone() {
            play.scene.give_up(asker);
        }
        prop_assert!(play.each_is_answered_once());
        play.heal();
        prop_assert!(play.each_is_answered_once());
    }

    #[test]
    fn everything_ends_as_the_broker_has_it_once_the_faults_are_over(
        mode in mode(), deeds in prop::collection::vec(deed(), 1..160)
    ) {
        let mut play = Play::after(mode, deeds);
        play.heal();
        let scene = &play.scene;
        let unsettled = scene.shell.core.open_orders().filter(|order| !order.works());
        prop_assert_eq!(unsettled.count(), 0);
        let open = scene.shell.disk.requests.values().filter(|request| {
            let Subject::Change(_, _, outcome) = request.subject else { return false };
            matches!(outcome, ChangeOutcome::Pending | ChangeOutcome::Unknown)
        });
        prop_assert_eq!(open.count(), 0);
        let held = scene.shell.core.book().positions();
        let held: Vec<_> = held.map(|held| (held.row.id, held.row.lots)).collect();
        let mut rows: Vec<_> = scene.positions.iter().map(|row| (row.id, row.lots)).collect();
        rows.sort();
        prop_assert_eq!(held, rows);
        let works = scene.shell.core.open_orders().filter_map(|order| order.ticket);
        let mut works: Vec<_> = works.collect();
        works.sort();
        let listed: Vec<_> = scene.orders.iter().map(|row| row.ticket).collect();
        prop_assert_eq!(works, listed);
    }

    #[test]
    fn what_is_told_last_is_what_is_kept_and_what_the_deals_say(
        mode in mode(), deeds in prop::collection::vec(deed(), 1..160)
    ) {
        let mut play = Play::after(mode, deeds);
        play.heal();
        let told = told_last(&play.scene);
        for (id, kept) in &play.scene.shell.disk.orders {
            let told = told[id];
            prop_assert_eq!(
                (told.state, told.lots, told.filled, told.price),
                (kept.state, kept.lots, kept.filled, kept.price)
            );
            prop_assert_eq!(kept.filled, filled_by_deals(&play.scene, *id));
        }
        let refused = play.scene.notices("transition_refused");
        prop_assert_eq!(refused + play.scene.notices("overfilled"), 0);
    }
}
