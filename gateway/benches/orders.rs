//! Orders per second and their latency through the real gateway, journal on: beside a bare call of
//! the same server and two fsyncs of the same disk, measured in the same run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "../tests/it/harness.rs"]
#[allow(dead_code)]
mod harness;
mod measure;

use harness::Gateway;
use measure::{Figure, ROUNDS, Table, Times};
use mymt5_proto::v1::{self, trading_service_client::TradingServiceClient};
use std::{fs, io::Write, time::Instant};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

/// Calls of one thing that are timed in a round.
const TIMED: usize = 400;
const CALLERS: usize = 64;

const FSYNCS: &str = "two fsyncs";
const CALL: &str = "bare call";
const ORDER: &str = "order";
const CALLS: &str = "bare call, 64 callers";
const ORDERS: &str = "order, 64 callers";

/// What an order costs the journal whatever is made of it.
fn two_fsyncs(file: &mut fs::File) {
    for _ in 0..2 {
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
    }
}

async fn echo(channel: Channel) {
    let request = HealthCheckRequest {
        service: "readiness".into(),
    };
    HealthClient::new(channel).check(request).await.unwrap();
}

/// Opens or, every other time, nets away: the account stays small.
async fn order(channel: Channel, request_id: String, number: usize) {
    let side = if number.is_multiple_of(2) {
        v1::Side::Buy
    } else {
        v1::Side::Sell
    };
    let request = v1::SubmitOrderRequest {
        request_id,
        symbol: "EURUSD".into(),
        side: side.into(),
        r#type: v1::OrderType::Market.into(),
        lots: 0.01,
        ..Default::default()
    };
    let answer = TradingServiceClient::new(channel)
        .submit_order(request)
        .await;
    let order = answer.unwrap().into_inner().order.unwrap();
    assert_eq!(order.state(), v1::OrderState::Filled, "{order:?}");
}

/// All calls of a round, by so many callers at a time.
async fn timed<F: Future<Output = ()> + Send + 'static>(
    callers: usize,
    call: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Times {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let call = call.clone();
        tasks.spawn(async move {
            let mut times = Vec::new();
            for number in (caller..TIMED).step_by(callers) {
                let begun = Instant::now();
                call(number).await;
                times.push(begun.elapsed());
            }
            times
        });
    }
    let times = tasks.join_all().await.concat();
    Times::of(times, begun.elapsed())
}

/// A gateway whose simulator quotes one price for ever.
async fn gateway(folder: TempDir) -> Gateway {
    let ticks = folder.path().join("EURUSD_ticks.csv");
    let header = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n";
    let tick = "2026.07.01\t11:00:00.051\t1.10000\t1.10010\t\t\t6\r\n";
    fs::write(&ticks, format!("{header}{tick}")).unwrap();
    let file = ticks.display();
    let simulator = format!("feed = \"ticks\"\nfile = \"{file}\"\nmode = \"netting\"\n");
    // As many as the machine can, whatever is usual for one client.
    let share = "[clients.all]\nmax_calls = 128\nmax_ids_per_minute = 60000\n";
    fs::write(folder.path().join("gateway.local.toml"), share).unwrap();
    let gateway = Gateway::start_in(folder, &simulator).await;
    gateway.quoted("EURUSD").await;
    gateway
}

async fn run() {
    let folder = TempDir::new().unwrap();
    let mut file = fs::File::create(folder.path().join("fsyncs")).unwrap();
    let gateway = gateway(folder).await;
    let channel = gateway.channel(Some("all")).await;
    let mut table = Table::default();
    for round in 0..ROUNDS {
        table.note(FSYNCS, Times::each(TIMED / 4, |_| two_fsyncs(&mut file)));
        for (callers, names) in [(1, [CALL, ORDER]), (CALLERS, [CALLS, ORDERS])] {
            let (calls, orders) = (channel.clone(), channel.clone());
            let echo = move |_| echo(calls.clone());
            table.note(names[0], timed(callers, echo).await);
            let series = format!("{round}-{callers}");
            let order = move |number| order(orders.clone(), format!("{series}-{number}"), number);
            table.note(names[1], timed(callers, order).await);
        }
    }
    table.print();
    let one = table.ratio(Figure::P50, ORDER, &[CALL, FSYNCS]);
    let many = table.ratio(Figure::Rate, ORDERS, &[CALLS]);
    println!("an order takes {one:.2} times a bare call and two fsyncs together (p50)");
    println!("64 callers have {many:.2} times as many orders a second as bare calls");
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(run());
}
