//! Requests on their way: executed or not, answered or not, in time or not.

use super::{Broker, Dice, Fault, SEND_TIMEOUT_MS, Temper};
use mymt5_model::{Receipt, Retcode, RetcodeClass, Ticket, TradeRequest};
use mymt5_orders::{Job, Outgoing, SendFailure};

/// The longest that a request is executed after it was given up, and an answer comes late.
const LATE_MS: i64 = 15_000;

/// A request on its way.
#[derive(Clone, Debug)]
pub struct Flight {
    job: Job,
    /// The process that sent it.
    life: u64,
    request: TradeRequest,
    trace_id: String,
    /// When it is executed; none: never.
    executes: Option<i64>,
    /// When the answer comes; none: never.
    answers: Option<i64>,
    /// When it is given up; none: it was.
    gives_up: Option<i64>,
    outcome: Option<Result<Receipt, SendFailure>>,
}

/// What happens to a process: the answer of a request.
pub struct Answered {
    pub life: u64,
    pub job: Job,
    pub outcome: Result<Receipt, SendFailure>,
    pub late: bool,
}

/// A request that was executed, as the judge sees it.
#[derive(Clone, Debug)]
pub struct Execution {
    pub request: TradeRequest,
    pub trace_id: String,
}

impl Broker {
    /// A request arrives from a process.
    pub fn send(&mut self, life: u64, outgoing: Outgoing, temper: &Temper, dice: &mut Dice) {
        let now = self.now_ms;
        let takes = dice.between(1, 60);
        let mut flight = Flight {
            job: outgoing.job,
            life,
            request: outgoing.request,
            trace_id: outgoing.trace_id,
            executes: Some(now + takes),
            answers: Some(now + takes + dice.between(0, 40)),
            gives_up: Some(now + SEND_TIMEOUT_MS),
            outcome: None,
        };
        if temper.strikes(Fault::NotSent, 200, dice) {
            flight.executes = None;
            flight.outcome = Some(Err(SendFailure::NotSent("another account".into())));
        } else if temper.strikes(Fault::Refusals, 300, dice) {
            let codes = [
                10_004, 10_006, 10_007, 10_019, 10_020, 10_024, 10_018, 10_027,
            ];
            let code = Retcode(*dice.one_of(&codes).unwrap());
            flight.executes = None;
            flight.outcome = Some(Err(failure(code)));
        } else if matches!(flight.job, Job::Change(_)) && temper.strikes(Fault::Placed, 200, dice) {
            let later = now + dice.between(1, LATE_MS);
            flight.executes = (dice.below(2) == 0).then_some(later);
            flight.outcome = Some(Ok(Receipt::bare(Retcode::PLACED)));
        } else if temper.strikes(Fault::RequestLost, 200, dice) {
            flight.executes = None;
            flight.answers = None;
        } else if temper.strikes(Fault::ExecutedLate, 200, dice) {
            let late = now + SEND_TIMEOUT_MS + dice.between(1, LATE_MS);
            flight.executes = Some(late);
            flight.answers = (dice.below(2) == 0).then_some(late + 20);
        } else if temper.strikes(Fault::AnswerLost, 200, dice) {
            flight.answers = None;
        } else if temper.strikes(Fault::AnswerLate, 200, dice) {
            flight.answers = Some(now + SEND_TIMEOUT_MS + dice.between(1, LATE_MS));
        }
        self.flights.push(flight);
    }

    /// Executes and answers what is due.
    pub fn work(&mut self, temper: &Temper, dice: &mut Dice) -> Vec<Answered> {
        let now = self.now_ms;
        let mut answered = Vec::new();
        let mut flights = std::mem::take(&mut self.flights);
        for flight in &mut flights {
            if flight.executes.is_some_and(|at| at <= now) {
                flight.executes = None;
                flight.outcome = Some(self.execute(&flight.request, &flight.trace_id));
            }
            let late = flight.gives_up.is_none();
            if flight.answers.is_some_and(|at| at <= now)
                && let Some(outcome) = flight.outcome.clone()
            {
                flight.answers = None;
                flight.gives_up = None;
                let again = temper.strikes(Fault::Repeats, 100, dice);
                for late in [late, true].into_iter().take(1 + usize::from(again)) {
                    answered.push(Answered {
                        life: flight.life,
                        job: flight.job,
                        outcome: outcome.clone(),
                        late,
                    });
                }
            } else if flight.gives_up.is_some_and(|at| at <= now) {
                flight.gives_up = None;
                answered.push(Answered {
                    life: flight.life,
                    job: flight.job,
                    outcome: Err(SendFailure::Unknown("no answer in time".into())),
                    late: false,
                });
            }
        }
        flights.retain(|flight| {
            flight.executes.is_some() || flight.answers.is_some() || flight.gives_up.is_some()
        });
        flights.append(&mut self.flights);
        self.flights = flights;
        answered
    }

    fn execute(&mut self, request: &TradeRequest, trace_id: &str) -> Result<Receipt, SendFailure> {
        if !self.account().trade_allowed {
            return Err(failure(Retcode::SERVER_DISABLES_AT));
        }
        if self.is_closed() {
            return Err(failure(Retcode::MARKET_CLOSED));
        }
        let Some(real) = self.with_real_ticket(request.clone()) else {
            return Err(failure(Retcode::POSITION_CLOSED));
        };
        let (receipt, events) = self.simulator.send(&real);
        self.take(events);
        if receipt.retcode.class() != RetcodeClass::Accepted {
            return Err(failure(receipt.retcode));
        }
        self.executed.push(Execution {
            request: request.clone(),
            trace_id: trace_id.to_owned(),
        });
        Ok(receipt)
    }

    /// The request as the account knows its position; none: the ticket is one of the past.
    fn with_real_ticket(&self, mut request: TradeRequest) -> Option<TradeRequest> {
        if let TradeRequest::Close { position, .. }
        | TradeRequest::ModifyPosition { position, .. } = &mut request
        {
            *position = self.real_ticket(*position)?;
        }
        Some(request)
    }

    fn real_ticket(&self, shown: Ticket) -> Option<Ticket> {
        let mut renamed = self.renamed.values();
        if let Some((real, _)) = renamed.find(|(_, new)| *new == shown) {
            return Some(*real);
        }
        let past = self.renamed.values().any(|(real, _)| *real == shown);
        (!past).then_some(shown)
    }

    /// Requests of a process that wait for their answer.
    pub fn in_flight(&self, life: u64) -> usize {
        let own = self.flights.iter().filter(|flight| flight.life == life);
        own.filter(|flight| flight.gives_up.is_some()).count()
    }

    /// True while a request with that may still be executed.
    pub fn may_execute(&self, is_it: impl Fn(&TradeRequest) -> bool) -> bool {
        let mut flights = self.flights.iter();
        flights.any(|flight| flight.executes.is_some() && is_it(&flight.request))
    }
}

fn failure(code: Retcode) -> SendFailure {
    match code.class() {
        RetcodeClass::BackOff => SendFailure::Throttled(code),
        RetcodeClass::Unknown => SendFailure::Unknown(code.to_string()),
        _ => SendFailure::Rejected(code),
    }
}
