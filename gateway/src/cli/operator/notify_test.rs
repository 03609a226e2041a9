//! `notify-test`: whether alerts arrive, tried while nothing is wrong.

use super::{
    Target,
    show::{self, Row},
    wire::ACTING,
};
use clap::Args;
use mymt5_chassis::cli::complain;
use mymt5_proto::v1::{
    NotifierResult, TestNotifiersRequest, control_service_client::ControlServiceClient,
};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(in crate::cli) struct NotifyTest {
    #[command(flatten)]
    target: Target,
}

impl NotifyTest {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let answer = self.target.talk(ACTING, async |channel| {
            let mut control = ControlServiceClient::new(channel);
            Ok(control.test_notifiers(TestNotifiersRequest {}).await?)
        })?;
        let results = answer.into_inner().results;
        let rows: Vec<Row> = results.iter().map(row).collect();
        let none = "no channel is configured: name one in notify.channels, and restart the gateway";
        show::rows(&rows, self.target.json, none)?;
        if self.target.json && rows.is_empty() {
            complain(none);
        }
        let all = !results.is_empty() && results.iter().all(|result| result.delivered);
        Ok(if all {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

fn row(result: &NotifierResult) -> Row {
    let came = match result.failure.as_str() {
        "" => "delivered",
        failure => failure,
    };
    vec![
        ("channel", result.channel.as_str().into()),
        ("delivered", result.delivered.into()),
        ("answer", show::plain(came).into()),
    ]
}
