//! Who judges: after every step, by the broker's truth alone. It knows nothing of how the core works,
//! only what it promises.

mod end;
mod exits;
mod flat;
mod money;
mod tests;
mod told;

use super::broker::{Broker, Execution};
use crate::bench::{Disk, Shell};
use flat::Flattens;
use mymt5_guard::TradingState;
use mymt5_model::{
    ClientName, Entry, Lots, Magic, Money, OrderId, OrderState, PositionId, Reason, RequestId,
    Ticket, TradeRequest,
};
use mymt5_orders::{
    Answer, Asker, Call, ChangeAnswer, ChangeId, ChangeOutcome, Command, Job, Order, Outgoing,
    Position, Request, RequestKey, StateRow, Subject,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What is wrong, in words.
pub type Verdict = Result<(), String>;

macro_rules! ensure {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err(format!($($text)*));
        }
    };
}
pub(crate) use ensure;

/// Who waits, for what.
#[derive(Clone, Debug)]
struct Asked {
    key: RequestKey,
    cancels: bool,
}

#[derive(Default)]
pub struct Judge {
    pub max_lots: Option<Lots>,
    pub max_positions: Option<u32>,
    slots: BTreeMap<ClientName, u16>,
    /// Which process it is.
    pub life: u64,
    /// Orders that left, in whatever life; changes, in each.
    sent: HashSet<OrderId>,
    sent_changes: HashSet<(u64, ChangeId)>,
    /// Magics that were executed.
    executed: HashSet<Magic>,
    /// Changes that were executed, by the traces of their calls.
    changed: HashSet<String>,
    /// Calls for changes that were told as not done.
    undone: HashSet<String>,
    /// Orders and positions as they were told last.
    told: BTreeMap<OrderId, Order>,
    positions: BTreeMap<PositionId, Position>,
    /// Orders that were told as never executed.
    never: HashMap<Magic, OrderId>,
    told_deals: BTreeSet<Ticket>,
    /// Deals of somebody else that were not told as such yet.
    strangers: BTreeSet<Ticket>,
    flattens: Flattens,
    /// Which process may trade for each client, and until when.
    leases: BTreeMap<ClientName, (RequestId, i64)>,
    /// Which order each request led to.
    orders: HashMap<RequestKey, OrderId>,
    asked: BTreeMap<Asker, Asked>,
    /// Closes that were asked for, and their positions.
    exits: BTreeMap<Asker, (PositionId, Option<f64>)>,
    /// Adopted positions: under which magic, and for whom.
    pub adopted: HashMap<PositionId, (Magic, ClientName)>,
    /// Orders that an operator resolved, and their magics: evidence may contradict.
    pub resolved: BTreeMap<OrderId, Magic>,
    /// Orders that a restored backup does not know, and that were not executed by then.
    forgotten: HashSet<Magic>,
    sequence: u64,
    /// What the account was worth in each reading, equity and balance, flows and credit left out.
    worths: HashSet<Money>,
    /// What each client's deals made, and how that differs from what its meter counts.
    results: BTreeMap<ClientName, Money>,
    anchors: BTreeMap<ClientName, (Money, Money)>,
    /// The newest refusal, as soon as it was decided.
    pub refused: Option<(Asker, Reason)>,
    pub fills: u64,
    pub closes: u64,
    pub refusals: BTreeMap<&'static str, u64>,
}

/// The trace that a client gives a call.
pub fn trace_of(key: &RequestKey) -> String {
    format!("{}/{}", key.0, key.1)
}

/// The call that has this trace.
fn request_of(trace_id: &str) -> Option<RequestKey> {
    let (client, request) = trace_id.split_once('/')?;
    let (client, request) = (ClientName::parse(client), RequestId::parse(request));
    Some(RequestKey(client.ok()?, request.ok()?))
}

/// True for a call for a change that is kept as not done: a repeat is told so.
fn is_undone(request: &Request) -> bool {
    use ChangeOutcome::{Expired, NotDone, NotSent, Refused};
    let Subject::Change(_, _, outcome) = request.subject else {
        return false;
    };
    matches!(outcome, Refused(_) | NotSent | Expired | NotDone)
}

/// What keeps a client from opening, its own state or the account's.
fn restriction_of<'a>(client: &ClientName, disk: &'a Disk) -> Option<&'a StateRow> {
    let own = disk.states.get(&Some(client.clone()));
    let mut rows = own.into_iter().chain(disk.states.get(&None));
    rows.find(|row| row.state != TradingState::Active)
}

/// New terms of an order leave only while its client may open.
fn may_change(outgoing: &Outgoing, disk: &Disk) -> Verdict {
    let TradeRequest::ModifyOrder { order: ticket, .. } = outgoing.request else {
        return Ok(());
    };
    let mut orders = disk.orders.values();
    let order = orders.find(|order| order.ticket == Some(ticket));
    let bound = order.and_then(|order| restriction_of(&order.client, disk));
    ensure!(bound.is_none(), "new terms left though {bound:?}");
    Ok(())
}

impl Judge {
    /// Of clients that may have so many lots, and so many positions and orders that open some.
    pub fn new(max_lots: Option<Lots>, max_positions: Option<u32>) -> Self {
        Self {
            max_lots,
            max_positions,
            ..Self::default()
        }
    }

    /// A backup was restored and nothing is left of what came after: a new sequence, and whatever
    /// came after it is forgotten. What is still on its way nobody can foresee, not even by the
    /// broker's rows. `lost`: the journal in whose place the backup comes.
    pub fn forget(&mut self, lost: &Disk, disk: &Disk) {
        let orders = lost.orders.values();
        let orders = orders.filter(|order| !disk.orders.contains_key(&order.id));
        let magics = orders.map(|order| order.magic);
        let flying = magics.filter(|magic| !self.executed.contains(magic));
        self.forgotten.extend(flying);
        self.told = disk.orders.clone();
        self.positions = disk.positions.clone();
        self.told_deals = disk.deals.keys().copied().collect();
        self.orders.retain(|key, _| disk.requests.contains_key(key));
        self.never.retain(|_, id| disk.orders.contains_key(id));
        self.undone.clear();
        self.sequence = disk.events.last().map_or(0, |event| event.sequence);
        self.asked.clear();
        self.flattens = Flattens::default();
        self.leases.clear();
        self.adopted.retain(|id, _| disk.positions.contains_key(id));
        self.results.clear();
        self.anchors.clear();
    }

    /// The process died: nobody waits any more. Whatever is durable is told to who comes back.
    pub fn died(&mut self, shell: &Shell, broker: &Broker) -> Verdict {
        self.learn_slots(&shell.disk);
        self.asked.clear();
        self.leases.clear();
        let events = shell.disk.events.iter().rev();
        let untold = events.take_while(|event| event.sequence > self.sequence);
        let mut untold: Vec<_> = untold.cloned().collect();
        untold.reverse();
        for event in untold {
            self.event(&event, shell, broker)?;
        }
        self.strangers_told()?;
        self.agrees(&shell.disk)
    }

    pub fn asks(&mut self, asker: Asker, key: RequestKey) {
        let cancels = false;
        self.asked.insert(asker, Asked { key, cancels });
    }

    pub fn asks_to_cancel(&mut self, asker: Asker) {
        if let Some(asked) = self.asked.get_mut(&asker) {
            asked.cancels = true;
        }
    }

    pub fn asks_exit(&mut self, asker: Asker, position: PositionId, lots: Option<f64>) {
        self.exits.insert(asker, (position, lots));
    }

    pub fn is_waiting(&self, asker: Asker) -> bool {
        self.asked.contains_key(&asker)
    }

    /// Who still waits.
    pub fn waits(&self) -> Vec<Asker> {
        self.asked.keys().copied().collect()
    }

    fn slot_of(&self, magic: Magic) -> Option<&ClientName> {
        let mut slots = self.slots.iter();
        let found = slots.find(|(_, slot)| u64::from(**slot) == magic.slot());
        found.map(|(name, _)| name)
    }

    /// Whose a position is, under that magic.
    fn owner(&self, id: PositionId, magic: Magic) -> Option<&ClientName> {
        let adopted = self.adopted.get(&id).filter(|(of, _)| *of == magic);
        let adopted = adopted.map(|(_, client)| client);
        adopted.or_else(|| self.slot_of(magic))
    }

    /// The slots as the journal has them.
    fn learn_slots(&mut self, disk: &Disk) {
        if self.slots.len() != disk.slots.len() {
            self.slots = disk.slots.clone();
        }
    }

    /// Everything that left, was told or was answered since the last look.
    pub fn look(&mut self, shell: &mut Shell, broker: &Broker) -> Verdict {
        self.learn_slots(&shell.disk);
        for (asker, refusal) in std::mem::take(&mut shell.refused) {
            self.refused = Some((asker, refusal.reason()));
            if let Some((position, lots)) = self.exits.remove(&asker) {
                exits::may_be_refused(&refusal, shell, position, lots)?;
            }
        }
        for event in std::mem::take(&mut shell.events) {
            self.event(&event, shell, broker)?;
        }
        self.strangers_told()?;
        self.flattens_end(&shell.disk)?;
        for (asker, answer) in std::mem::take(&mut shell.answers) {
            self.answer(asker, &answer, broker)?;
        }
        Ok(())
    }

    /// A request leaves.
    pub fn leaves(&mut self, outgoing: &Outgoing, shell: &Shell) -> Verdict {
        let late = outgoing.before_ms <= shell.now.elapsed_ms;
        ensure!(!late, "a request left after its time: {outgoing:?}");
        let id = match outgoing.job {
            Job::Order(id) => id,
            Job::Change(id) => {
                let news = self.sent_changes.insert((self.life, id));
                ensure!(news, "a change was sent twice: {outgoing:?}");
                return may_change(outgoing, &shell.disk);
            }
        };
        ensure!(self.sent.insert(id), "order {id} was sent twice");
        let order = shell.disk.orders.get(&id);
        ensure!(order.is_some(), "order {id} left before it was durable");
        if let Some(order) = order
            && !matches!(outgoing.request, TradeRequest::Close { .. })
        {
            let bound = restriction_of(&order.client, &shell.disk);
            ensure!(bound.is_none(), "an entry left though {bound:?}");
            let mut open = shell.core.open_orders();
            let unknown = open.find(|of| {
                let unknown = of.state == OrderState::Unknown;
                unknown && of.symbol == order.symbol
            });
            ensure!(unknown.is_none(), "an entry left beside {unknown:?}");
        }
        Ok(())
    }

    /// The process ended as it should: what never left is not left for the next one to find out.
    pub fn stops(&self, disk: &Disk) -> Verdict {
        let mut orders = disk.orders.values();
        let waits = orders.find(|order| {
            let decided = order.state.is_final() || order.state == OrderState::Unknown;
            !decided && !self.sent.contains(&order.id)
        });
        ensure!(
            waits.is_none(),
            "not sent, and not ended at a stop: {waits:?}"
        );
        Ok(())
    }

    /// A process has the lease of its client until then; none: it gave it back.
    pub fn leases(&mut self, client: &ClientName, lease: Option<(RequestId, i64)>) {
        match lease {
            Some(lease) => drop(self.leases.insert(client.clone(), lease)),
            None => drop(self.leases.remove(client)),
        }
    }

    /// True for a call that opens something while another process has the lease.
    pub fn intrudes(&self, call: &Call, now_ms: i64) -> bool {
        let opens = matches!(call.command, Command::Submit(_) | Command::ModifyOrder(..));
        let lease = self.leases.get(&call.client);
        let lease = lease.filter(|(_, until)| now_ms < *until);
        opens && lease.is_some_and(|(process, _)| call.session.as_ref() != Some(process))
    }

    /// A request was executed.
    pub fn executes(&mut self, execution: &Execution, shell: &Shell, broker: &Broker) -> Verdict {
        let Some(magic) = execution.request.magic() else {
            return self.changes(execution, &shell.disk);
        };
        ensure!(
            self.executed.insert(magic),
            "a request was executed twice: {execution:?}"
        );
        ensure!(
            !self.never.contains_key(&magic),
            "executed though it was told that it never was: {execution:?}"
        );
        match execution.request {
            TradeRequest::Close { .. } => self.closes += 1,
            _ => self.within_limits(magic, &shell.disk, broker)?,
        }
        Ok(())
    }

    fn changes(&mut self, execution: &Execution, disk: &Disk) -> Verdict {
        let trace_id = &execution.trace_id;
        if trace_id.is_empty() {
            return Ok(());
        }
        let kept = request_of(trace_id).and_then(|key| disk.requests.get(&key));
        let undone = self.undone.contains(trace_id) || kept.is_some_and(is_undone);
        ensure!(!undone, "changed though told as not done: {execution:?}");
        let news = self.changed.insert(trace_id.clone());
        ensure!(news, "a change was executed twice: {execution:?}");
        Ok(())
    }

    /// What a client has is within its limits, whenever one of its entries was executed: but for what
    /// an operator said was not done, or accepted as unreadable, and for what a restored backup did
    /// not know though it was on its way.
    fn within_limits(&self, magic: Magic, disk: &Disk, broker: &Broker) -> Verdict {
        let Some(client) = self.slot_of(magic) else {
            return Ok(());
        };
        let is_known = |ticket: Ticket, magic: Magic| {
            let mut accepted = disk.accepted_unreadable.iter();
            let hidden = accepted.any(|row| row.ticket == ticket);
            !hidden && !self.is_unforeseen(magic)
        };
        let positions = broker.simulator.positions();
        let own: Vec<_> = positions
            .iter()
            .filter(|row| self.owner(row.id, row.magic) == Some(client))
            .filter(|row| is_known(row.ticket, row.magic))
            .collect();
        let orders = broker.simulator.orders();
        let orders: Vec<_> = orders
            .iter()
            .filter(|row| self.slot_of(row.magic) == Some(client))
            .filter(|row| is_known(row.ticket, row.magic))
            .collect();
        let held = own.iter().map(|row| {
            let life = broker.lives.get(&row.id);
            let known = row.lots.minus(self.added_by_unforeseen(row.id, broker));
            known.minus(life.map_or(Lots::ZERO, |life| life.foreign))
        });
        let held = held.fold(Lots::ZERO, Lots::plus);
        let left = orders.iter().map(|row| row.lots_left);
        let total = left.fold(held, Lots::plus);
        let within = self.max_lots.is_none_or(|most| total <= most);
        ensure!(within, "{client} has {total} lots: {:?}", self.max_lots);
        let opens = orders.iter().filter(|row| {
            let opened = row.position_id;
            !own.iter().any(|held| Some(held.id) == opened)
        });
        let count = (own.len() + opens.count()) as u32;
        let within = self.max_positions.is_none_or(|most| count <= most);
        ensure!(within, "{client} has {count} positions and orders");
        Ok(())
    }

    /// True for an order that an operator resolved, or that a restored backup did not know though it
    /// was on its way, whatever became of it.
    fn is_unforeseen(&self, magic: Magic) -> bool {
        let mut resolved = self.resolved.values();
        self.forgotten.contains(&magic) || resolved.any(|resolved| *resolved == magic)
    }

    /// Lots that such orders added to a position: on netting it keeps the magic of another order. A
    /// reversal leaves nothing but what its own order opened.
    fn added_by_unforeseen(&self, id: PositionId, broker: &Broker) -> Lots {
        let deals = broker.deals.values().map(|(_, deal)| deal);
        let own = deals.filter(|deal| deal.position_id == Some(id));
        own.fold(Lots::ZERO, |added, deal| match deal.entry {
            Some(Entry::In) if self.is_unforeseen(deal.magic) => added.plus(deal.lots),
            Some(Entry::InOut) => Lots::ZERO,
            _ => added,
        })
    }

    fn answer(&mut self, asker: Asker, answer: &Answer, broker: &Broker) -> Verdict {
        let Some(Asked { key, cancels }) = self.asked.remove(&asker) else {
            return Err(format!("an answer nobody waits for: {answer:?}"));
        };
        match answer {
            Answer::Order(order) => {
                let made = order.client == key.0 && order.request_id == key.1;
                if made {
                    let known = self.orders.insert(key.clone(), order.id);
                    let same = known.is_none_or(|known| known == order.id);
                    ensure!(same, "{key:?} led to {known:?} and to {}", order.id);
                }
                let truth = broker.filled.get(&order.magic).copied().unwrap_or_default();
                ensure!(order.filled <= truth.0, "answered as filled: {order:?}");
            }
            Answer::Change(change) => self.change(&key, cancels, change, broker)?,
            Answer::Refused(refusal) => {
                *self.refusals.entry(refusal.reason().name()).or_default() += 1;
            }
            _ => {}
        }
        Ok(())
    }

    /// A change was told as done, or as not done.
    fn change(
        &mut self,
        key: &RequestKey,
        cancels: bool,
        change: &ChangeAnswer,
        broker: &Broker,
    ) -> Verdict {
        let trace_id = trace_of(key);
        match change.outcome {
            ChangeOutcome::Done if cancels => {
                let ticket = change.order.as_ref().and_then(|order| order.ticket);
                let orders = broker.simulator.orders();
                let works = orders.iter().any(|row| Some(row.ticket) == ticket);
                ensure!(!works, "told as cancelled, and it works: {change:?}");
            }
            ChangeOutcome::Refused(_)
            | ChangeOutcome::NotSent
            | ChangeOutcome::Expired
            | ChangeOutcome::NotDone => {
                let done = self.changed.contains(&trace_id);
                ensure!(!done, "told as not done, and it was: {trace_id} {change:?}");
                self.undone.insert(trace_id);
            }
            _ => {}
        }
        Ok(())
    }
}
