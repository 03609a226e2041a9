//! What a scene came to, for the reader of the test's output.

use super::{Play, lives::Kills, settle::Settled, story::Stories};
use crate::{
    bridged::Deaths,
    ledger::Line,
    verdict::{Finding, Wrong},
};
use mymt5_proto::Reason;
use std::{collections::BTreeMap, fmt};

/// The figures of one scene, or of several.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) seed: u64,
    rounds: u32,
    kills: Kills,
    deaths: Deaths,
    pub(crate) requests: usize,
    refusals: BTreeMap<&'static str, u32>,
    faults: BTreeMap<String, u32>,
    /// Executions that came after their absence was believed, and were adopted.
    pub(crate) adopted: usize,
    /// How often an operator halted, flattened, and let a trader fall silent.
    stops: [u32; 3],
    /// Orders that an operator decided.
    decided: usize,
    /// Of these, those whose fills contradict him.
    pub(crate) contradicted: usize,
    /// Deposits and withdrawals.
    pub(crate) bookings: usize,
    pub(crate) findings: Vec<Finding>,
    evidence: Vec<String>,
}

impl Figures {
    pub(super) fn of(
        play: &Play,
        kills: &Kills,
        deaths: Deaths,
        ledger: &[Line],
        stories: &Stories,
        settled: Settled,
        adopted: usize,
    ) -> Self {
        let mut faults = BTreeMap::<_, u32>::new();
        for line in ledger {
            if let Line::Received { fault, .. } = line {
                *faults.entry(fault.clone()).or_default() += 1;
            }
        }
        let planned = ["died before", "died after"].map(|name| faults.get(name).copied());
        let planned: u32 = planned.into_iter().flatten().sum();
        // Who is killed from outside may be so in the moment of a death by plan.
        let spared = planned.checked_sub(deaths.planned);
        assert!(
            spared.is_some_and(|spared| spared <= deaths.killed),
            "the stand-in died other than by its plan"
        );
        Self {
            seed: play.seed,
            rounds: play.rounds,
            kills: kills.clone(),
            deaths,
            requests: stories.made(),
            refusals: stories.refusals(),
            faults,
            adopted,
            stops: settled.stops,
            decided: settled.decided[0],
            contradicted: settled.decided[1],
            bookings: ledger
                .iter()
                .filter(|line| matches!(line, Line::Booked { .. }))
                .count(),
            findings: settled.findings,
            evidence: settled.evidence,
        }
    }

    /// Sends that were held back, so that their executions came after all looking.
    pub(crate) fn late(&self) -> usize {
        self.faults.get("late").copied().unwrap_or(0) as usize
    }

    /// How often a call was refused for that reason.
    pub(crate) fn refused(&self, reason: Reason) -> u32 {
        self.refusals.get(reason.name()).copied().unwrap_or(0)
    }

    /// How often that was found.
    pub(crate) fn count(&self, wrong: Wrong) -> usize {
        let of_it = |found: &&Finding| found.wrong == wrong;
        self.findings.iter().filter(of_it).count()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |all: Vec<String>| all.join(", ");
        let kills = self.kills.iter().map(|(point, count)| match point {
            Some(point) => format!("{point:?} {count}"),
            None => format!("any moment {count}"),
        });
        let refusals = self.refusals.iter();
        let refusals = refusals.map(|(reason, count)| format!("{reason} {count}"));
        let faults = self.faults.iter();
        let faults = faults.map(|(name, count)| format!("{name} {count}"));
        writeln!(f, "seed {}: rounds {}", self.seed, self.rounds)?;
        writeln!(f, "  kills of the gateway: {}", list(kills.collect()))?;
        writeln!(
            f,
            "  deaths of the broker: by its plan {}, killed {}, and stopped {}",
            self.deaths.planned, self.deaths.killed, self.deaths.stopped
        )?;
        writeln!(f, "  requests answered: {}", self.requests)?;
        writeln!(f, "  calls refused: {}", list(refusals.collect()))?;
        writeln!(
            f,
            "  sends by what came of them: {}",
            list(faults.collect())
        )?;
        writeln!(
            f,
            "  late executions adopted with an alarm: {}",
            self.adopted
        )?;
        let [halts, flattens, silences] = self.stops;
        writeln!(
            f,
            "  halts {halts}, flattens {flattens}, silences {silences}, bookings {}",
            self.bookings
        )?;
        writeln!(
            f,
            "  orders decided by an operator: {}, against what was done {}",
            self.decided, self.contradicted
        )?;
        write!(
            f,
            "  doubled {}, lost {}, all findings {}",
            self.count(Wrong::Doubled),
            self.count(Wrong::Lost),
            self.findings.len()
        )?;
        const SHOWN: usize = 24;
        let evidence = self.evidence.iter().take(SHOWN);
        evidence
            .into_iter()
            .try_for_each(|line| write!(f, "\n    {line}"))
    }
}
