//! What waits to be sent. Exits go first, then what else protects, then the rest; the clients take
//! turns, and each has its own share of what may wait. Nothing leaves before its intent is durable, and
//! no more at a time than the broker takes.

use crate::{ChangeId, outbox::Job, time::Now};
use mymt5_guard::Action;
use mymt5_model::{ClientName, OrderId, TradeRequest};
use std::collections::VecDeque;

/// Exits of a client that may wait, and as many changes that protect.
const MOST_URGENT: usize = 512;
/// What else of a client may wait.
const MOST_OTHERS: usize = 256;

/// How urgent a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// It closes a position.
    Exit,
    /// It cancels, or tightens a stop loss.
    Protects,
    /// Everything else.
    Other,
}

impl Urgency {
    /// How urgent an action is.
    pub(crate) const fn of(action: Action) -> Self {
        match action {
            Action::Exit => Self::Exit,
            Action::Cancel | Action::TightenStop => Self::Protects,
            Action::Open | Action::LoosenStop => Self::Other,
        }
    }
}

/// One request that waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) job: Job,
    pub(crate) client: ClientName,
    pub(crate) urgency: Urgency,
    pub(crate) request: TradeRequest,
    /// Must have left by then, on the clock that never goes back.
    pub(crate) before_ms: i64,
    pub(crate) trace_id: String,
    /// So many records must be durable first; set at the end of the step that made it.
    needs: u64,
}

impl Waiting {
    pub(crate) const fn new(
        job: Job,
        client: ClientName,
        urgency: Urgency,
        request: TradeRequest,
        before_ms: i64,
        trace_id: String,
    ) -> Self {
        Self {
            job,
            client,
            urgency,
            request,
            before_ms,
            trace_id,
            needs: u64::MAX,
        }
    }
}

/// Requests of one urgency: a line for each client that has something in it, the first client is
/// next.
#[derive(Debug, Default)]
struct Lines(VecDeque<(ClientName, VecDeque<Waiting>)>);

impl Lines {
    fn push(&mut self, waiting: Waiting) {
        let mut lines = self.0.iter_mut();
        match lines.find(|(client, _)| *client == waiting.client) {
            Some((_, line)) => line.push_back(waiting),
            None => {
                let client = waiting.client.clone();
                self.0.push_back((client, VecDeque::from([waiting])));
            }
        }
    }

    /// The next that may leave; its client is the last in turn after that.
    fn next(&mut self, durable: u64) -> Option<Waiting> {
        for _ in 0..self.0.len() {
            let (client, mut line) = self.0.pop_front()?;
            let is_ready = line.front().is_some_and(|first| first.needs <= durable);
            let next = if is_ready { line.pop_front() } else { None };
            if !line.is_empty() {
                self.0.push_back((client, line));
            }
            if next.is_some() {
                return next;
            }
        }
        None
    }

    fn retain(&mut self, keep: &mut impl FnMut(&Waiting) -> bool) {
        for (_, line) in &mut self.0 {
            line.retain(&mut *keep);
        }
        self.0.retain(|(_, line)| !line.is_empty());
    }

    fn len_of(&self, client: &ClientName) -> usize {
        let mut lines = self.0.iter();
        let line = lines.find(|(of, _)| of == client);
        line.map_or(0, |(_, line)| line.len())
    }

    fn len(&self) -> usize {
        self.0.iter().map(|(_, line)| line.len()).sum()
    }
}

/// The waiting requests.
#[derive(Debug)]
pub(crate) struct Queue {
    exits: Lines,
    protecting: Lines,
    others: Lines,
    /// Made in this step.
    fresh: Vec<Waiting>,
    /// Their turn came, and they wait for more than that.
    put_off: Vec<Waiting>,
    durable: u64,
    in_flight: usize,
    max_in_flight: usize,
}

impl Queue {
    /// For a broker that takes so many requests at a time.
    pub(crate) fn new(max_in_flight: usize) -> Self {
        Self {
            exits: Lines::default(),
            protecting: Lines::default(),
            others: Lines::default(),
            fresh: Vec::new(),
            put_off: Vec::new(),
            durable: 0,
            in_flight: 0,
            max_in_flight,
        }
    }

    pub(crate) fn push(&mut self, waiting: Waiting) {
        self.fresh.push(waiting);
    }

    /// The end of a step: what it made needs all that is recorded by now.
    pub(crate) fn seal(&mut self, recorded: u64) {
        for mut waiting in std::mem::take(&mut self.fresh) {
            waiting.needs = recorded;
            self.line_up(waiting);
        }
    }

    /// Gives back the place in flight of what cannot leave yet: its turn comes again with
    /// [`Queue::resume`].
    pub(crate) fn put_off(&mut self, waiting: Waiting) {
        self.put_off.push(waiting);
        self.free();
    }

    /// The begin of a step's sends: it may have brought what was waited for.
    pub(crate) fn resume(&mut self) {
        for waiting in std::mem::take(&mut self.put_off) {
            self.line_up(waiting);
        }
    }

    fn line_up(&mut self, waiting: Waiting) {
        match waiting.urgency {
            Urgency::Exit => self.exits.push(waiting),
            Urgency::Protects => self.protecting.push(waiting),
            Urgency::Other => self.others.push(waiting),
        }
    }

    pub(crate) const fn durable(&mut self, records: u64) {
        self.durable = records;
    }

    pub(crate) const fn is_durable(&self) -> u64 {
        self.durable
    }

    /// The next request that may leave; it takes a place in flight.
    pub(crate) fn next(&mut self) -> Option<Waiting> {
        if self.in_flight >= self.max_in_flight {
            return None;
        }
        let durable = self.durable;
        let next = self.exits.next(durable);
        let next = next.or_else(|| self.protecting.next(durable));
        let next = next.or_else(|| self.others.next(durable));
        self.in_flight += usize::from(next.is_some());
        next
    }

    /// A place in flight is free again.
    pub(crate) const fn free(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Takes out what must have left by now.
    pub(crate) fn expired(&mut self, now: Now) -> Vec<Job> {
        let mut expired = Vec::new();
        self.retain(&mut |waiting| {
            let keeps = waiting.before_ms > now.elapsed_ms;
            if !keeps {
                expired.push(waiting.job);
            }
            keeps
        });
        expired
    }

    /// Takes out all that waits; nothing leaves from now on.
    pub(crate) fn close(&mut self) -> Vec<Job> {
        self.max_in_flight = 0;
        let mut unsent: Vec<Job> = self.fresh.drain(..).map(|fresh| fresh.job).collect();
        self.retain(&mut |waiting| {
            unsent.push(waiting.job);
            false
        });
        unsent
    }

    /// Takes out one request that is not wanted any more. False: it left already.
    pub(crate) fn withdraw(&mut self, job: Job) -> bool {
        let mut withdrawn = false;
        let keep = &mut |waiting: &Waiting| {
            withdrawn |= waiting.job == job;
            waiting.job != job
        };
        self.fresh.retain(&mut *keep);
        self.retain(keep);
        withdrawn
    }

    fn retain(&mut self, keep: &mut impl FnMut(&Waiting) -> bool) {
        self.put_off.retain(&mut *keep);
        self.exits.retain(keep);
        self.protecting.retain(keep);
        self.others.retain(keep);
    }

    /// True while a client has not used up its share of what may wait with that urgency.
    pub(crate) fn has_room(&self, client: &ClientName, urgency: Urgency) -> bool {
        let (lines, most) = match urgency {
            Urgency::Exit => (&self.exits, MOST_URGENT),
            Urgency::Protects => (&self.protecting, MOST_URGENT),
            Urgency::Other => (&self.others, MOST_OTHERS),
        };
        lines.len_of(client) < most
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        let lines = [&self.exits, &self.protecting, &self.others];
        let lines: usize = lines.map(Lines::len).into_iter().sum();
        self.fresh.len() + self.put_off.len() + lines
    }
}

/// The job of an order.
impl From<OrderId> for Job {
    fn from(id: OrderId) -> Self {
        Self::Order(id)
    }
}

/// The job of a change.
impl From<ChangeId> for Job {
    fn from(id: ChangeId) -> Self {
        Self::Change(id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::{Symbol, Ticket, UtcTime};

    fn waiting(id: u64, client: &str, urgency: Urgency) -> Waiting {
        let request = TradeRequest::Cancel {
            order: Ticket(id),
            symbol: Symbol::parse("EURUSD").unwrap(),
        };
        let client = ClientName::parse(client).unwrap();
        Waiting::new(
            Job::Order(OrderId(id)),
            client,
            urgency,
            request,
            1_000,
            String::new(),
        )
    }

    fn drain(queue: &mut Queue) -> Vec<u64> {
        let mut order = Vec::new();
        while let Some(waiting) = queue.next() {
            if let Job::Order(id) = waiting.job {
                order.push(id.0);
            }
        }
        order
    }

    #[test]
    fn exits_go_first_and_clients_take_turns() {
        let mut queue = Queue::new(100);
        for id in 1..=3 {
            queue.push(waiting(id, "flooder", Urgency::Other));
        }
        queue.push(waiting(4, "alpha", Urgency::Other));
        queue.push(waiting(5, "alpha", Urgency::Protects));
        queue.push(waiting(6, "flooder", Urgency::Exit));
        queue.seal(0);
        assert_eq!(drain(&mut queue), [6, 5, 1, 4, 2, 3]);
    }

    #[test]
    fn nothing_leaves_before_it_is_durable_or_beyond_what_the_broker_takes() {
        let mut queue = Queue::new(1);
        queue.push(waiting(1, "alpha", Urgency::Other));
        queue.seal(3);
        queue.push(waiting(2, "beta", Urgency::Other));
        queue.seal(5);
        assert!(drain(&mut queue).is_empty());
        queue.durable(4);
        assert_eq!(drain(&mut queue), [1]);
        queue.durable(5);
        assert!(drain(&mut queue).is_empty());
        queue.free();
        assert_eq!(drain(&mut queue), [2]);
    }

    #[test]
    fn what_waited_too_long_is_taken_out() {
        let mut queue = Queue::new(1);
        queue.push(waiting(1, "alpha", Urgency::Other));
        queue.push(waiting(2, "alpha", Urgency::Exit));
        queue.seal(0);
        let at = |elapsed_ms| Now {
            utc: UtcTime(0),
            elapsed_ms,
        };
        assert!(queue.expired(at(999)).is_empty());
        assert_eq!(queue.expired(at(1_000)).len(), 2);
        assert_eq!(queue.len(), 0);
    }
}
