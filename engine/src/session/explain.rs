//! Why the balance is another one than before this session: where trades made that, a limit of losses
//! closes as if they had been followed.

use super::gateway::Gateway;
use crate::{risk::BalanceGap, trader::Trader};
use mymt5_chassis::trace_context::TraceContext;
use mymt5_model::{BrokerTime, Money};
use mymt5_proto::v1;

/// Most deals that are looked at.
const DEALS: u32 = 1_000;

/// Asks for the newest deals where the balance that the trader is about to read is not the one that its
/// risk measured last, and tells it where they explain that. Where they are not to be had nothing does:
/// flows before it may be missed.
pub(super) async fn explain(
    gateway: &Gateway,
    trader: &mut Trader,
    balance: Option<Money>,
    trace: &TraceContext,
) {
    let Some(balance) = balance else { return };
    let Some(gap) = trader.balance_gap(balance) else {
        return;
    };
    let request = v1::ListDealsRequest {
        page_size: DEALS,
        page_token: String::new(),
    };
    let listed = gateway
        .trading()
        .list_deals(gateway.call(request, trace))
        .await;
    let listed = match listed {
        Ok(listed) => listed.into_inner(),
        Err(status) => {
            tracing::warn!(
                code = %status.code(),
                "the gateway did not list its deals: whether trades changed the balance since the last session is not known; check that it lets this client read"
            );
            return;
        }
    };
    if gap.is_made_by(made(&listed.deals, &gap)) {
        trader.on_explained(balance);
    }
}

/// What each trade made since then, newest first, up to one that is not understood.
fn made(deals: &[v1::Deal], gap: &BalanceGap) -> Vec<Money> {
    let is_since = |time: i64| BrokerTime(time) >= gap.since;
    let trades = deals.iter().filter(|deal| deal.position_id != 0);
    let newest = trades.take_while(|deal| {
        let time = deal.time.and_then(|time| time.broker_ms);
        time.is_some_and(is_since)
    });
    let made = |deal: &v1::Deal| Money::from_f64(deal.profit + deal.swap + deal.commission).ok();
    newest.map_while(made).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        risk::{
            Risk,
            testing::{account, settings},
        },
        session::{
            live::Live,
            testing::{Asked, FakeGateway, hold_clock, session},
        },
        trader::Event,
    };
    use mymt5_model::{AccountId, RequestId};

    /// A deal that made so much, less 4.50 of costs.
    fn deal(position_id: u64, at: i64, profit: f64) -> v1::Deal {
        v1::Deal {
            position_id,
            profit,
            swap: -1.0,
            commission: -3.5,
            time: Some(v1::Moment {
                broker_ms: Some(at),
                utc_ms: None,
            }),
            ..Default::default()
        }
    }

    /// A trader that measured a balance of 10,000 at 0.
    fn trader() -> Trader {
        let risk = Risk::new(settings("daily_loss.percent = 5.0"));
        let new_id = Box::new(|| RequestId::of_number(1));
        let mut trader = Trader::new(Vec::new(), risk, new_id);
        trader.on_event(&Event::Account(Some(account(10_000.0))));
        trader
    }

    #[tokio::test(start_paused = true)]
    async fn deals_are_asked_for_where_the_balance_is_another_one_and_may_explain_it() {
        let _held = hold_clock();
        let fake = FakeGateway {
            deals: vec![deal(7, 20, -495.5)],
            ..FakeGateway::default()
        };
        let gateway = fake.serve().await;
        for (balance, asked, is_left) in [
            (9_500.0, &[Asked::Deals][..], false),
            (9_400.0, &[Asked::Deals], true),
            (10_000.0, &[], false),
        ] {
            let mut trader = trader();
            let read = Money::from_f64(balance).unwrap();
            explain(&gateway, &mut trader, Some(read), &TraceContext::new()).await;
            assert_eq!(fake.take_asked(), asked, "{balance}");
            let gap = trader.balance_gap(read);
            assert_eq!(gap.is_some(), is_left, "{balance}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_finds_another_account_asks_for_no_deals_between_the_balances_of_both() {
        let _held = hold_clock();
        for (account, asked) in [
            ("first", &[Asked::Heartbeat, Asked::Deals][..]),
            ("second", &[Asked::Heartbeat]),
        ] {
            let account_id = |name| AccountId::parse(name).unwrap();
            let mut trader = trader();
            trader.meet(Some(&account_id("first")));
            let fake = FakeGateway {
                snapshot: v1::GetSnapshotResponse {
                    account_id: account.to_owned(),
                    account: Some(v1::Account {
                        balance: 9_500.0,
                        equity: 9_500.0,
                        ..Default::default()
                    }),
                    ..Default::default()
                },
                ..FakeGateway::default()
            };
            let gateway = fake.serve().await;
            let folder = tempfile::tempdir().unwrap();
            let mut session = session(trader, folder.path());
            assert!(Live::begin(gateway, &mut session).await.is_ok());
            assert_eq!(fake.take_asked(), asked, "{account}");
        }
    }

    #[test]
    fn trades_since_then_count_with_all_that_they_cost() {
        let gap = BalanceGap {
            since: BrokerTime(10),
            amount: Money::ZERO,
        };
        let amounts = |deals: &[v1::Deal]| -> Vec<f64> {
            let made = made(deals, &gap);
            made.into_iter().map(Money::to_f64).collect()
        };
        let newest = deal(7, 20, -100.0);
        let first = deal(8, 10, 4.5);
        let all = [
            newest.clone(),
            deal(0, 15, -500.0),
            first.clone(),
            deal(9, 9, -50.0),
            newest.clone(),
        ];
        assert_eq!(amounts(&all), [-104.5, 0.0]);
        let untimed = v1::Deal {
            time: None,
            ..newest.clone()
        };
        let odd = v1::Deal {
            profit: f64::NAN,
            ..newest.clone()
        };
        for spoilt in [untimed, odd] {
            let deals = [newest.clone(), spoilt, first.clone()];
            assert_eq!(amounts(&deals), [-104.5]);
        }
    }
}
