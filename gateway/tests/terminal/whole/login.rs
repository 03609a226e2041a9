//! Logins: wrong ones are not hammered, another account is never traded.

use super::{stage::Stage, trading::market};
use mymt5_proto::v1::{LinkState, OrderState, Side};
use std::fs;

const LOGINS: &str = "SELECT count(*) FROM logins";
const SENDS: &str = "SELECT count(*) FROM sends";
const MARKET_DATA: &str = "mymt5.v1.MarketDataService";
const TRADING: &str = "mymt5.v1.TradingService";
const WRONG: &str = "wrong horse battery staple";

#[tokio::test(flavor = "multi_thread")]
async fn twenty_restarts_with_a_wrong_password_make_one_login_attempt() {
    let mut stage = Stage::set(&[]);
    stage.credentials(&[("MT5_PASSWORD", WRONG)]);
    for _ in 0..20 {
        stage.launch();
        let link = stage.link(LinkState::Refused).await;
        assert!(!link.reason.is_empty(), "{link:?}");
        stage.kill();
    }
    assert_eq!(stage.bridge.count(LOGINS), 1);
    // A reload with a fault is no word to try: it may be the credentials that are not as meant.
    stage.launch();
    stage.link(LinkState::Refused).await;
    let file = stage.path("gateway.toml");
    let sound = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{sound}[orders]\nmax_queue_ms = 1\n")).unwrap();
    stage.signal("HUP");
    stage.says("what is faulty stays as it was").await;
    stage.link(LinkState::Refused).await;
    fs::write(&file, sound).unwrap();
    stage.kill();
    stage.launch();
    stage.link(LinkState::Refused).await;
    assert_eq!(stage.bridge.count(LOGINS), 1);
    // An operator's word tries once more, the same once more is kept again.
    stage.signal("HUP");
    tokio::task::block_in_place(|| stage.bridge.wait_for(LOGINS, 2));
    stage.link(LinkState::Refused).await;
    for service in [MARKET_DATA, TRADING] {
        assert!(!stage.serves(service).await, "{service}");
    }
    assert!(stage.serves("readiness").await);
    // And other credentials need no word.
    stage.credentials(&[]);
    stage.link(LinkState::Ready).await;
    for service in [MARKET_DATA, TRADING] {
        assert!(stage.serves(service).await, "{service}");
    }
    assert_eq!(stage.bridge.count(LOGINS), 3);
    stage.kill();
    // Those that worked are not suspected when the trade server is out of reach for a while.
    let kept = fs::read_to_string(stage.path("data").join("login.json")).unwrap();
    assert!(kept.contains("worked") && !kept.contains(WRONG), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_or_kind_is_never_traded_and_the_right_one_recovers() {
    let mut stage = Stage::set(&[]);
    stage.launch();
    stage.link(LinkState::Ready).await;
    for (fault, args, told) in [
        (
            "wrong_account",
            r#"{"login": 10000002}"#,
            "its number is not MT5_LOGIN",
        ),
        ("real_account", "{}", "wants Demo"),
    ] {
        stage
            .bridge
            .broker(&["fault", "account_info", fault, "-1", args]);
        // In the middle of a session, as when somebody switches accounts in the terminal.
        stage.says(told).await;
        let mut trading = stage.trading().await;
        let order = trading.submit_order(market(fault, Side::Buy)).await;
        assert!(order.is_err(), "{order:?}");
        stage.bridge.change("DELETE FROM faults");
        stage.link(LinkState::Ready).await;
    }
    assert_eq!(stage.bridge.count(SENDS), 0);
    let order = stage.submit(market("right", Side::Buy)).await;
    assert_eq!(
        stage.settled(order.order_id).await.state(),
        OrderState::Filled
    );
    assert_eq!(stage.bridge.count(SENDS), 1);
}
