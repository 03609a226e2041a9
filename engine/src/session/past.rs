//! The past as the gateway tells it, page by page: for reports.

use super::Gateway;
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
        let snapshot = self
            .trading()
            .get_snapshot(self.call(v1::GetSnapshotRequest {}, &trace))
            .await
            .map_err(failed("its account"))?
            .into_inner();
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
        let (deals, has_all_deals) = deals.await.map_err(failed("its deals"))?;
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

/// Asks for page after page, each by the token that the one before it gave; false when there are
/// more than the limit.
async fn pages<T>(
    mut ask: impl AsyncFnMut(String) -> Result<(Vec<T>, String), Status>,
) -> Result<(Vec<T>, bool), Status> {
    let mut rows = Vec::new();
    let mut token = String::new();
    for _ in 0..PAGES {
        let (page, next) = ask(token).await?;
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

    #[tokio::test]
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
        let endless = pages(async |_| Ok((vec![0_u8], "again".to_owned())));
        let (rows, is_whole) = endless.await.unwrap();
        assert_eq!((rows.len(), is_whole), (PAGES, false));
    }
}
