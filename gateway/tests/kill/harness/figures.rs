//! What a scene came to, for the reader of the test's output.

use super::{Play, lives::Kills, settle::Settled};
use crate::{
    ledger::Line,
    standin::Fault,
    verdict::{Finding, Wrong},
};
use std::{collections::BTreeMap, fmt};

/// The figures of one scene, or of several.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) seed: u64,
    rounds: u32,
    kills: Kills,
    deaths: u32,
    pub(crate) requests: usize,
    faults: BTreeMap<&'static str, u32>,
    /// Executions that came after their absence was believed, and were adopted.
    pub(crate) adopted: usize,
    pub(crate) findings: Vec<Finding>,
    evidence: Vec<String>,
}

impl Figures {
    pub(super) fn of(
        play: &Play,
        kills: &Kills,
        deaths: u32,
        ledger: &[Line],
        requests: usize,
        settled: Settled,
        adopted: usize,
    ) -> Self {
        let mut faults = BTreeMap::<_, u32>::new();
        for line in ledger {
            if let Line::Received { fault, .. } = line {
                *faults.entry(name(*fault)).or_default() += 1;
            }
        }
        let planned = ["died before", "died after"].map(|name| faults.get(name).copied());
        let planned: u32 = planned.into_iter().flatten().sum();
        assert_eq!(deaths, planned, "the stand-in died other than by its plan");
        Self {
            seed: play.seed,
            rounds: play.rounds,
            kills: kills.clone(),
            deaths,
            requests,
            faults,
            adopted,
            findings: settled.findings,
            evidence: settled.evidence,
        }
    }

    /// How often that was found.
    pub(crate) fn count(&self, wrong: Wrong) -> usize {
        let of_it = |found: &&Finding| found.wrong == wrong;
        self.findings.iter().filter(of_it).count()
    }
}

const fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Execute => "executed",
        Fault::Refuse(_) => "refused",
        Fault::Lose => "lost",
        Fault::Silence => "silent",
        Fault::Delay => "delayed",
        Fault::Late => "late",
        Fault::DieBefore => "died before",
        Fault::DieAfter => "died after",
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |all: Vec<String>| all.join(", ");
        let kills = self.kills.iter().map(|(point, count)| match point {
            Some(point) => format!("{point:?} {count}"),
            None => format!("any moment {count}"),
        });
        let faults = self.faults.iter();
        let faults = faults.map(|(name, count)| format!("{name} {count}"));
        writeln!(f, "seed {}: rounds {}", self.seed, self.rounds)?;
        writeln!(f, "  kills of the gateway: {}", list(kills.collect()))?;
        writeln!(f, "  deaths of the broker: {}", self.deaths)?;
        writeln!(f, "  requests answered: {}", self.requests)?;
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
