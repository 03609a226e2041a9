//! The past as the gateway tells it, page by page: for reports.

use super::{Gateway, persistently};
use mymt5_chassis::trace_context::TraceContext;
use mymt5_proto::v1;
use tonic::Status;

/// Rows of a page.
const PAGE: u32 = 1_000;
/// Most pages of either kind: a million rows.
const PAGES: usize = 1_000;

/// What a client may see of the past, newest first.
#[derive(Clone, Debug)]
pub struct Past {
    /// The account as it is now.
    pub account: v1::Account,
    /// Deals.
    pub deals: Vec<v1::Deal>,
    /// Orders.
    pub orders: Vec<v1::Order>,
    /// False when there were more than a million of either: the older ones are missing.
    pub is_whole: bool,
}

/// Why the past is not known.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// The gateway refused to tell, or did not answer.
    #[error("the gateway did not tell {0}; check that it runs and lets this client read")]
    Call(&'static str, #[source] Box<Status>),
    /// The gateway has not seen the account since it started.
    #[error("the gateway does not know its account yet; wait until its link to the broker is up")]
    NoAccount,
}

impl Gateway {
    /// Reads the whole past.
    ///
    /// # Errors
    /// A call that is refused or not answered, or an account that the gateway does not know yet.
    pub async fn past(&self) -> Result<Past, PastError> {
        let trace = TraceContext::new();
        let failed = |what| move |status| PastError::Call(what, Box::new(status));
        let snapshot = persistently(async || {
            let request = self.call(v1::GetSnapshotRequest {}, &trace);
            self.trading().get_snapshot(request).await
        });
        let snapshot = snapshot.await.map_err(failed("its account"))?.into_inner();
        let account = snapshot.account.ok_or(PastError::NoAccount)?;
        let deals = pages(async |page_token| {
            let request = v1::ListDealsRequest {
                page_size: PAGE,
                page_token,
            };
            let page = self.trading().list_deals(self.call(request, &trace)).await;
            page.map(|page| page.into_inner())
                .map(|page| (page.deals, page.next_page_token))
        });
        let (mut deals, has_all_deals) = deals.await.map_err(failed("its deals"))?;
        // The balance does not have yet what was done while the pages came.
        deals.retain(|deal| !is_later(deal, &account));
        let orders = pages(async |page_token| {
            let request = v1::ListOrdersRequest {
                page_size: PAGE,
                page_token,
            };
            let page = self.trading().list_orders(self.call(request, &trace)).await;
            page.map(|page| page.into_inner())
                .map(|page| (page.orders, page.next_page_token))
        });
        let (orders, has_all_orders) = orders.await.map_err(failed("its orders"))?;
        Ok(Past {
            account,
            deals,
            orders,
            is_whole: has_all_deals && has_all_orders,
        })
    }
}

/// True for a deal that the account's figures do not have yet.
fn is_later(deal: &v1::Deal, account: &v1::Account) -> bool {
    let broker = |moment: Option<v1::Moment>| moment.and_then(|moment| moment.broker_ms);
    let times = broker(deal.time).zip(broker(account.as_of));
    times.is_some_and(|(done, told)| done > told)
}

/// Asks for page after page, each by the token that the one before it gave; false when there are
/// more than the limit.
async fn pages<T>(
    mut ask: impl AsyncFnMut(String) -> Result<(Vec<T>, String), Status>,
) -> Result<(Vec<T>, bool), Status> {
    let mut rows = Vec::new();
    let mut token = String::new();
    for _ in 0..PAGES {
        let (page, next) = persistently(async || ask(token.clone()).await).await?;
        rows.extend(page);
        token = next;
        if token.is_empty() {
            return Ok((rows, true));
        }
    }
    Ok((rows, false))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_deal_after_the_account_was_told_is_not_in_its_balance() {
        let moment = |broker_ms| {
            Some(v1::Moment {
                broker_ms: Some(broker_ms),
                utc_ms: None,
            })
        };
        let account = v1::Account {
            as_of: moment(1_000),
            ..v1::Account::default()
        };
        for (time, later) in [(moment(1_000), false), (moment(1_001), true), (None, false)] {
            let deal = v1::Deal {
                time,
                ..v1::Deal::default()
            };
            assert_eq!(is_later(&deal, &account), later);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn pages_follow_each_other_to_the_last_or_to_the_limit() {
        let three = pages(async |token: String| {
            let at: usize = token.parse().unwrap_or(0);
            let next = if at < 2 {
                (at + 1).to_string()
            } else {
                String::new()
            };
            Ok((vec![at], next))
        });
        assert_eq!(three.await.unwrap(), (vec![0, 1, 2], true));
        let mut refused = false;
        let late = pages(async |_| {
            if !std::mem::replace(&mut refused, true) {
                return Err(Status::unavailable("not yet"));
            }
            Ok((vec![7], String::new()))
        });
        assert_eq!(late.await.unwrap(), (vec![7], true));
        let endless = pages(async |_| Ok((vec![0_u8], "again".to_owned())));
        let (rows, is_whole) = endless.await.unwrap();
        assert_eq!((rows.len(), is_whole), (PAGES, false));
    }
}
