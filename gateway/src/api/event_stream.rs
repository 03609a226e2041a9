//! Events after a cursor, then live. The log is the queue: a reader that falls behind it loses its
//! cursor, never an event in between.

use super::{AppState, call, render::Render};
use crate::access::{Caller, Held, Permission};
use futures_util::{Stream, stream};
use mymt5_chassis::{clock, redact::Redactor};
use mymt5_model::{Moment, UtcTime};
use mymt5_orders::{Audience, Recorded};
use mymt5_proto::{Reason, Refusal, v1};
use std::{collections::VecDeque, time::Duration};
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};
use tonic::Status;
use v1::stream_events_response::Event as Wire;

/// Between two account updates.
const ACCOUNT_EVERY: Duration = Duration::from_secs(1);
/// Between two progress marks.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

struct Reader {
    app: AppState,
    caller: Caller,
    cursor: u64,
    newest: watch::Receiver<u64>,
    ready: VecDeque<v1::StreamEventsResponse>,
    account: Interval,
    progress: Interval,
    _open: Held,
}

/// Follows the log for one caller.
pub(super) fn follow(
    app: AppState,
    caller: Caller,
    cursor: u64,
    open: Held,
) -> impl Stream<Item = Result<v1::StreamEventsResponse, Status>> + Send {
    let every = |period| {
        let mut every = interval(period);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        every
    };
    let newest = app.orders.log().watch();
    let (account, progress) = (every(ACCOUNT_EVERY), every(PROGRESS_EVERY));
    let reader = Reader {
        app,
        caller,
        cursor,
        newest,
        ready: VecDeque::new(),
        account,
        progress,
        _open: open,
    };
    stream::unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        match reader.next().await {
            Ok(event) => Some((Ok(event), Some(reader))),
            Err(refusal) => Some((Err(refusal.into()), None)),
        }
    })
}

impl Reader {
    async fn next(&mut self) -> Result<v1::StreamEventsResponse, Refusal> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            self.newest.mark_unchanged();
            if self.read().await? {
                continue;
            }
            let shutdown = self.app.shutdown.clone();
            tokio::select! {
                () = shutdown.cancelled() => {
                    return Err(Refusal::new(Reason::Draining).with("resume_after_sequence", self.cursor));
                }
                _ = self.newest.changed() => {}
                _ = self.account.tick() => self.ready.extend(self.account_update().await?),
                _ = self.progress.tick() => {
                    let mark = Wire::Progress(v1::Progress { sequence: self.cursor });
                    return Ok(unsequenced(mark));
                }
            }
        }
    }

    /// Reads a page of the log. False: there is nothing after the cursor.
    async fn read(&mut self) -> Result<bool, Refusal> {
        let page = self.app.orders.log().after(self.cursor).await;
        let page = page.map_err(|_| Refusal::new(Reason::SequencePurged))?;
        let Some(last) = page.last() else {
            return Ok(false);
        };
        self.cursor = last.sequence;
        let render = Render(self.app.zone.as_ref().map(|(_, zone)| zone));
        let visible = page
            .iter()
            .filter(|recorded| is_visible(&self.caller, recorded));
        let redactor = self.app.trail.redactor();
        self.ready
            .extend(visible.map(|recorded| without_secrets(redactor, render.event(recorded))));
        Ok(true)
    }

    async fn account_update(&self) -> Result<Option<v1::StreamEventsResponse>, Refusal> {
        let zone = self.app.zone.clone().map(|(_, zone)| zone);
        let turn = call::turn(&self.caller);
        let account = self.app.orders.ask_for(&turn, move |core| {
            let as_of = core.book().as_of();
            let utc = as_of.and_then(|time| zone.as_ref()?.to_utc(time));
            core.book()
                .account()
                .map(|row| v1::Account::of(row, Moment { utc, broker: as_of }))
        });
        let account = unless_full(account.await)?;
        Ok(account.map(|account| {
            unsequenced(Wire::AccountUpdate(v1::AccountUpdate {
                account: Some(account),
            }))
        }))
    }
}

/// What was asked for an update; nothing where the client has too much waiting for the core: the next
/// update is due soon, and its events go on.
fn unless_full<T>(asked: Result<Option<T>, Refusal>) -> Result<Option<T>, Refusal> {
    match asked {
        Err(refusal) if refusal.reason() == Reason::QueueFull => Ok(None),
        asked => asked,
    }
}

/// What is on record may be older than what is known to be secret now: an operator's words of a halt
/// while no gateway ran, or from before a rotation. And why a link failed may quote the configuration.
fn without_secrets(
    redactor: &Redactor,
    mut event: v1::StreamEventsResponse,
) -> v1::StreamEventsResponse {
    let reason = match &mut event.event {
        Some(Wire::TradingStateChanged(changed)) => Some(&mut changed.reason),
        Some(Wire::LinkChanged(changed)) => Some(&mut changed.reason),
        _ => None,
    };
    if let Some(reason) = reason {
        *reason = redactor.clean(reason).into_owned();
    }
    event
}

fn unsequenced(event: Wire) -> v1::StreamEventsResponse {
    let time = Moment {
        utc: Some(UtcTime(clock::utc_now_ms())),
        broker: None,
    };
    v1::StreamEventsResponse {
        sequence: 0,
        time: Some(time.into()),
        correlation_id: String::new(),
        event: Some(event),
    }
}

/// An engine sees its own; `control` sees all.
pub(super) fn is_visible(caller: &Caller, recorded: &Recorded) -> bool {
    match &recorded.audience {
        Audience::All => true,
        Audience::Client(name) => *name == caller.0.name || caller.may(Permission::Control),
        Audience::Control => caller.may(Permission::Control),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mymt5_chassis::secrets::Secret;

    #[test]
    fn a_full_queue_skips_an_update_and_ends_no_stream() {
        let full = unless_full::<()>(Err(Refusal::new(Reason::QueueFull)));
        assert_eq!(full, Ok(None));
        let down = Refusal::new(Reason::JournalDown);
        assert_eq!(unless_full::<()>(Err(down.clone())), Err(down));
        assert_eq!(unless_full(Ok(Some(7))), Ok(Some(7)));
    }

    #[test]
    fn why_is_told_without_secrets() {
        let redactor = Redactor::new();
        redactor.set_values(&[&Secret::new("correct-horse-7")], &[]);
        let reason = "the broker has no symbol correct-horse-7".to_owned();
        let link = v1::LinkChanged {
            reason: reason.clone(),
            ..Default::default()
        };
        let state = v1::TradingStateChanged {
            reason,
            ..Default::default()
        };
        for event in [Wire::LinkChanged(link), Wire::TradingStateChanged(state)] {
            let told = format!("{:?}", without_secrets(&redactor, unsequenced(event)));
            assert!(told.contains("no symbol ***"), "{told}");
        }
    }
}
