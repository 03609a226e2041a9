//! What happens to a send: by the seed and the send's number, so that a restarted broker goes on
//! with the same plan.

use crate::dice::Dice;
use mymt5_model::Retcode;
use serde::{Deserialize, Serialize};

/// What the broker does to one send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Fault {
    /// None: executes and answers.
    Execute,
    /// Answers with a code that refuses, or that says nothing; nothing is done.
    Refuse(u32),
    /// Nothing is done and nothing answered.
    Lose,
    /// Executes, never answers.
    Silence,
    /// Executes, and answers when the gateway waits no more.
    Delay,
    /// Answers nothing, and executes when the gateway has given up looking.
    Late,
    /// Dies with nothing done.
    DieBefore,
    /// Dies with everything done, nothing told.
    DieAfter,
}

impl Fault {
    /// What came of the send, as the figures count it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Execute => "executed",
            Self::Refuse(_) => "refused",
            Self::Lose => "lost",
            Self::Silence => "silent",
            Self::Delay => "delayed",
            Self::Late => "late",
            Self::DieBefore => "died before",
            Self::DieAfter => "died after",
        }
    }
}

/// How often each fault comes: weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Menu(Vec<(Fault, u32)>);

impl Menu {
    /// No fault.
    pub(crate) const CALM: Self = Self(Vec::new());

    /// Every kind of fault, half of all sends.
    pub(crate) fn everything() -> Self {
        let mut menu = vec![
            (Fault::Execute, 100),
            (Fault::Lose, 14),
            (Fault::Silence, 16),
            (Fault::Delay, 16),
            (Fault::Late, 8),
            (Fault::DieBefore, 12),
            (Fault::DieAfter, 14),
        ];
        let refusals = [
            Retcode::REQUOTE,
            Retcode::REJECT,
            Retcode::NO_MONEY,
            Retcode::TOO_MANY_REQUESTS,
            Retcode::TIMEOUT,
            Retcode::CONNECTION,
        ];
        menu.extend(refusals.map(|code| (Fault::Refuse(code.0), 3)));
        Self(menu)
    }

    /// Only these, equally often.
    pub(crate) fn only(faults: &[Fault]) -> Self {
        Self(faults.iter().map(|fault| (*fault, 1)).collect())
    }

    /// What happens to that send.
    pub(crate) fn fault(&self, seed: u64, send: u64) -> Fault {
        const SENDS: u64 = 1 << 32;
        let mut dice = Dice::new(seed, SENDS + send);
        dice.weighted(&self.0).unwrap_or(Fault::Execute)
    }
}

#[test]
fn every_fault_comes_and_a_calm_broker_has_none() {
    let menu = Menu::everything();
    let drawn: Vec<Fault> = (0..2_000).map(|send| menu.fault(1, send)).collect();
    assert!(menu.0.iter().all(|(fault, _)| drawn.contains(fault)));
    assert!((0..100).all(|send| Menu::CALM.fault(1, send) == Fault::Execute));
    assert_eq!(menu.fault(1, 77), drawn[77]);
}
