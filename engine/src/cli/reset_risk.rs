//! `reset-risk`: an operator's word that trading may go on.

use crate::{
    risk::{self, Risk},
    settings::Settings,
};
use mymt5_chassis::cli::{configure, say};
use std::{path::Path, process::ExitCode};

pub(super) fn reset_risk(config: &Path) -> anyhow::Result<ExitCode> {
    // The folder is claimed: a running engine would write over what is reset.
    configure::<Settings>(config)?.claim(|settings| {
        let file = settings.data_folder.join(risk::FILE);
        Ok(Risk::reset(&settings.risk, &file)?)
    })?;
    say(
        "the latch of the drawdown, limits that a first reading reached, failed orders and losses in a row are reset",
    );
    Ok(ExitCode::SUCCESS)
}
