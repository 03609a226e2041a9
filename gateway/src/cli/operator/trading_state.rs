//! `halt`, `reduce`, `resume`: whether new risk may be taken.

use super::{
    NotRunning, Reason, Target, client, offline,
    show::{self, word},
    wire::ACTING,
};
use anyhow::Context;
use clap::Args;
use mymt5_chassis::cli::complain;
use mymt5_proto::v1::{
    SetTradingStateRequest, TradingState, control_service_client::ControlServiceClient,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Steer {
    /// Whose; without it, the whole account's.
    #[arg(long, value_name = "NAME", value_parser = client)]
    client: Option<String>,
    #[command(flatten)]
    reason: Reason,
    #[command(flatten)]
    target: Target,
}

impl Steer {
    pub(super) fn into(self, state: TradingState) -> anyhow::Result<()> {
        let request = SetTradingStateRequest {
            request_id: super::wire::request_id(),
            client: self.client.unwrap_or_default(),
            state: state.into(),
            reason: self.reason.reason,
            not_after: None,
        };
        let target = &self.target;
        let whose = request.client.clone();
        let answered = target.talk(ACTING, async |channel| {
            Ok(ControlServiceClient::new(channel)
                .set_trading_state(request.clone())
                .await?)
        });
        let entered = match answered {
            Err(error) if state == TradingState::Halted && error.is::<NotRunning>() => {
                let halt = offline::Halt {
                    client: Some(request.client).filter(|client| !client.is_empty()),
                    reason: request.reason,
                };
                offline::halt(&target.data_folder, &halt).context(error.to_string())?;
                complain("no gateway runs: the halt is stored and holds at the next start");
                TradingState::Halted
            }
            other => other?.into_inner().state(),
        };
        let whose = if whose.is_empty() {
            "(account)".into()
        } else {
            whose
        };
        let row = vec![
            ("client", whose.into()),
            ("trading", word(entered.as_str_name(), "TRADING_STATE_")),
        ];
        Ok(show::row(&row, target.json)?)
    }
}
