//! `report`: this client's past trades, read from the gateway, as a page and as data.

use crate::{
    report::{History, Record, Report},
    session::{Gateway, Past},
    settings::Settings,
    setup::shown,
    strategy::StrategySettings,
};
use mymt5_chassis::{
    cli::{Configured, block_on, configure, say},
    exit::Unavailable,
};
use mymt5_model::MaskedAccount;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Reads the name of a page.
pub(super) fn page(text: &str) -> Result<PathBuf, String> {
    let page = PathBuf::from(text);
    match page.extension() {
        Some(extension) if extension == "html" => Ok(page),
        _ => Err("expected a file name that ends in .html".to_owned()),
    }
}

pub(super) fn report(config: &Path, out: &Path) -> anyhow::Result<ExitCode> {
    let configured = configure::<Settings>(config)?;
    let past = block_on(read(&configured))?;
    let files = Report::of(record(&configured, past)).write(out)?;
    files
        .iter()
        .for_each(|file| say(&file.display().to_string()));
    Ok(ExitCode::SUCCESS)
}

/// The past as the gateway has it.
async fn read(configured: &Configured<Settings>) -> anyhow::Result<Past> {
    let connected = Gateway::connect(&configured.settings.gateway, &configured.redactor).await;
    let gateway = connected.map_err(unavailable)?;
    gateway.past().await.map_err(unavailable)
}

/// An error of the gateway's, with all its causes.
pub(super) fn unavailable(error: impl Into<anyhow::Error>) -> anyhow::Error {
    Unavailable(format!("{:#}", error.into())).into()
}

/// What the report tells of it.
fn record(configured: &Configured<Settings>, past: Past) -> Record {
    let history = History {
        deals: past.deals,
        orders: past.orders,
    };
    let mut record = history.record(&past.account);
    let names = names(&configured.settings.strategies);
    record.title = format!("Trades of {names}");
    record.account = MaskedAccount::parse(&past.account.account);
    record.settings = shown(&configured.provenance, &["strategies", "risk"]);
    if !past.is_whole {
        let note = "There are more than a million deals or orders; the oldest are missing.";
        record.notes.push(note.to_owned());
    }
    record
}

/// The strategies' names, for a title.
pub(super) fn names(strategies: &[StrategySettings]) -> String {
    let names: Vec<&str> = strategies
        .iter()
        .map(|strategy| strategy.name.as_str())
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_never_taken_for_one_of_the_files_beside_it() {
        assert_eq!(page("a/b.html"), Ok(PathBuf::from("a/b.html")));
        for name in ["report.csv", "report.json", "report", ".html", ""] {
            assert!(page(name).is_err(), "{name}");
        }
    }
}
