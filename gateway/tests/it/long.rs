//! Years of trading: a journal of many orders, under the real process. `MYMT5_JOURNAL_ORDERS` sets how many; the figures are printed.

use crate::{
    harness::Gateway,
    orders::market,
    past::{fill, past_id},
};
use mymt5_proto::v1;
use std::{env, fs, time::Instant};

/// In the suite.
const ORDERS: u64 = 50_000;
/// Orders that are timed.
const TIMED: usize = 200;

/// Resident memory, bytes.
pub(crate) fn memory(gateway: &Gateway) -> u64 {
    let status = format!("/proc/{}/status", gateway.child.id().unwrap());
    let status = fs::read_to_string(status).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    1024 * kib.parse::<u64>().unwrap()
}

/// Median time of an order, seconds.
async fn order_time(gateway: &Gateway, name: &str) -> f64 {
    gateway.quoted("EURUSD").await;
    let mut trading = gateway.trading().await;
    let mut times = Vec::new();
    for number in 0..TIMED {
        let side = [v1::Side::Buy, v1::Side::Sell][number % 2];
        let request = market(&format!("{name}-{number}"), side, 0.01);
        let begun = Instant::now();
        let answer = trading.submit_order(request).await.unwrap().into_inner();
        times.push(begun.elapsed().as_secs_f64());
        assert_eq!(answer.order.unwrap().state(), v1::OrderState::Filled);
    }
    times.sort_by(f64::total_cmp);
    times[TIMED / 2]
}

/// All pages of all orders: how many there are, and the longest time of a page, seconds.
async fn pages(gateway: &Gateway) -> (u64, f64) {
    let mut trading = gateway.trading().await;
    let (mut token, mut orders, mut longest) = (String::new(), 0, 0.0_f64);
    loop {
        let request = v1::ListOrdersRequest {
            page_size: 100,
            page_token: token,
        };
        let begun = Instant::now();
        let page = trading.list_orders(request).await.unwrap().into_inner();
        longest = longest.max(begun.elapsed().as_secs_f64());
        orders += page.orders.len() as u64;
        token = page.next_page_token;
        if token.is_empty() {
            return (orders, longest);
        }
    }
}

#[tokio::test]
async fn a_long_past_costs_no_memory_and_is_not_forgotten() {
    let orders = env::var("MYMT5_JOURNAL_ORDERS").map_or(ORDERS, |text| text.parse().unwrap());
    let mut gateway = Gateway::start("mode = \"netting\"").await;
    let before = order_time(&gateway, "short").await;
    gateway.crash_and_return().await;
    let empty = memory(&gateway);
    gateway.child.kill().await.unwrap();
    let bytes = fill(&gateway.folder.path().join("data/journal.db"), orders);
    let begun = Instant::now();
    gateway.crash_and_return().await;
    let start = begun.elapsed();
    let long = memory(&gateway);
    let after = order_time(&gateway, "long").await;
    let (listed, page) = pages(&gateway).await;
    println!(
        "{orders} orders of {bytes:.0} bytes: ready after {start:?}, {} MiB more than an empty one, \
         an order takes {:.2} times as long, the longest page {:.1} ms",
        long.saturating_sub(empty) >> 20,
        after / before,
        page * 1e3
    );
    assert_eq!(listed, orders + 2 * TIMED as u64);
    assert!(bytes <= 0.6 * 1024.0);
    assert!(long < empty + (100 << 20));
    for number in [0, orders / 3, orders - 1] {
        let asked = market(&past_id(number), v1::Side::Buy, 0.1);
        let again = gateway.trading().await.submit_order(asked).await;
        let refused = mymt5_proto::reason_of(&again.unwrap_err());
        assert_eq!(refused, Some(mymt5_proto::Reason::IdempotencyMismatch));
    }
}
