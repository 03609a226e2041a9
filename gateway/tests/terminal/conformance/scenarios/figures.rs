//! What both brokers say of contracts, margin, profit and the account's money.

use super::super::{conforms, play::Play, requests::*, rows, setup::Setup};
use crate::support::{bounded, symbol};
use mymt5_model::{
    DealReason, Price,
    Side::{Buy, Sell},
};

#[tokio::test(flavor = "multi_thread")]
async fn contracts() {
    let setups = [
        Setup::default(),
        Setup::default().of("USDJPY", 150_000, 150_012),
        Setup::default().of("XAUUSD", 4_000_000, 4_000_200),
        Setup::default().spec(|spec| spec.tick_size_points = 5),
    ];
    conforms(&setups, async |play| {
        let mut specs = bounded(play.broker().symbols()).await.unwrap();
        specs.sort_by(|one, other| one.symbol.cmp(&other.symbol));
        assert_eq!(specs.len(), 2);
        specs.iter().for_each(|spec| play.note(rows::symbol(spec)));
        let account = bounded(play.broker().identify()).await.unwrap();
        play.note(rows::account(&account));
    })
    .await;
}

/// Margin and profit of one volume in that symbol.
async fn figures(play: &mut Play, name: &str, volume: f64, (open, close): (i64, i64), digits: u8) {
    let (name, volume) = (symbol(name), lots(volume));
    let [open, close] = [open, close].map(|points| Price::from_points(points, digits));
    for side in [Buy, Sell] {
        let margin = bounded(play.broker().margin_for(&name, side, volume, open)).await;
        let profit = bounded(play.broker().profit_for(&name, side, volume, open, close)).await;
        play.note(format!("{name} {volume}: {margin:?} {profit:?}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn margin_and_profit() {
    conforms(&[Setup::default()], async |play| {
        for volume in [0.01, 0.33, 1.0, 57.77] {
            figures(play, "EURUSD", volume, (110_007, 110_444), 5).await;
            figures(play, "GBPUSD", volume, (127_001, 126_433), 5).await;
        }
    })
    .await;
    let yen = Setup::default().of("USDJPY", 150_000, 150_012);
    conforms(&[yen], async |play| {
        for volume in [0.01, 0.33, 1.0, 57.77] {
            figures(play, "USDJPY", volume, (150_012, 149_331), 3).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_symbol_has_no_figures() {
    conforms(&[Setup::default()], async |play| {
        let foreign = symbol("NOPE");
        let margin = bounded(play.broker().margin_for(&foreign, Buy, lots(1.0), px(100))).await;
        let profit = play
            .broker()
            .profit_for(&foreign, Buy, lots(1.0), px(100), px(101));
        assert!(margin.is_err() && bounded(profit).await.is_err());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_in_another_currency() {
    let setup = Setup::default().of("USDJPY", 150_000, 150_012);
    conforms(&[setup], async |play| {
        let held = play.done(deal(Buy, 0.33).in_symbol("USDJPY")).await;
        play.quote(150_777, 150_790).await;
        play.done(close(held, Sell, 0.11).in_symbol("USDJPY")).await;
        play.quote(149_333, 149_347).await;
        play.done(close(held, Sell, 0.22).in_symbol("USDJPY")).await;
        assert!(play.positions().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn averages_and_odd_cents() {
    let setup = Setup::default().account(|account| account.leverage = 30);
    conforms(&[setup], async |play| {
        for (volume, bid) in [(0.01, 110_001), (0.02, 110_008), (0.07, 110_023)] {
            play.quote(bid, bid + 9).await;
            play.done(deal(Buy, volume)).await;
        }
        play.quote(109_987, 109_999).await;
        for held in play.positions().to_vec() {
            play.done(close(held.ticket, Sell, 0.01)).await;
        }
        play.done(deal(Sell, 0.03)).await;
        play.quote(110_111, 110_123).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_runs_short() {
    let setup = Setup::default().account(|account| account.balance = "2500".parse().unwrap());
    conforms(&[setup], async |play| {
        let held = play.done(deal(Buy, 2.0)).await;
        play.refused(10_019, deal(Buy, 0.3)).await;
        // The other leg of a hedge needs no more margin.
        play.done(deal(Sell, 1.0)).await;
        play.quote(109_950, 109_960).await;
        play.refused(10_019, deal(Buy, 1.5)).await;
        play.done(close(held, Sell, 1.0)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_through_the_rate_of_another_pair() {
    let (direct, inverse) = (
        Setup::default()
            .of("EURGBP", 86_000, 86_011)
            .rate("GBPUSD", 1.27013),
        Setup::default()
            .of("EURCHF", 95_000, 95_016)
            .rate("USDCHF", 0.88007),
    );
    conforms(&[direct, inverse], async |play| {
        let name = play.symbol().as_str().to_owned();
        let (bid, ask) = play.first();
        figures(play, &name, 0.77, (bid, ask), 5).await;
        let held = play.done(deal(Sell, 0.33).in_symbol(&name)).await;
        play.quote(bid - 131, ask - 129).await;
        play.done(close(held, Buy, 0.11).in_symbol(&name)).await;
        play.quote(bid + 257, ask + 260).await;
        play.done(close(held, Buy, 0.22).in_symbol(&name)).await;
        assert!(play.positions().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_greatest_losers_are_stopped_out() {
    let setup = Setup::default().account(|account| account.balance = "2500".parse().unwrap());
    conforms(&[setup], async |play| {
        play.done(deal(Buy, 0.5)).await;
        play.quote(110_100, 110_110).await;
        play.done(deal(Buy, 1.5)).await;
        play.quote(109_300, 109_310).await;
        assert_eq!(play.positions().is_empty(), play.is_netting());
        play.quote(109_100, 109_110).await;
        play.quote(107_000, 107_010).await;
        assert!(play.positions().is_empty());
        let deals = play.history().await.1;
        assert!(deals.iter().any(|row| row.reason == DealReason::StopOut));
    })
    .await;
}
