//! Losses, to the cent: what is measured was so at the broker in some reading, and what a client made
//! is what its deals made.

use super::{Judge, Verdict, ensure};
use crate::{bench::Shell, broker::Broker};
use mymt5_guard::{Allowance, LossSettings, LossState};
use mymt5_model::{ClientName, Money};
use mymt5_orders::ObstacleKind;

impl Judge {
    /// The account was read, and was worth so much without flows and credit: equity and balance.
    pub fn reads(&mut self, worth: [Money; 2]) {
        self.worths.extend(worth);
    }

    /// Everything so far is durable: what is measured must be true.
    pub fn measures(&mut self, shell: &Shell, broker: &Broker) -> Verdict {
        // What nobody will ever learn of cannot be measured to the cent.
        if broker.has_archived() {
            return Ok(());
        }
        let Some(ledger) = shell.disk.ledger else {
            return Ok(());
        };
        if let Some((settings, state)) = shell.core.losses_of(&None) {
            let worth = state.last_equity - ledger.flows;
            let read = self.worths.contains(&worth);
            ensure!(read, "measured {worth}, which no reading was: {state:?}");
            let base = state.base - ledger.flows;
            let was = self.worths.contains(&base) || broker.balances.contains(&base);
            ensure!(was, "a base that never was: {base} of {state:?}");
            reached(shell, None, settings, state)?;
        }
        for (client, row) in &shell.disk.losses {
            let Some(client) = client else { continue };
            let scope = Some(client.clone());
            let Some((settings, state)) = shell.core.losses_of(&scope) else {
                self.anchors.remove(client);
                continue;
            };
            reached(shell, Some(client), settings, state)?;
            if let Some(first) = row.first_balance {
                let made = self.results.get(client).copied().unwrap_or_default();
                let off = made - row.realised;
                let anchor = self.anchors.entry(client.clone()).or_insert((first, off));
                // Measured again: its limit was gone for a while.
                if anchor.0 != first {
                    *anchor = (first, off);
                }
                ensure!(off == anchor.1, "{client} made {made}, counted: {row:?}");
            }
        }
        Ok(())
    }

    /// A limit is told as reached: so much was lost at some time.
    pub(super) fn latched(
        &self,
        scope: Option<&ClientName>,
        limit: &str,
        shell: &Shell,
        broker: &Broker,
    ) -> Verdict {
        let loss = &shell.config.account.loss;
        if scope.is_some() || broker.has_archived() {
            return Ok(());
        }
        let allowance = match limit {
            "LIMIT_DAILY_LOSS" => loss.daily.map(|daily| daily.allowance),
            _ => loss.drawdown.map(|drawdown| drawdown.allowance),
        };
        let Some(Allowance::Amount(allowed)) = allowance else {
            return Ok(());
        };
        let highest = self.worths.iter().chain(&broker.balances).max();
        let lowest = self.worths.iter().min();
        let lost = highest.zip(lowest).map(|(high, low)| *high - *low);
        let enough = lost.is_some_and(|lost| lost >= allowed);
        ensure!(
            enough,
            "{limit} after a loss of {lost:?}, {allowed} allowed"
        );
        Ok(())
    }
}

/// A loss beyond what is allowed is latched, or entries wait until it is measured, or for the drawdown.
fn reached(
    shell: &Shell,
    client: Option<&ClientName>,
    settings: LossSettings,
    state: &LossState,
) -> Verdict {
    let lost = state.base - state.last_equity;
    // A share is of a base that moves with flows, before the next reading.
    let over = settings.daily.is_some_and(|daily| match daily.allowance {
        Allowance::Amount(allowed) => lost >= allowed && state.base > state.last_equity,
        Allowance::Share(_) => false,
    });
    let waits = || {
        let mut obstacles = shell.core.obstacles().into_iter();
        obstacles.any(|obstacle| {
            obstacle.kind == ObstacleKind::LossUnmeasured && obstacle.client.as_ref() == client
        })
    };
    ensure!(
        !over || state.daily_reached || state.drawdown_latched || waits(),
        "the day's loss {lost} is not latched: {state:?}"
    );
    Ok(())
}
