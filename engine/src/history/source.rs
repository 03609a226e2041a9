//! Where the past comes from: the gateway, page by page.

use super::{Kind, Wanted, export::Row};
use crate::session::{Gateway, persistently};
use mymt5_chassis::{clock::utc_now_ms, trace_context::TraceContext};
use mymt5_model::{Bar, BrokerTime, Symbol, SymbolSpec, Tick};
use mymt5_proto::{WireError, v1};
use std::{marker::PhantomData, ops::Range, time::Duration};
use tonic::Status;

/// Rows that a call asks for, at most.
const PAGE: u32 = 5_000;
/// How long a call may take: a terminal may have to load what it tells.
const CALL: Duration = Duration::from_secs(60);
const MINUTE_MS: i64 = 60_000;
/// Longest span that a gateway tells the ticks of.
const SPAN_MS: i64 = 366 * 86_400_000;

/// Why the past is not told.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No such symbol.
    #[error("unknown symbol {0}; name one that ListSymbols lists for this client")]
    Symbol(Symbol),
    /// The gateway refused, or nothing came.
    #[error(
        "the gateway does not tell the history ({}); correct that and repeat the command, which continues it", .0.message()
    )]
    Refused(Box<Status>),
    /// The span ends in the future: what is to come would be missing from a file that is whole.
    #[error("invalid --to: expected a time that has passed at the broker, at most {0}")]
    Future(BrokerTime),
    /// What came is no row.
    #[error("cannot read what the gateway tells; use engine and gateway of one release")]
    Unreadable(#[from] WireError),
}

impl From<Status> for SourceError {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

/// One symbol at a gateway.
pub struct Source {
    gateway: Gateway,
    spec: SymbolSpec,
}

impl Source {
    /// The symbol at that gateway.
    ///
    /// # Errors
    /// It is unknown there, or the gateway does not answer.
    pub async fn of(gateway: Gateway, symbol: &Symbol) -> Result<Self, SourceError> {
        let request = gateway.call(v1::ListSymbolsRequest {}, &TraceContext::new());
        let listed = gateway.market_data().list_symbols(request).await?;
        let listed = listed.into_inner().symbols;
        let spec = listed.iter().find(|spec| spec.symbol == symbol.as_str());
        let spec = spec.ok_or_else(|| SourceError::Symbol(symbol.clone()))?;
        Ok(Self {
            spec: SymbolSpec::try_from(spec)?,
            gateway,
        })
    }

    /// Whether the span has passed, as far as the broker's time is known.
    pub(super) async fn check(&self, wanted: &Wanted) -> Result<(), SourceError> {
        let request = self
            .gateway
            .call(v1::GetStatusRequest {}, &TraceContext::new());
        let status = self.gateway.control().get_status(request).await;
        // Who may read the past need not be let to read the status.
        let now = status.ok().and_then(|status| time_of(&status.into_inner()));
        match now {
            Some(now) if now < wanted.to => Err(SourceError::Future(now)),
            _ => Ok(()),
        }
    }

    pub(super) const fn spec(&self) -> &SymbolSpec {
        &self.spec
    }

    /// The rows of that span, page by page.
    pub(super) fn pages<R: Told>(&self, wanted: &Wanted, span: Range<BrokerTime>) -> Pages<'_, R> {
        Pages {
            source: self,
            kind: wanted.kind,
            left: span,
            token: String::new(),
            limit: PAGE,
            row: PhantomData,
        }
    }

    /// The first row of that span.
    pub(super) async fn first<R: Told>(
        &self,
        wanted: &Wanted,
        span: Range<BrokerTime>,
    ) -> Result<Option<R>, SourceError> {
        let mut pages = self.pages(wanted, span);
        pages.limit = 1;
        while let Some(rows) = pages.next().await? {
            if let Some(first) = rows.into_iter().next() {
                return Ok(Some(first));
            }
        }
        Ok(None)
    }
}

/// The minute that it is at the broker; none: that is not known, or a replay has its own time.
fn time_of(status: &v1::GetStatusResponse) -> Option<BrokerTime> {
    if status.account_kind() == v1::AccountKind::Simulated {
        return None;
    }
    let offset = status.broker_clock.as_ref()?.offset_seconds?;
    let now = utc_now_ms() + i64::from(offset) * 1_000;
    Some(BrokerTime(now - now.rem_euclid(MINUTE_MS)))
}

/// A page that is asked for.
#[derive(Clone, Debug)]
pub(super) struct Page {
    kind: Kind,
    span: Range<BrokerTime>,
    token: String,
    limit: u32,
}

/// A row that a gateway tells.
pub(super) trait Told: Row {
    /// Asks for a page: its messages, and the token of the next one.
    async fn ask(
        gateway: &Gateway,
        spec: &SymbolSpec,
        page: Page,
    ) -> Result<(Vec<Self::Wire>, String), Status>;
}

impl Told for Tick {
    async fn ask(
        gateway: &Gateway,
        spec: &SymbolSpec,
        page: Page,
    ) -> Result<(Vec<v1::Tick>, String), Status> {
        let request = v1::ListTicksRequest {
            symbol: spec.symbol.to_string(),
            from_broker_ms: page.span.start.0,
            to_broker_ms: page.span.end.0,
            page_size: page.limit,
            page_token: page.token,
        };
        let request = gateway.call_within(CALL, request, &TraceContext::new());
        let told = gateway
            .market_data()
            .list_ticks(request)
            .await?
            .into_inner();
        Ok((told.ticks, told.next_page_token))
    }
}

impl Told for Bar {
    async fn ask(
        gateway: &Gateway,
        spec: &SymbolSpec,
        page: Page,
    ) -> Result<(Vec<v1::Bar>, String), Status> {
        let timeframe = match page.kind {
            Kind::Bars(timeframe) => timeframe.into(),
            Kind::Ticks => v1::Timeframe::Unspecified,
        };
        let request = v1::ListBarsRequest {
            symbol: spec.symbol.to_string(),
            timeframe: timeframe.into(),
            from_broker_ms: Some(page.span.start.0),
            to_broker_ms: Some(page.span.end.0),
            limit: page.limit,
            page_token: page.token,
        };
        let request = gateway.call_within(CALL, request, &TraceContext::new());
        let told = gateway.market_data().list_bars(request).await?.into_inner();
        Ok((told.bars, told.next_page_token))
    }
}

/// The rows of a span, page by page.
pub(super) struct Pages<'a, R> {
    source: &'a Source,
    kind: Kind,
    /// What is not told yet.
    left: Range<BrokerTime>,
    /// Of the next page; empty at the beginning of a span.
    token: String,
    limit: u32,
    row: PhantomData<R>,
}

impl<R: Told> Pages<'_, R> {
    /// The next page, which may be empty; none: there is no more. What is not finished ends the past.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<R>>, SourceError> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let end = BrokerTime(self.left.end.0.min(self.left.start.0 + SPAN_MS));
        let page = Page {
            kind: self.kind,
            span: self.left.start..end,
            token: std::mem::take(&mut self.token),
            limit: self.limit,
        };
        let (wire, next) = self.ask(page).await?;
        let mut rows = Vec::with_capacity(wire.len());
        for row in &wire {
            let Some(row) = R::of(row, &self.source.spec)? else {
                self.left.start = self.left.end;
                return Ok(Some(rows));
            };
            rows.push(row);
        }
        if next.is_empty() {
            self.left.start = end;
        }
        self.token = next;
        Ok(Some(rows))
    }

    async fn ask(&self, page: Page) -> Result<(Vec<R::Wire>, String), Status> {
        let Source { gateway, spec } = self.source;
        persistently(async || R::ask(gateway, spec, page.clone()).await).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broker_s_minute_is_known_by_its_clock_alone() {
        let mut status = v1::GetStatusResponse::default();
        assert_eq!(time_of(&status), None);
        status.broker_clock = Some(v1::BrokerClock {
            offset_seconds: Some(7_200),
            ..v1::BrokerClock::default()
        });
        let before = utc_now_ms() + 7_200_000 - MINUTE_MS;
        let told = time_of(&status).map_or(0, |time| time.0);
        assert!(told > before && told <= utc_now_ms() + 7_200_000);
        assert_eq!(told % MINUTE_MS, 0);
        status.set_account_kind(v1::AccountKind::Simulated);
        assert_eq!(time_of(&status), None);
    }
}
