//! Whose turn it is at the core. What ends risk goes before everything else; within each rank the
//! clients take turns, so that no flood keeps another client waiting for more than one turn of each.

use mymt5_guard::TradingState;
use mymt5_model::ClientName;
use mymt5_orders::Command;
use std::collections::VecDeque;

/// What of a client may wait that ends risk. Nothing else takes that room.
const ENDS_RISK: usize = 1_024;

/// On whose account something waits for the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who takes turns with the other clients.
    pub client: ClientName,
    /// Most that may wait of that client, what ends risk aside.
    pub most: usize,
}

impl Turn {
    /// What the gateway itself asks that may wait.
    const OWN: usize = 256;

    /// The gateway's own.
    pub(super) fn own() -> Self {
        Self {
            client: ClientName::local(),
            most: Self::OWN,
        }
    }
}

/// What goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// Exits, cancellations, and an operator's halt, reduce and flatten.
    EndsRisk,
    /// Everything else: entries, changes, reads.
    Other,
}

impl Rank {
    pub(super) const fn of(command: &Command) -> Self {
        match command {
            Command::Close(_)
            | Command::Cancel(_)
            | Command::Flatten { .. }
            | Command::SetState {
                state: TradingState::Halted | TradingState::Reducing,
                ..
            } => Self::EndsRisk,
            Command::Submit(_)
            | Command::ModifyOrder(..)
            | Command::ModifyPosition(..)
            | Command::SetState {
                state: TradingState::Active,
                ..
            }
            | Command::Resolve { .. }
            | Command::Adopt { .. }
            | Command::Accept { .. } => Self::Other,
        }
    }
}

/// A line for each client that has something in it; the first client is next.
type Lines<T> = VecDeque<(ClientName, VecDeque<T>)>;

/// What waits.
#[derive(Debug)]
pub(super) struct Turns<T> {
    ends_risk: Lines<T>,
    others: Lines<T>,
}

impl<T> Turns<T> {
    pub(super) const fn new() -> Self {
        Self {
            ends_risk: Lines::new(),
            others: Lines::new(),
        }
    }

    const fn lines(&mut self, rank: Rank) -> &mut Lines<T> {
        match rank {
            Rank::EndsRisk => &mut self.ends_risk,
            Rank::Other => &mut self.others,
        }
    }

    /// Lines up behind what waits of that client. False: the client has used up its share, and the
    /// item is dropped.
    #[must_use]
    pub(super) fn push(&mut self, rank: Rank, turn: &Turn, item: T) -> bool {
        let most = match rank {
            Rank::EndsRisk => ENDS_RISK,
            Rank::Other => turn.most,
        };
        let line = self.line(rank, &turn.client);
        if line.len() >= most {
            return false;
        }
        line.push_back(item);
        true
    }

    /// Lines up what belongs to something that was let in before, whatever else waits.
    pub(super) fn follow(&mut self, rank: Rank, client: &ClientName, item: T) {
        self.line(rank, client).push_back(item);
    }

    fn line(&mut self, rank: Rank, client: &ClientName) -> &mut VecDeque<T> {
        let lines = self.lines(rank);
        let at = lines.iter().position(|(of, _)| of == client);
        let at = at.unwrap_or_else(|| {
            lines.push_back((client.clone(), VecDeque::new()));
            lines.len() - 1
        });
        &mut lines[at].1
    }

    /// The next; its client is the last in turn after that.
    pub(super) fn next(&mut self) -> Option<T> {
        next(&mut self.ends_risk).or_else(|| next(&mut self.others))
    }
}

fn next<T>(lines: &mut Lines<T>) -> Option<T> {
    while let Some((client, mut line)) = lines.pop_front() {
        let Some(item) = line.pop_front() else {
            continue;
        };
        if !line.is_empty() {
            lines.push_back((client, line));
        }
        return Some(item);
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::{OrderId, PositionId, Reason, Refusal};

    fn turn(client: &str, most: usize) -> Turn {
        Turn {
            client: ClientName::parse(client).unwrap(),
            most,
        }
    }

    fn drain(turns: &mut Turns<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| turns.next()).collect()
    }

    #[test]
    fn one_that_floods_keeps_another_waiting_for_one_turn() {
        let mut turns = Turns::new();
        let (flooder, alpha, beta) = (turn("flooder", 9), turn("alpha", 9), turn("beta", 9));
        for item in ["f1", "f2", "f3", "f4"] {
            assert!(turns.push(Rank::Other, &flooder, item));
        }
        assert!(turns.push(Rank::Other, &alpha, "a1"));
        assert!(turns.push(Rank::Other, &alpha, "a2"));
        assert!(turns.push(Rank::Other, &beta, "b1"));
        assert_eq!(turns.next(), Some("f1"));
        assert_eq!(drain(&mut turns), ["a1", "b1", "f2", "a2", "f3", "f4"]);
    }

    #[test]
    fn what_ends_risk_goes_before_everything_of_everybody() {
        let mut turns = Turns::new();
        let (flooder, other) = (turn("flooder", 9), turn("other", 9));
        for item in ["f1", "f2"] {
            assert!(turns.push(Rank::Other, &flooder, item));
        }
        for item in ["x1", "x2", "x3"] {
            assert!(turns.push(Rank::EndsRisk, &flooder, item));
        }
        assert!(turns.push(Rank::EndsRisk, &other, "exit"));
        let in_turns = ["x1", "exit", "x2", "x3", "f1", "f2"];
        assert_eq!(drain(&mut turns), in_turns);
    }

    #[test]
    fn a_share_that_is_used_up_leaves_exits_and_others_their_room() {
        let mut turns = Turns::new();
        let (flooder, other) = (turn("flooder", 2), turn("other", 1));
        let let_in = (0..9).filter(|_| turns.push(Rank::Other, &flooder, "f"));
        assert_eq!(let_in.count(), 2);
        assert!(turns.push(Rank::Other, &other, "o"));
        assert!(!turns.push(Rank::Other, &other, "o"));
        let exits = (0..2 * ENDS_RISK).filter(|_| turns.push(Rank::EndsRisk, &flooder, "x"));
        assert_eq!(exits.count(), ENDS_RISK);
        assert!(turns.push(Rank::EndsRisk, &other, "x"));
        turns.follow(Rank::Other, &flooder.client, "f's end");
        let left = drain(&mut turns).split_off(ENDS_RISK + 1);
        assert_eq!(left, ["f", "o", "f", "f's end"]);
    }

    #[test]
    fn exits_cancellations_and_halts_end_risk_and_nothing_else() {
        let set = |state| Command::SetState {
            scope: None,
            state,
            reason: String::new(),
        };
        let unset = || Refusal::new(Reason::FieldInvalid);
        let ends_risk = [
            Command::Close(Err(unset())),
            Command::Cancel(OrderId(1)),
            Command::Flatten {
                scope: None,
                include_foreign: false,
                reason: String::new(),
            },
            set(TradingState::Halted),
            set(TradingState::Reducing),
        ];
        let others = [
            Command::Submit(Err(unset())),
            Command::ModifyOrder(OrderId(1), Err(unset())),
            Command::ModifyPosition(PositionId(1), Err(unset())),
            set(TradingState::Active),
        ];
        assert!(ends_risk.iter().all(|it| Rank::of(it) == Rank::EndsRisk));
        assert!(others.iter().all(|it| Rank::of(it) == Rank::Other));
    }
}
