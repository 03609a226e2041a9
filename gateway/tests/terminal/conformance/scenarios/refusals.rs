//! What trade servers refuse, code by code.

use super::super::{conforms, play::Play, requests::*, setup::Setup};
use mymt5_model::{
    OrderType::{Limit, Market, Stop, StopLimit},
    Side::{Buy, Sell},
    Ticket, TimeInForce, TradeMode, Weekday,
};
use mymt5_simulator::Week;

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_do_not_fit() {
    conforms(&[Setup::default()], async |play| {
        let rows = [
            (10_013, pending(Buy, Market, 109_000)),
            (10_013, pending(Buy, StopLimit, 110_100)),
            (10_014, deal(Buy, 0.0)),
            (10_014, deal(Buy, 0.015)),
            (10_014, deal(Sell, 100.01)),
            (10_015, pending(Buy, Limit, 110_001)),
            (10_015, pending(Sell, Limit, 110_009)),
            (10_015, pending(Buy, Stop, 110_019)),
            (10_015, pending(Sell, Stop, 110_050)),
            (10_015, stop_limit(Buy, 110_100, 110_095)),
            (10_016, deal(Buy, 1.0).with_levels(Some(109_991), None)),
            (10_016, deal(Buy, 1.0).with_levels(None, Some(110_009))),
            (10_016, deal(Sell, 1.0).with_levels(Some(109_000), None)),
            (
                10_016,
                pending(Buy, Limit, 109_000).with_levels(Some(108_995), None),
            ),
            (10_019, deal(Buy, 95.0)),
            (10_021, deal(Buy, 1.0).in_symbol("GBPUSD")),
            (
                10_022,
                pending(Buy, Limit, 109_000).lasting(TimeInForce::Gtd(until(0))),
            ),
            (
                10_022,
                pending(Buy, Limit, 109_000).lasting(TimeInForce::GtdDay(until(-1))),
            ),
            (10_035, cancel(Ticket(5))),
            (10_036, close(Ticket(5), Sell, 1.0)),
            (10_036, protect(Ticket(5), levels(None, None))),
        ];
        for (code, request) in rows {
            play.refused(code, request).await;
        }
        for just in [
            deal(Buy, 0.01).with_levels(Some(109_990), Some(110_010)),
            pending(Buy, Limit, 110_000),
            pending(Sell, Stop, 109_990),
            stop_limit(Buy, 110_100, 110_090),
            pending(Buy, Limit, 109_000).lasting(TimeInForce::Gtd(until(1_000))),
        ] {
            play.done(just).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_does_not_fit() {
    conforms(&[Setup::default()], async |play| {
        let held = play.done(deal(Buy, 1.0)).await;
        play.refused(10_013, close(held, Buy, 1.0)).await;
        play.refused(10_038, close(held, Sell, 1.01)).await;
        play.refused(10_014, close(held, Sell, 0.405)).await;
        play.refused(10_021, close(held, Sell, 1.0).in_symbol("GBPUSD"))
            .await;
    })
    .await;
}

/// A buy and a sell at the market and waiting, each accepted or refused with that code.
async fn directions(play: &mut Play, buy: Option<u32>, sell: Option<u32>) {
    let requests = [
        (buy, deal(Buy, 0.1)),
        (sell, deal(Sell, 0.1)),
        (buy, pending(Buy, Stop, 111_000)),
        (sell, pending(Sell, Stop, 109_000)),
    ];
    for (code, request) in requests {
        match code {
            Some(code) => play.refused(code, request).await,
            None => drop(play.done(request).await),
        }
    }
}

fn trading(mode: TradeMode) -> [Setup; 1] {
    [Setup::default().spec(|spec| spec.trade_mode = mode)]
}

#[tokio::test(flavor = "multi_thread")]
async fn symbols_that_trade_in_one_direction_or_not_at_all() {
    let (long, short) = (trading(TradeMode::LongOnly), trading(TradeMode::ShortOnly));
    // On a netting account a sale may still reduce.
    conforms(&short, async |play| {
        directions(play, Some(10_043), None).await
    })
    .await;
    conforms(&long, async |play| {
        play.refused(10_042, deal(Sell, 0.1)).await;
        play.refused(10_042, pending(Sell, Stop, 109_000)).await;
        play.done(deal(Buy, 0.1)).await;
    })
    .await;
    let all = |code| async move |play: &mut Play| directions(play, Some(code), Some(code)).await;
    conforms(&trading(TradeMode::CloseOnly), all(10_044)).await;
    conforms(&trading(TradeMode::Disabled), all(10_017)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_market_that_is_closed() {
    let closed = Setup::default().account(|account| account.sessions = closed());
    conforms(&[closed], async |play| {
        directions(play, Some(10_018), Some(10_018)).await;
    })
    .await;
}

fn closed() -> Week {
    Weekday::ALL
        .into_iter()
        .fold(Week::always(), |week, day| week.with(day, Vec::new()))
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_account() {
    let orders = Setup::default().account(|account| account.max_orders = Some(1));
    conforms(&[orders], async |play| {
        play.done(pending(Buy, Limit, 109_000)).await;
        play.refused(10_033, pending(Buy, Limit, 109_000)).await;
        play.done(deal(Buy, 0.1)).await;
    })
    .await;
    let positions = Setup::default().account(|account| account.max_positions = Some(1));
    conforms(&[positions], async |play| {
        play.done(deal(Buy, 0.1)).await;
        if play.is_netting() {
            play.done(deal(Buy, 0.1)).await;
        } else {
            play.refused(10_040, deal(Buy, 0.1)).await;
        }
    })
    .await;
    let volume = Setup::default().account(|account| account.max_symbol_lots = Some(lots(1.5)));
    conforms(&[volume], async |play| {
        play.refused(10_034, deal(Buy, 1.51)).await;
        play.done(deal(Buy, 0.5)).await;
        play.done(pending(Buy, Limit, 109_000)).await;
        play.refused(10_034, deal(Buy, 0.01)).await;
        play.refused(10_034, pending(Buy, Stop, 111_000)).await;
        play.done(deal(Sell, 1.5)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_not_trade() {
    let forbidden = Setup::default().account(|account| account.trade_allowed = false);
    conforms(&[forbidden], async |play| {
        directions(play, Some(10_026), Some(10_026)).await;
        play.refused(10_026, cancel(Ticket(5))).await;
        play.refused(10_026, protect(Ticket(5), levels(None, None)))
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn near_the_market_everything_is_frozen() {
    let setup = Setup::default().spec(|spec| spec.freeze_level_points = 50);
    conforms(&[setup], async |play| {
        let held = play
            .done(deal(Buy, 1.0).with_levels(Some(109_900), Some(110_200)))
            .await;
        let order = play.done(pending(Buy, Limit, 109_800)).await;
        play.quote(109_950, 109_960).await;
        play.refused(10_029, protect(held, levels(None, None)))
            .await;
        play.refused(10_029, close(held, Sell, 0.5)).await;
        play.done(cancel(order)).await;
        let order = play.done(pending(Buy, Limit, 109_920)).await;
        play.refused(10_029, cancel(order)).await;
        play.refused(10_029, modify(order, 109_700)).await;
        play.quote(110_050, 110_060).await;
        play.done(modify(order, 109_700)).await;
        play.done(close(held, Sell, 1.0)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_of_a_coarse_grid() {
    let setup = Setup::default().spec(|spec| spec.tick_size_points = 5);
    conforms(&[setup], async |play| {
        play.refused(10_015, pending(Buy, Limit, 109_001)).await;
        play.refused(10_016, deal(Buy, 0.1).with_levels(Some(109_001), None))
            .await;
        play.done(pending(Buy, Limit, 109_005)).await;
    })
    .await;
}
