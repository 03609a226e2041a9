//! `flatten`, `resolve`, `adopt`, `accept`, `backup`: what only an operator may do, once.

use super::{
    Reason, Target, client,
    show::{self, Row},
    wire::{ACTING, request_id},
};
use clap::{ArgGroup, Args};
use mymt5_proto::v1::{
    AcceptRequest, AdoptRequest, BackupRequest, FlattenRequest, ReloadRequest, Resolution,
    ResolveOrderRequest, accept_request, adopt_request,
    control_service_client::ControlServiceClient,
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
    /// It was done, and its deal will not come: you have looked there yourself.
    #[arg(long, group = "decision")]
    done: bool,
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
    /// The working order, by the broker's ticket.
    #[arg(long, value_name = "TICKET", group = "what", value_parser = clap::value_parser!(u64).range(1..))]
    order: Option<u64>,
    /// The deal of the past, by the broker's ticket.
    #[arg(long, value_name = "TICKET", group = "what", value_parser = clap::value_parser!(u64).range(1..))]
    deal: Option<u64>,
    /// All deals of the past that wait for it in the client's slot.
    #[arg(long, group = "what")]
    all_deals: bool,
    /// The new owner.
    #[arg(long, value_name = "NAME", value_parser = client)]
    client: String,
    #[command(flatten)]
    reason: Reason,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("accepted").required(true))]
pub(in crate::cli) struct Accept {
    /// Trades of somebody else, and positions that no deal explains, in that symbol.
    #[arg(long, value_name = "NAME", group = "accepted", value_parser = symbol)]
    symbol: Option<String>,
    /// That the broker's history lacks deals which the journal knows.
    #[arg(long, group = "accepted")]
    missing_deals: bool,
    /// Rows of the broker that cannot be understood, as they are now.
    #[arg(long, group = "accepted")]
    unreadable_rows: bool,
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
            not_after: None,
        };
        act(
            &self.target,
            async |mut control| control.flatten(request).await,
            |begun| {
                vec![
                    ("cancellations", begun.cancellations.into()),
                    ("closes", begun.closes.into()),
                    ("left", show::leftovers(&begun.left).into()),
                ]
            },
        )
    }
}

impl Resolve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let resolution = match (self.not_done, self.done) {
            (true, _) => Resolution::NotDone,
            (false, true) => Resolution::Done,
            (false, false) => Resolution::Reconcile,
        };
        let request = ResolveOrderRequest {
            request_id: request_id(),
            order_id: self.order_id,
            resolution: resolution.into(),
            reason: self.reason.reason,
            not_after: None,
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
        let order = self.order.map(adopt_request::Target::OrderId);
        let deal = self.deal.map(adopt_request::Target::DealId);
        let deals = self.all_deals.then_some(adopt_request::Target::Deals(true));
        let request = AdoptRequest {
            request_id: request_id(),
            client: self.client.clone(),
            target: position.or(order).or(deal).or(deals),
            reason: self.reason.reason,
            not_after: None,
        };
        act(
            &self.target,
            async |mut control| control.adopt(request).await,
            |_| {
                vec![
                    ("position_id", self.position.into()),
                    ("order", self.order.into()),
                    ("deal", self.deal.into()),
                    ("all_deals", self.all_deals.into()),
                    ("client", self.client.into()),
                ]
            },
        )
    }
}

impl Accept {
    pub(super) fn run(self) -> anyhow::Result<()> {
        use accept_request::What;
        let accepted = match (&self.symbol, self.missing_deals) {
            (Some(symbol), _) => symbol.clone(),
            (None, true) => "missing deals".to_owned(),
            (None, false) => "unreadable rows".to_owned(),
        };
        let what = match self.symbol {
            Some(symbol) => What::Symbol(symbol),
            None if self.missing_deals => What::MissingDeals(true),
            None => What::UnreadableRows(self.unreadable_rows),
        };
        let request = AcceptRequest {
            request_id: request_id(),
            what: Some(what),
            reason: self.reason.reason,
            not_after: None,
        };
        act(
            &self.target,
            async |mut control| control.accept(request).await,
            |_| vec![("accepted", accepted.into())],
        )
    }
}

fn symbol(text: &str) -> Result<String, String> {
    let symbol = mymt5_model::Symbol::parse(text);
    symbol
        .map(|symbol| symbol.to_string())
        .map_err(|error| error.to_string())
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
