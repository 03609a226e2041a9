//! Whose turn it is at the core. What ends risk goes first, beside what shows that somebody lives; of
//! all else one has its turn after every [`IN_A_ROW`] of these. Within each rank the clients take
//! turns, so that a flood keeps another client waiting for a bounded number of them.

use mymt5_model::ClientName;
use mymt5_orders::Command;
use std::collections::VecDeque;

/// What of a client may wait that ends risk. Nothing else takes that room.
const ENDS_RISK: usize = 1_024;
/// So many of the first ones are taken in a row while something else waits.
const IN_A_ROW: u32 = 8;

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
    /// Heartbeats of a client that may wait: it sends one at a time, and one that it leaves.
    const HEARTBEATS: usize = 4;

    /// The gateway's own.
    pub(super) fn own() -> Self {
        Self {
            client: ClientName::local(),
            most: Self::OWN,
        }
    }

    /// The same client's, for a heartbeat: these have room of their own.
    pub(super) fn heartbeat(&self) -> Self {
        Self {
            client: self.client.clone(),
            most: Self::HEARTBEATS,
        }
    }
}

/// What goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// First: [`Command::ends_risk`].
    EndsRisk,
    /// First as well, in lines of their own: heartbeats, and what the gateway itself asks.
    Lives,
    /// Everything else: entries, changes, reads.
    Other,
}

impl Rank {
    pub(super) const fn of(command: &Command) -> Self {
        if command.ends_risk() {
            Self::EndsRisk
        } else {
            Self::Other
        }
    }
}

/// What of a client waits in a rank.
#[derive(Debug)]
struct Line<T> {
    rank: Rank,
    client: ClientName,
    items: VecDeque<T>,
}

/// The lines that have something in them; the first is next.
type Lines<T> = VecDeque<Line<T>>;

/// What waits.
#[derive(Debug)]
pub(super) struct Turns<T> {
    first: Lines<T>,
    others: Lines<T>,
    /// Taken of the first since the last of the others.
    in_a_row: u32,
}

impl<T> Turns<T> {
    pub(super) const fn new() -> Self {
        Self {
            first: Lines::new(),
            others: Lines::new(),
            in_a_row: 0,
        }
    }

    const fn lines(&mut self, rank: Rank) -> &mut Lines<T> {
        match rank {
            Rank::EndsRisk | Rank::Lives => &mut self.first,
            Rank::Other => &mut self.others,
        }
    }

    /// Lines up behind what waits of that client. False: the client has used up its share, and the
    /// item is dropped.
    #[must_use]
    pub(super) fn push(&mut self, rank: Rank, turn: &Turn, item: T) -> bool {
        let most = match rank {
            Rank::EndsRisk => ENDS_RISK,
            Rank::Lives | Rank::Other => turn.most,
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
        let at = lines
            .iter()
            .position(|line| line.rank == rank && line.client == *client);
        let at = at.unwrap_or_else(|| {
            lines.push_back(Line {
                rank,
                client: client.clone(),
                items: VecDeque::new(),
            });
            lines.len() - 1
        });
        &mut lines[at].items
    }

    /// True where nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        let mut lines = self.first.iter().chain(&self.others);
        lines.all(|line| line.items.is_empty())
    }

    /// The next; its client is the last in turn after that.
    pub(super) fn next(&mut self) -> Option<T> {
        if self.in_a_row < IN_A_ROW
            && let Some(item) = next(&mut self.first)
        {
            self.in_a_row += 1;
            return Some(item);
        }
        self.in_a_row = 0;
        next(&mut self.others).or_else(|| next(&mut self.first))
    }
}

fn next<T>(lines: &mut Lines<T>) -> Option<T> {
    while let Some(mut line) = lines.pop_front() {
        let Some(item) = line.items.pop_front() else {
            continue;
        };
        if !line.items.is_empty() {
            lines.push_back(line);
        }
        return Some(item);
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_guard::TradingState;
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
    fn what_ends_risk_goes_first_and_takes_turns_with_what_lives() {
        let mut turns = Turns::new();
        let (flooder, other) = (turn("flooder", 9), turn("other", 9));
        for item in ["f1", "f2"] {
            assert!(turns.push(Rank::Other, &flooder, item));
        }
        for item in ["x1", "x2", "x3"] {
            assert!(turns.push(Rank::EndsRisk, &flooder, item));
        }
        assert!(turns.push(Rank::EndsRisk, &other, "exit"));
        assert!(turns.push(Rank::Lives, &flooder.heartbeat(), "beat"));
        assert!(turns.push(Rank::Lives, &Turn::own(), "own"));
        let in_turns = ["x1", "exit", "beat", "own", "x2", "x3", "f1", "f2"];
        assert_eq!(drain(&mut turns), in_turns);
    }

    #[test]
    fn a_flood_of_what_goes_first_leaves_each_other_a_turn() {
        let mut turns = Turns::new();
        let (flooder, other) = (turn("flooder", 9), turn("other", 9));
        assert!(turns.push(Rank::Other, &other, "entry"));
        assert!(turns.push(Rank::Other, &turn("operator", 9), "resolve"));
        // As soon as one is taken another one comes.
        let mut taken = Vec::new();
        for _ in 0..30 {
            while turns.push(Rank::EndsRisk, &flooder, "x") {}
            taken.extend(turns.next());
        }
        let at = |item| taken.iter().position(|it| *it == item).unwrap();
        let in_a_row = usize::try_from(IN_A_ROW).unwrap();
        assert_eq!((at("entry"), at("resolve")), (in_a_row, 2 * in_a_row + 1));
        // And another client's exit comes next but one.
        assert!(turns.push(Rank::EndsRisk, &other, "exit"));
        assert_eq!([turns.next(), turns.next()], [Some("x"), Some("exit")]);
    }

    #[test]
    fn heartbeats_have_room_of_their_own() {
        let mut turns = Turns::new();
        let flooder = turn("flooder", 1);
        while turns.push(Rank::EndsRisk, &flooder, "x") {}
        assert!(turns.push(Rank::Other, &flooder, "f"));
        let beats = || turns.push(Rank::Lives, &flooder.heartbeat(), "beat");
        let let_in = std::iter::repeat_with(beats).take(99).filter(|it| *it);
        assert_eq!(let_in.count(), Turn::HEARTBEATS);
        assert_eq!([turns.next(), turns.next()], [Some("x"), Some("beat")]);
    }

    #[test]
    fn what_an_operator_decides_is_done_in_that_order() {
        let mut turns = Turns::new();
        let (operator, other) = (turn("operator", 9), turn("other", 9));
        assert!(turns.push(Rank::EndsRisk, &other, "exit"));
        let states = [
            (TradingState::Active, "resume"),
            (TradingState::Halted, "halt"),
        ];
        for (state, item) in states {
            let set = Command::SetState {
                scope: None,
                state,
                reason: String::new(),
            };
            assert!(turns.push(Rank::of(&set), &operator, item));
        }
        assert_eq!(drain(&mut turns), ["exit", "resume", "halt"]);
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
        let mut left = drain(&mut turns);
        left.retain(|item| *item != "x");
        assert_eq!(left, ["f", "o", "f", "f's end"]);
    }

    #[test]
    fn exits_cancellations_and_trading_states_go_first_and_nothing_else() {
        let set = |state| Command::SetState {
            scope: None,
            state,
            reason: String::new(),
        };
        let unset = || Refusal::new(Reason::FieldInvalid);
        let first = [
            Command::Close(Err(unset())),
            Command::Cancel(OrderId(1)),
            Command::Flatten {
                scope: None,
                include_foreign: false,
                reason: String::new(),
            },
            set(TradingState::Halted),
            set(TradingState::Reducing),
            set(TradingState::Active),
        ];
        let others = [
            Command::Submit(Err(unset())),
            Command::ModifyOrder(OrderId(1), Err(unset())),
            Command::ModifyPosition(PositionId(1), Err(unset())),
        ];
        assert!(first.iter().all(|it| Rank::of(it) == Rank::EndsRisk));
        assert!(others.iter().all(|it| Rank::of(it) == Rank::Other));
    }
}
