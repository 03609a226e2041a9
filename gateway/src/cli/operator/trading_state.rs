//! `halt`, `reduce`, `resume`: whether new risk may be taken.

use super::{
    NotRunning, Reason, Target, client,
    show::{self, word},
    wire::ACTING,
};
use clap::Args;
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
        };
        let (target, whose) = (&self.target, request.client.clone());
        let answered = target.talk(ACTING, async |channel| {
            Ok(ControlServiceClient::new(channel)
                .set_trading_state(request.clone())
                .await?)
        });
        let answer = match answered {
            Err(error) if state == TradingState::Halted => match error.downcast::<NotRunning>() {
                Ok(down) => return halt_offline(down),
                Err(error) => return Err(error),
            },
            other => other?.into_inner(),
        };
        let whose = if whose.is_empty() {
            "(account)".into()
        } else {
            whose
        };
        let row = vec![
            ("client", whose.into()),
            (
                "trading",
                word(answer.state().as_str_name(), "TRADING_STATE_"),
            ),
        ];
        Ok(show::row(&row, target.json)?)
    }
}

/// `halt` while no gateway runs.
///
/// # Errors
/// Always: there is nothing to tell it to.
fn halt_offline(down: NotRunning) -> anyhow::Result<()> {
    Err(anyhow::Error::new(down).context("nothing was halted"))
}
