//! `orders` and `positions`: what there is, and whose.

use super::{Target, show, wire::READING};
use clap::Args;
use mymt5_proto::v1::{
    GetSnapshotRequest, ListOrdersRequest, Order, trading_service_client::TradingServiceClient,
};
use tonic::{Status, transport::Channel};

/// Most orders of a page.
const PAGE: u32 = 1_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct Orders {
    /// Only those whose outcome is unknown: they freeze their symbols until decided.
    #[arg(long)]
    unknown: bool,
    /// Most orders to list.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Positions {
    #[command(flatten)]
    target: Target,
}

impl Orders {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let limit = self.limit;
        let orders = self.target.talk(READING, async |channel| {
            let mut trading = TradingServiceClient::new(channel);
            Ok(if self.unknown {
                unknown(&mut trading, limit).await?
            } else {
                newest(&mut trading, limit).await?
            })
        })?;
        let rows: Vec<_> = orders.iter().map(show::order).collect();
        Ok(show::rows(&rows, self.target.json, "no orders")?)
    }
}

impl Positions {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let snapshot = self.target.talk(READING, async |channel| {
            Ok(TradingServiceClient::new(channel)
                .get_snapshot(GetSnapshotRequest {})
                .await?)
        })?;
        let positions = snapshot.into_inner().positions;
        let rows: Vec<_> = positions.iter().map(show::position).collect();
        Ok(show::rows(&rows, self.target.json, "no open positions")?)
    }
}

async fn newest(
    trading: &mut TradingServiceClient<Channel>,
    limit: u32,
) -> Result<Vec<Order>, Status> {
    let limit = limit as usize;
    let mut orders = Vec::new();
    let mut page_token = String::new();
    while orders.len() < limit {
        let left = u32::try_from(limit - orders.len()).unwrap_or(PAGE);
        let request = ListOrdersRequest {
            page_size: left.min(PAGE),
            page_token,
        };
        let page = trading.list_orders(request).await?.into_inner();
        let empty = page.orders.is_empty();
        orders.extend(page.orders);
        page_token = page.next_page_token;
        if page_token.is_empty() || empty {
            break;
        }
    }
    orders.truncate(limit);
    Ok(orders)
}

/// The snapshot has all orders that are not settled, so no history is read.
async fn unknown(
    trading: &mut TradingServiceClient<Channel>,
    limit: u32,
) -> Result<Vec<Order>, Status> {
    let snapshot = trading.get_snapshot(GetSnapshotRequest {}).await?;
    let mut orders = snapshot.into_inner().orders;
    orders.retain(|order| order.state() == mymt5_proto::v1::OrderState::Unknown);
    orders.sort_by_key(|order| std::cmp::Reverse(order.order_id));
    orders.truncate(limit as usize);
    Ok(orders)
}
