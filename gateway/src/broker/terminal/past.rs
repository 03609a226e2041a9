//! Calls about the past of the market. A past that the terminal must load first holds the package,
//! and with it every order: so one such call at a time, none that begins while an order is on its
//! way, and a pause after one that took long. One question may take several calls in its turn.

use super::{
    super::BrokerError, Terminal, calls::value, connection::Pending, failure::CallOutcome,
};
use serde_json::{Value, value::RawValue};
use std::time::Duration;
use tokio::{
    sync::OwnedMutexGuard,
    time::{Instant, sleep, timeout},
};

/// A call that took longer has held up what else there was to do.
const LONG: Duration = Duration::from_secs(1);
/// The past is not asked for during so long after such a call; nor need it be after one in vain.
const PAUSE: Duration = Duration::from_secs(10);
/// While an order is on its way, it is looked again after so long.
const ORDER_PAUSE: Duration = Duration::from_millis(20);

// Why the past is not told, with the fix.
pub(super) const BUSY: &str =
    "the terminal is busy with orders or another such call; try again when it is not";
pub(super) const HELD: &str =
    "the call before held the terminal for long; wait until nothing trades, and ask again";
pub(super) const UNANSWERED: &str = "the terminal did not answer in time; look at the bridge's log";
const LOADING: &str = "the terminal may still be loading it; look at the symbol's history there";

/// Who has it has the bridge's one call about the past. In it: when the next may begin; none: at
/// once.
pub(super) type Turn = OwnedMutexGuard<Option<Instant>>;

impl Terminal {
    /// Asks about the past. Who gives up meanwhile gives no place free: the call holds it until the
    /// bridge has answered or the session ended.
    ///
    /// # Errors
    /// `PastUnavailable`, or no link.
    pub(super) async fn ask_past(
        &self,
        call: &str,
        args: &Value,
    ) -> Result<Box<RawValue>, BrokerError> {
        let turn = self.past_turn().await?;
        let (answer, _) = self.ask_in_turn(turn, call, args).await?;
        Ok(answer)
    }

    /// The same in a turn that is given back for the next call of one question: that call waits for
    /// orders, and for no pause.
    ///
    /// # Errors
    /// As [`Self::ask_past`].
    pub(super) async fn ask_in_turn(
        &self,
        turn: Turn,
        call: &str,
        args: &Value,
    ) -> Result<(Box<RawValue>, Turn), BrokerError> {
        let quiet = timeout(self.settings.read_timeout(), self.orders_done()).await;
        quiet.map_err(|_| unavailable(BUSY, PAUSE))?;
        let pending = match self.link()?.begin(call, args) {
            Ok(pending) => pending,
            Err(outcome) => return value(outcome).map(|answer| (answer, turn)),
        };
        let answer = tokio::spawn(answered(pending, turn));
        let Ok(Ok((outcome, turn))) = timeout(self.settings.call_timeout, answer).await else {
            return Err(unavailable(UNANSWERED, PAUSE));
        };
        let is_answer = matches!(outcome, CallOutcome::Answer(_));
        let answer = value(outcome).map_err(|error| {
            if is_answer {
                unavailable(&error.why(), PAUSE)
            } else {
                error
            }
        })?;
        Ok((answer, turn))
    }

    /// Waits until no other question about the past is under way.
    ///
    /// # Errors
    /// That lasts, or the pause after it does.
    pub(super) async fn past_turn(&self) -> Result<Turn, BrokerError> {
        let turn = self.past.clone().lock_owned();
        let turn = timeout(self.settings.read_timeout(), turn).await;
        let turn = turn.map_err(|_| unavailable(BUSY, PAUSE))?;
        let left = turn.map(|next| next.saturating_duration_since(Instant::now()));
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            return Err(unavailable(HELD, left));
        }
        Ok(turn)
    }

    /// Waits until no order is on its way.
    async fn orders_done(&self) {
        // Every send holds it for reading.
        while self.turn.try_write().is_err() {
            sleep(ORDER_PAUSE).await;
        }
    }
}

/// Waits for the answer, however long, and with the turn. A pause after a call before it stays.
async fn answered(mut pending: Pending, mut turn: Turn) -> (CallOutcome, Turn) {
    let begun = Instant::now();
    let outcome = pending.answered().await;
    *turn = pause_after(begun.elapsed()).max(*turn);
    (outcome, turn)
}

/// When the next call may begin, after one that took so long.
fn pause_after(took: Duration) -> Option<Instant> {
    (took > LONG).then(|| Instant::now() + PAUSE)
}

/// The past is not told now.
fn unavailable(why: &str, pause: Duration) -> BrokerError {
    BrokerError::PastUnavailable {
        why: why.to_owned(),
        pause,
    }
}

/// The terminal told less than it has: it is still loading.
pub(super) fn loading() -> BrokerError {
    unavailable(LOADING, PAUSE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{
        super::{TerminalSettings, expected_account::tests::account},
        *,
    };
    use mymt5_model::AccountKind;

    #[tokio::test(start_paused = true)]
    async fn a_call_that_held_the_terminal_for_long_is_followed_by_a_pause() {
        let settings = TerminalSettings {
            address: "127.0.0.1:1".into(),
            certificate: None,
            symbols: [].into(),
            kind: AccountKind::Real,
            poll_interval: LONG,
            rows_interval: LONG,
            call_timeout: LONG,
        };
        let terminal = Terminal::new(settings, || account("10005678", "Live-1")).unwrap();
        *terminal.past_turn().await.unwrap() = pause_after(LONG + ORDER_PAUSE);
        let held = terminal.past_turn().await.map(drop);
        assert_eq!(held, Err(unavailable(HELD, PAUSE)));
        tokio::time::advance(PAUSE).await;
        *terminal.past_turn().await.unwrap() = pause_after(LONG);
        assert!(terminal.past_turn().await.is_ok());
    }
}
