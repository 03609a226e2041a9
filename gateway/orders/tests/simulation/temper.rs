//! What goes wrong in a run: each seed draws its own mix of faults, so that rare combinations come up.

use super::dice::Dice;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The faults there are. A run may leave out any of them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault { $($(#[$doc])* $name,)* }

        impl Fault {
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

faults! {
    /// The answer to a request never comes; the request was executed.
    AnswerLost,
    /// It comes long after the request was given up.
    AnswerLate,
    /// The request never arrives, and nobody says so.
    RequestLost,
    /// The request is executed long after it was given up.
    ExecutedLate,
    /// The broker refuses, requotes or throttles at random.
    Refusals,
    /// A change is answered as placed, and done later or never.
    Placed,
    /// Orders are filled in part.
    PartialFills,
    /// The history calls an order filled of which nothing but a part was.
    CalledFilled,
    /// Positions and account lag behind the truth.
    PositionsLag,
    /// Deals lag behind.
    DealsLag,
    /// Working and ended orders lag behind.
    OrdersLag,
    /// The broker deletes ended orders soon.
    OrdersPurged,
    /// The broker archives old deals.
    DealsPurged,
    /// Somebody else trades: by hand, or another expert.
    Foreign,
    /// Deposits, withdrawals, credits, corrections and charges.
    Balance,
    /// The link goes down and comes up.
    Outages,
    /// The process dies.
    Crashes,
    /// An older backup is restored.
    Restores,
    /// The wall clock is set.
    ClockSteps,
    /// Hours or days pass at once.
    Jumps,
    /// Rows that cannot be understood.
    Unreadable,
    /// What was told once is told again.
    Repeats,
    /// A volume limit that positions outgrow.
    SmallVolumes,
    /// The account may not trade for a while.
    Forbidden,
    /// The bridge refuses before it sends: another account, a position that is gone.
    NotSent,
    /// Commits are slow.
    SlowDisk,
    /// Rows come long after they were read.
    Stale,
    /// After a login the history is not there at once.
    HistoryLate,
    /// The market is closed for minutes or for days.
    Closures,
    /// The price jumps.
    Gaps,
    /// Positions get other tickets, as a broker's rollover gives them.
    Tickets,
    /// The account cannot be read.
    AccountUnreadable,
    /// The configuration is reloaded.
    Regrants,
    /// The process ends as it should.
    Drains,
    /// An operator decides wrongly.
    Mistakes,
}

impl Fault {
    const fn bit(self) -> u64 {
        1 << self as u64
    }
}

/// A set of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults(pub u64);

impl Faults {
    pub const EVERYTHING: Self = Self(u64::MAX);

    pub const fn without(self, fault: Fault) -> Self {
        Self(self.0 & !fault.bit())
    }

    pub const fn has(self, fault: Fault) -> bool {
        self.0 & fault.bit() != 0
    }
}

/// How often each fault comes up in a run: chances of a million at each opportunity.
#[derive(Clone, Debug)]
pub struct Temper {
    weights: Vec<u64>,
    /// While false nothing goes wrong.
    pub angry: bool,
    /// How far rows lag, milliseconds at most.
    pub lag_ms: i64,
}

impl Temper {
    /// Half of the faults, each with a weight of its own between rare and frequent.
    pub fn draw(dice: &mut Dice, allowed: Faults) -> Self {
        let weights = Fault::ALL.iter().map(|fault| {
            let drawn = dice.below(2) == 0;
            let weight = 1 << dice.between(0, 9);
            if drawn && allowed.has(*fault) {
                weight
            } else {
                0
            }
        });
        let weights = weights.collect();
        Self {
            weights,
            angry: true,
            lag_ms: dice.between(50, 3_000),
        }
    }

    /// True when the fault comes up now. `scale`: chance of a million for a weight of one.
    pub fn strikes(&self, fault: Fault, scale: u64, dice: &mut Dice) -> bool {
        let weight = self.weights[fault as usize];
        self.angry && weight > 0 && dice.chance(weight * scale)
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.weights[fault as usize] > 0
    }
}
