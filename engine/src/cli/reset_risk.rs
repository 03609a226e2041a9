//! `reset-risk`: an operator's word that trading may go on.

use crate::{
    risk::{self, Risk},
    settings::Settings,
};
use mymt5_chassis::cli::{configure, say};
use std::{path::Path, process::ExitCode};

pub(super) fn reset_risk(config: &Path, new_account: bool) -> anyhow::Result<ExitCode> {
    // The folder is claimed: a running engine would write over what is reset.
    configure::<Settings>(config)?.claim(|settings| {
        let file = settings.data_folder.join(risk::FILE);
        let done = if new_account {
            Risk::forget(&file)
        } else {
            Risk::reset(&settings.risk, &file)
        };
        Ok(done?)
    })?;
    let told = if new_account {
        "all that risk.json kept is forgotten: the account of the next session is measured from its first reading"
    } else {
        "the latch of the drawdown, limits that a first reading reached, failed orders and losses in a row are reset"
    };
    say(told);
    Ok(ExitCode::SUCCESS)
}
