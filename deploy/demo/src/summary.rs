//! How the demo ended, for people and for programs.

use crate::sample::{Healths, Sample};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Serialize)]
pub(crate) struct Summary {
    ticks_sent: u64,
    ticks_received: u64,
    orders: u64,
    fills: u64,
    rejected: u64,
    balance: f64,
    equity: f64,
    gateway_health: String,
    engine_health: String,
    log_files: Vec<PathBuf>,
}

impl Summary {
    pub(crate) fn of(last: &Sample, healths: Healths, log_files: Vec<PathBuf>) -> Self {
        let [gateway_health, engine_health] = healths;
        Self {
            ticks_sent: last.ticks_sent,
            ticks_received: last.ticks_received,
            orders: last.orders,
            fills: last.fills,
            rejected: last.rejected,
            balance: last.balance,
            equity: last.equity,
            gateway_health,
            engine_health,
            log_files,
        }
    }

    pub(crate) fn is_healthy(&self) -> bool {
        [&self.gateway_health, &self.engine_health]
            .into_iter()
            .all(|health| health == "SERVING")
    }

    #[expect(clippy::print_stdout, reason = "the demo's answer")]
    pub(crate) fn print_json(&self) -> anyhow::Result<()> {
        println!("{}", serde_json::to_string(self)?);
        Ok(())
    }

    #[expect(clippy::print_stdout, reason = "the demo's answer")]
    pub(crate) fn print(&self) {
        println!(
            "ticks     {} sent, {} received",
            self.ticks_sent, self.ticks_received
        );
        println!(
            "orders    {} ({} fills, {} rejected)",
            self.orders, self.fills, self.rejected
        );
        println!(
            "account   balance {:.2}, equity {:.2}",
            self.balance, self.equity
        );
        println!(
            "health    gateway {}, engine {}",
            self.gateway_health, self.engine_health
        );
        self.log_files
            .iter()
            .for_each(|file| println!("log       {}", file.display()));
    }
}
