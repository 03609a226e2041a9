//! `flatten`, `resolve`, `adopt`, `backup`: what only an operator may do, once.

use super::{
    Reason, Target, client,
    show::{self, Row},
    wire::{ACTING, request_id},
};
use clap::{ArgGroup, Args};
use mymt5_proto::v1::{
    AdoptRequest, BackupRequest, FlattenRequest, ReloadRequest, Resolution, ResolveOrderRequest,
    adopt_request, control_service_client::ControlServiceClient,
};
use tonic::{Response, Status, transport::Channel};

#[derive(Debug, Args)]
pub(in crate::cli) struct Flatten {
    /// Whose; without it, every client's.
    #[arg(long, value_name = "NAME", value_parser = client)]
    client: Option<String>,
    /// Also what was opened by hand or by another program.
    #[arg(long)]
    include_foreign: bool,
    #[command(flatten)]
    reason: Reason,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("decision").required(true))]
pub(in crate::cli) struct Resolve {
    /// The order, as `orders --unknown` lists it.
    #[arg(value_name = "ORDER_ID", value_parser = clap::value_parser!(u64).range(1..))]
    order_id: u64,
    /// It never reached the broker: you have looked there yourself.
    #[arg(long, group = "decision")]
    not_done: bool,
    /// Look at the broker again now, and decide by what is found.
    #[arg(long, group = "decision")]
    reconcile: bool,
    #[command(flatten)]
    reason: Reason,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true))]
pub(in crate::cli) struct Adopt {
    /// The position, as `positions` lists it.
    #[arg(long, value_name = "ID", group = "what", value_parser = clap::value_parser!(u64).range(1..))]
    position: Option<u64>,
    /// The order, by the gateway's id.
    #[arg(long, value_name = "ID", group = "what", value_parser = clap::value_parser!(u64).range(1..))]
    order: Option<u64>,
    /// The new owner.
    #[arg(long, value_name = "NAME", value_parser = client)]
    client: String,
    #[command(flatten)]
    reason: Reason,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Backup {
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Reload {
    #[command(flatten)]
    target: Target,
}

/// Asks the control service and shows the answer's row.
fn act<T>(
    target: &Target,
    call: impl AsyncFnOnce(ControlServiceClient<Channel>) -> Result<Response<T>, Status>,
    row: impl FnOnce(T) -> Row,
) -> anyhow::Result<()> {
    let answer = target.talk(ACTING, async |channel| {
        Ok(call(ControlServiceClient::new(channel)).await?)
    })?;
    Ok(show::row(&row(answer.into_inner()), target.json)?)
}

impl Flatten {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let request = FlattenRequest {
            request_id: request_id(),
            client: self.client.unwrap_or_default(),
            include_foreign: self.include_foreign,
            reason: self.reason.reason,
        };
        act(
            &self.target,
            async |mut control| control.flatten(request).await,
            |begun| {
                vec![
                    ("cancellations", begun.cancellations.into()),
                    ("closes", begun.closes.into()),
                ]
            },
        )
    }
}

impl Resolve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let resolution = if self.not_done {
            Resolution::NotDone
        } else {
            Resolution::Reconcile
        };
        let request = ResolveOrderRequest {
            request_id: request_id(),
            order_id: self.order_id,
            resolution: resolution.into(),
            reason: self.reason.reason,
        };
        act(
            &self.target,
            async |mut control| control.resolve_order(request).await,
            |answer| show::order(&answer.order.unwrap_or_default()),
        )
    }
}

impl Adopt {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let position = self.position.map(adopt_request::Target::PositionId);
        let target = position.or(self.order.map(adopt_request::Target::OrderId));
        let request = AdoptRequest {
            request_id: request_id(),
            client: self.client.clone(),
            target,
            reason: self.reason.reason,
        };
        act(
            &self.target,
            async |mut control| control.adopt(request).await,
            |_| {
                vec![
                    ("position_id", self.position.into()),
                    ("order_id", self.order.into()),
                    ("client", self.client.into()),
                ]
            },
        )
    }
}

impl Reload {
    pub(super) fn run(self) -> anyhow::Result<()> {
        act(
            &self.target,
            async |mut control| control.reload(ReloadRequest {}).await,
            |answer| {
                let mut lines = vec![("reloaded", answer.reloaded.join(", ").into())];
                if !answer.needs_restart.is_empty() {
                    let keys = answer.needs_restart.join(", ");
                    lines.push(("changed, needs a restart", keys.into()));
                }
                lines
            },
        )
    }
}

impl Backup {
    pub(super) fn run(self) -> anyhow::Result<()> {
        act(
            &self.target,
            async |mut control| control.backup(BackupRequest {}).await,
            |written| {
                let file = self.target.data_folder.join("backup").join(written.file);
                vec![
                    ("file", file.display().to_string().into()),
                    ("bytes", written.bytes.into()),
                ]
            },
        )
    }
}
