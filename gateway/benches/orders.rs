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

use harness::Gateway;
use mymt5_proto::v1::{self, trading_service_client::TradingServiceClient};
use std::{
    fs,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tonic::transport::Channel;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

const ROUNDS: usize = 2_000;
const CALLERS: usize = 64;

/// Times of single rounds, and how long all took.
struct Measured {
    name: &'static str,
    times: Vec<Duration>,
    total: Duration,
}

impl Measured {
    fn at(&self, percent: usize) -> f64 {
        self.times[(self.times.len() - 1) * percent / 100].as_secs_f64() * 1e6
    }

    fn rate(&self) -> f64 {
        self.times.len() as f64 / self.total.as_secs_f64()
    }

    fn of(name: &'static str, mut times: Vec<Duration>, total: Duration) -> Self {
        times.sort();
        Self { name, times, total }
    }
}

/// Two fsyncs of a file that grows, which is what an order costs the journal.
fn two_fsyncs(folder: &Path) -> Measured {
    let mut file = fs::File::create(folder.join("fsyncs")).unwrap();
    let begun = Instant::now();
    let times = (0..ROUNDS / 4).map(|_| {
        let begun = Instant::now();
        for _ in 0..2 {
            file.write_all(&[7; 4096]).unwrap();
            file.sync_data().unwrap();
        }
        begun.elapsed()
    });
    let times = times.collect();
    Measured::of("two fsyncs", times, begun.elapsed())
}

async fn echo(channel: Channel) {
    let request = HealthCheckRequest {
        service: "readiness".into(),
    };
    HealthClient::new(channel).check(request).await.unwrap();
}

/// Opens or, every other time, nets away: the account stays small.
async fn order(channel: Channel, number: usize) {
    let side = if number.is_multiple_of(2) {
        v1::Side::Buy
    } else {
        v1::Side::Sell
    };
    let request = v1::SubmitOrderRequest {
        request_id: format!("bench-{number}"),
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

async fn measure<F: Future<Output = ()> + Send + 'static>(
    name: &'static str,
    callers: usize,
    call: impl Fn(usize) -> F + Clone + Send + 'static,
) -> Measured {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let call = call.clone();
        tasks.spawn(async move {
            let mut times = Vec::new();
            for number in (caller..ROUNDS).step_by(callers) {
                let begun = Instant::now();
                call(number).await;
                times.push(begun.elapsed());
            }
            times
        });
    }
    let times = tasks.join_all().await.concat();
    Measured::of(name, times, begun.elapsed())
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = TempDir::new().unwrap();
        let ticks = folder.path().join("EURUSD_ticks.csv");
        let header = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n";
        let tick = "2026.07.01\t11:00:00.051\t1.10000\t1.10010\t\t\t6\r\n";
        fs::write(&ticks, format!("{header}{tick}")).unwrap();
        let path = folder.path().to_path_buf();
        let simulator = format!(
            "feed = \"ticks\"\nfile = \"{}\"\nmode = \"netting\"\n",
            ticks.display()
        );
        let gateway = Gateway::start_in(folder, &simulator).await;
        gateway.quoted("EURUSD").await;
        let channel = gateway.channel(Some("all")).await;
        let mut all = vec![two_fsyncs(&path)];
        for callers in [1, CALLERS] {
            let (calls, orders) = (channel.clone(), channel.clone());
            let names = if callers == 1 {
                ["bare call", "order"]
            } else {
                ["bare call, 64 callers", "order, 64 callers"]
            };
            let echo = move |_| echo(calls.clone());
            all.push(measure(names[0], callers, echo).await);
            let order = move |number| order(orders.clone(), callers * ROUNDS + number);
            all.push(measure(names[1], callers, order).await);
        }
        println!(
            "{:<24}{:>12}{:>12}{:>12}",
            "", "per second", "p50 us", "p99 us"
        );
        for measured in &all {
            let (rate, p50, p99) = (measured.rate(), measured.at(50), measured.at(99));
            println!("{:<24}{rate:>12.0}{p50:>12.0}{p99:>12.0}", measured.name);
        }
        let [fsyncs, call, order, ..] = &all[..] else {
            unreachable!()
        };
        println!(
            "an order takes {:.2} times a bare call and two fsyncs together (p50)",
            order.at(50) / (call.at(50) + fsyncs.at(50))
        );
    });
}
