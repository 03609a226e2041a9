//! An hour of trading, as fast as it goes: an order and ten changes for each of its seconds.
//! `MYMT5_HOUR_SECONDS` sets how many; what they cost in each tenth of them is printed.

use crate::{harness::Gateway, long::memory, orders::market};
use mymt5_proto::v1;
use std::{env, fs, time::Instant};
use tempfile::TempDir;
use tonic::transport::Channel;
use v1::trading_service_client::TradingServiceClient;

/// In the suite.
const SECONDS: u64 = 60;
const CHANGES: u64 = 10;
/// What memory may grow by between the second tenth and the last.
const GROWTH: u64 = 16 << 20;

/// A client that trades, and the order that it changes all the time.
struct Busy {
    trading: TradingServiceClient<Channel>,
    waits: u64,
    bid: f64,
}

impl Busy {
    async fn begin(gateway: &Gateway) -> Self {
        let bid = gateway.quoted("EURUSD").await.bid;
        let mut trading = gateway.trading().await;
        let request = v1::SubmitOrderRequest {
            r#type: v1::OrderType::Limit.into(),
            price: Some(rounded(bid - 0.05)),
            ..market("waits", v1::Side::Buy, 0.01)
        };
        let answer = trading.submit_order(request).await.unwrap().into_inner();
        let order = answer.order.unwrap();
        assert_eq!(order.state(), v1::OrderState::Working);
        Self {
            trading,
            waits: order.order_id,
            bid,
        }
    }

    async fn second(&mut self, number: u64) {
        let side = [v1::Side::Buy, v1::Side::Sell][number as usize % 2];
        let request = market(&format!("order-{number}"), side, 0.01);
        let answer = self.trading.submit_order(request).await.unwrap();
        let order = answer.into_inner().order.unwrap();
        assert_eq!(order.state(), v1::OrderState::Filled);
        for change in 0..CHANGES {
            let price = rounded(self.bid - 0.04 - 0.001 * (change + number % 2) as f64);
            let request = v1::ModifyOrderRequest {
                request_id: format!("change-{number}-{change}"),
                order_id: self.waits,
                price: Some(price),
                ..Default::default()
            };
            let answer = self.trading.modify_order(request).await.unwrap();
            assert_eq!(answer.into_inner().order.unwrap().price, Some(price));
        }
    }
}

fn rounded(price: f64) -> f64 {
    (price * 1e5).round() / 1e5
}

/// Bytes of the journal and its log.
fn size(gateway: &Gateway) -> u64 {
    let files = ["data/journal.db", "data/journal.db-wal"];
    let size = |file| fs::metadata(gateway.folder.path().join(file)).map_or(0, |file| file.len());
    files.into_iter().map(size).sum()
}

#[tokio::test]
async fn an_hour_of_orders_and_changes_costs_the_same_at_its_end() {
    let seconds = env::var("MYMT5_HOUR_SECONDS").map_or(SECONDS, |text| text.parse().unwrap());
    let folder = TempDir::new().unwrap();
    let local = "[clients.all]\nmax_ids_per_minute = 60000\n";
    fs::write(folder.path().join("gateway.local.toml"), local).unwrap();
    let gateway = Gateway::start_in(folder, "mode = \"netting\"").await;
    let mut busy = Busy::begin(&gateway).await;
    let mut resident = Vec::new();
    for tenth in 0..10 {
        let (begun, before) = (Instant::now(), size(&gateway));
        let span = seconds * tenth / 10..seconds * (tenth + 1) / 10;
        let count = span.clone().count() as f64;
        for second in span {
            busy.second(second).await;
        }
        let each = begun.elapsed().as_secs_f64() * 1e3 / count;
        let bytes = (size(&gateway) - before) as f64 / count;
        resident.push(memory(&gateway));
        let mib = resident.last().unwrap() >> 20;
        println!("tenth {tenth}: {each:.1} ms and {bytes:.0} bytes a second of it, {mib} MiB");
    }
    assert!(resident[9] < resident[1] + GROWTH, "{resident:?}");
}
