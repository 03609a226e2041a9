//! Requests for the past of the market: which bars or ticks, and from which place on.

use super::parse;
use crate::{
    access::Caller,
    broker::{BrokerError, TickPlace},
    market::Instruments,
};
use mymt5_model::{BrokerTime, Symbol};
use mymt5_proto::{Reason, Refusal, Violations, v1};
use std::{ops::Range, time::Duration};

/// Rows of a page.
const DEFAULT: usize = 1_000;
const MAX: usize = 5_000;
/// The last second that a terminal takes, milliseconds: 2038-01-19.
const LATEST: i64 = 2_147_483_647_000;
/// Ticks of one millisecond that a terminal tells at most.
const MOST_SKIPPED: usize = 65_536;
/// Longest span that ticks are asked of.
const SPAN_DAYS: i64 = 366;
const DAY_MS: i64 = 86_400_000;

/// Which bars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bars {
    pub(super) symbol: Symbol,
    /// Length of a bar.
    pub(super) minutes: u32,
    /// When they open; none: the newest.
    pub(super) span: Option<Range<BrokerTime>>,
    pub(super) limit: usize,
}

/// Which ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ticks {
    pub(super) symbol: Symbol,
    pub(super) from: TickPlace,
    pub(super) to: BrokerTime,
    pub(super) limit: usize,
}

/// Reads which bars are asked for.
pub(super) fn bars(
    instruments: &Instruments,
    caller: &Caller,
    request: &v1::ListBarsRequest,
) -> Result<Bars, Refusal> {
    let spec = parse::known_symbol(instruments, caller, &request.symbol);
    let mut violations = Violations::default();
    let spec = violations.take("symbol", spec?);
    let minutes = violations.take("timeframe", minutes(request.timeframe));
    let limit = limit(&mut violations, "limit", request.limit);
    let to = request.to_broker_ms;
    let span = match request.from_broker_ms {
        Some(from) => Some(span(&mut violations, from, to)),
        None => {
            if to.is_some() {
                let text = "expected with from_broker_ms, and only with it";
                violations.add("to_broker_ms", Reason::FieldInvalid, text);
            }
            None
        }
    };
    let within = span.clone().unwrap_or(BrokerTime(0)..BrokerTime(0));
    let place = place(&mut violations, &request.page_token, &within, |text| {
        text.parse().ok().map(BrokerTime)
    });
    violations.done()?;
    let (spec, minutes) = spec.zip(minutes).ok_or_else(incomplete)?;
    Ok(Bars {
        symbol: spec.symbol.clone(),
        minutes,
        span: span.map(|span| place.unwrap_or(span.start)..span.end),
        limit,
    })
}

/// Reads which ticks are asked for.
pub(super) fn ticks(
    instruments: &Instruments,
    caller: &Caller,
    request: &v1::ListTicksRequest,
) -> Result<Ticks, Refusal> {
    let spec = parse::known_symbol(instruments, caller, &request.symbol);
    let mut violations = Violations::default();
    let spec = violations.take("symbol", spec?);
    let limit = limit(&mut violations, "page_size", request.page_size);
    let span = span(
        &mut violations,
        request.from_broker_ms,
        Some(request.to_broker_ms),
    );
    if span.end.0.saturating_sub(span.start.0) > SPAN_DAYS * DAY_MS {
        let text = format!("expected at most {SPAN_DAYS} days after from_broker_ms");
        violations.add("to_broker_ms", Reason::FieldInvalid, text);
    }
    let place = place(&mut violations, &request.page_token, &span, |text| {
        let (time, skip) = text.split_once('.')?;
        let (time, skip) = (BrokerTime(time.parse().ok()?), skip.parse().ok()?);
        (skip < MOST_SKIPPED).then_some(TickPlace { time, skip })
    });
    violations.done()?;
    let first = TickPlace {
        time: span.start,
        skip: 0,
    };
    Ok(Ticks {
        symbol: spec.ok_or_else(incomplete)?.symbol.clone(),
        from: place.unwrap_or(first),
        to: span.end,
        limit,
    })
}

/// The token of the page that begins there.
pub(super) fn bars_token(rest: Option<BrokerTime>) -> String {
    rest.map_or_else(String::new, |time| time.0.to_string())
}

/// The token of the page that begins there.
pub(super) fn ticks_token(rest: Option<TickPlace>) -> String {
    rest.map_or_else(String::new, |TickPlace { time, skip }| {
        format!("{}.{skip}", time.0)
    })
}

/// What a caller learns of a past that was not read.
pub(super) fn unread(error: &BrokerError) -> Refusal {
    tracing::warn!(%error, "the past was not read");
    let untold = |why: &str| {
        let text = Reason::PastUnavailable.text();
        Refusal::because(Reason::PastUnavailable, format!("{text}: {why}"))
    };
    match error {
        BrokerError::NotAvailable(what) => untold(what),
        BrokerError::PastUnavailable { why, pause } => untold(why).after(*pause),
        _ => Refusal::new(Reason::LinkDown).after(Duration::from_secs(1)),
    }
}

fn incomplete() -> Refusal {
    Refusal::new(Reason::FieldInvalid)
}

fn minutes(timeframe: i32) -> Result<u32, (Reason, String)> {
    use v1::Timeframe::{D1, H1, H4, M1, M5, M15, M30, Unspecified};
    Ok(match v1::Timeframe::try_from(timeframe) {
        Ok(M1) => 1,
        Ok(M5) => 5,
        Ok(M15) => 15,
        Ok(M30) => 30,
        Ok(H1) => 60,
        Ok(H4) => 240,
        Ok(D1) => 1_440,
        Ok(Unspecified) | Err(_) => {
            let text = "expected TIMEFRAME_M1, _M5, _M15, _M30, _H1, _H4 or _D1";
            return Err((Reason::EnumUnspecified, text.to_owned()));
        }
    })
}

fn limit(violations: &mut Violations, field: &str, asked: u32) -> usize {
    match usize::try_from(asked) {
        Ok(0) => DEFAULT,
        Ok(asked) if asked <= MAX => asked,
        _ => {
            let text = format!("expected 0 to {MAX}");
            violations.add(field, Reason::FieldInvalid, text);
            DEFAULT
        }
    }
}

/// No end: the last second.
fn span(violations: &mut Violations, from: i64, to: Option<i64>) -> Range<BrokerTime> {
    for (field, time) in [("from_broker_ms", Some(from)), ("to_broker_ms", to)] {
        if time.is_some_and(|time| !(0..=LATEST).contains(&time)) {
            let text = "expected milliseconds of a time from 1970 to 2038-01-19";
            violations.add(field, Reason::FieldInvalid, text);
        }
    }
    if to.is_some_and(|to| to <= from) {
        let text = "expected a time after from_broker_ms";
        violations.add("to_broker_ms", Reason::FieldInvalid, text);
    }
    BrokerTime(from)..BrokerTime(to.unwrap_or(LATEST))
}

/// Where a token leads; none where it is empty, or leads out of the span.
fn place<P: Place>(
    violations: &mut Violations,
    token: &str,
    span: &Range<BrokerTime>,
    read: impl FnOnce(&str) -> Option<P>,
) -> Option<P> {
    if token.is_empty() {
        return None;
    }
    let place = read(token).filter(|place| span.contains(&place.time()));
    if place.is_none() {
        let text = "expected next_page_token of the page before";
        violations.add("page_token", Reason::FieldInvalid, text);
    }
    place
}

/// Where a page may begin.
trait Place {
    fn time(&self) -> BrokerTime;
}

impl Place for BrokerTime {
    fn time(&self) -> BrokerTime {
        *self
    }
}

impl Place for TickPlace {
    fn time(&self) -> BrokerTime {
        self.time
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::fuzz::stage, *};

    fn ask_bars(change: impl FnOnce(&mut v1::ListBarsRequest)) -> Result<Bars, Refusal> {
        let (instruments, caller) = stage().unwrap();
        let mut request = v1::ListBarsRequest {
            symbol: "EURUSD".into(),
            timeframe: v1::Timeframe::M15.into(),
            from_broker_ms: Some(1_000),
            ..Default::default()
        };
        change(&mut request);
        bars(&instruments, &caller, &request)
    }

    fn ask_ticks(change: impl FnOnce(&mut v1::ListTicksRequest)) -> Result<Ticks, Refusal> {
        let (instruments, caller) = stage().unwrap();
        let mut request = v1::ListTicksRequest {
            symbol: "EURUSD".into(),
            from_broker_ms: 1_000,
            to_broker_ms: 2_000,
            ..Default::default()
        };
        change(&mut request);
        ticks(&instruments, &caller, &request)
    }

    #[test]
    fn a_token_leads_on_from_its_place() {
        let asked = ask_bars(|_| {}).unwrap();
        let span = BrokerTime(1_000)..BrokerTime(LATEST);
        assert_eq!((asked.minutes, asked.limit), (15, DEFAULT));
        assert_eq!(asked.span, Some(span));
        let token = bars_token(Some(BrokerTime(60_001)));
        let asked = ask_bars(|request| request.page_token = token).unwrap();
        assert_eq!(asked.span.unwrap().start, BrokerTime(60_001));
        let newest = ask_bars(|request| request.from_broker_ms = None).unwrap();
        assert_eq!(newest.span, None);

        let place = TickPlace {
            time: BrokerTime(1_500),
            skip: 3,
        };
        let token = ticks_token(Some(place));
        let asked = ask_ticks(|request| request.page_token = token).unwrap();
        assert_eq!((asked.from, asked.to), (place, BrokerTime(2_000)));
        assert_eq!(
            (bars_token(None), ticks_token(None)),
            (String::new(), String::new())
        );
    }

    #[test]
    fn what_the_broker_does_not_tell_says_why_and_when_to_ask_again() {
        let untold = unread(&BrokerError::PastUnavailable {
            why: "not found (-4)".into(),
            pause: Duration::from_secs(9),
        });
        let text = Reason::PastUnavailable.text();
        let expected = Refusal::because(Reason::PastUnavailable, format!("{text}: not found (-4)"));
        assert_eq!(untold, expected.after(Duration::from_secs(9)));
    }

    #[test]
    fn a_fault_names_the_field_that_was_sent() {
        let late = ask_bars(|request| request.from_broker_ms = Some(LATEST + 1));
        let text = late.unwrap_err().to_string();
        assert!(
            text.contains("from_broker_ms") && !text.contains("to_broker_ms"),
            "{text}"
        );
        assert!(ask_bars(|request| request.from_broker_ms = Some(LATEST)).is_ok());
    }

    #[test]
    fn a_token_of_another_question_is_refused() {
        for token in ["999.0", "2000.0", "1500", "1500.-1", "1500.65536", "x"] {
            assert!(ask_ticks(|request| request.page_token = token.into()).is_err());
        }
        for token in ["999", "1500.0", "-"] {
            assert!(ask_bars(|request| request.page_token = token.into()).is_err());
        }
        let newest = ask_bars(|request| {
            request.from_broker_ms = None;
            request.page_token = "1500".into();
        });
        assert!(newest.is_err());
    }
}
