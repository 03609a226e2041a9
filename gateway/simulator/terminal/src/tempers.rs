//! What goes wrong on purpose: each temper has a name, and most a value.

use crate::{
    commands::Command,
    frame::{Fate, Reply},
};
use mymt5_model::UtcTime;
use std::{fmt, str::FromStr, time::Duration};

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Temper {
    /// The trade server is not reached: no ticks, and no order goes out.
    NotConnected,
    /// So many seconds from now on the terminal is still starting, and not connected.
    Connecting(u64),
    /// A wrong password is answered like a right one; the terminal then stays unconnected.
    WrongLoginAcknowledged,
    /// Algo trading is switched off in the terminal.
    AlgoTradingOff,
    /// Another account is logged in.
    OtherAccount(u64),
    /// Deals and finished orders are listed so many milliseconds late.
    HistoryLate(u64),
    /// Positions, orders and deals are each shown as of a moment of their own, at most so many
    /// milliseconds ago.
    RowsLate(u64),
    /// Finished orders are listed nowhere.
    OrdersPurged,
    /// A deal is found by its order's ticket, as the documentation has it, not by its own.
    DealsByOrder,
    /// A command is done at once and answered so many milliseconds later.
    Slow(Command, u64),
    /// A command is done and never answered.
    Hang(Command),
    /// A command is neither done nor answered.
    Lost(Command),
    /// A command is done so many milliseconds later, and never answered.
    Late(Command, u64),
    /// A command is done, and the connection ends in the middle of its answer.
    CloseMidAnswer(Command),
    /// A command's answer is eight bytes too long.
    OtherLength(Command),
    /// All connections end, and for so many seconds none is taken.
    Restart(u64),
    /// So many symbols are listed in all.
    Symbols(u64),
    /// A new account has so many deals behind it.
    Deals(u64),
}

/// Not a temper.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid temper {text}: expected {expected}")]
pub struct TemperError {
    text: String,
    expected: String,
}

impl Temper {
    /// Every temper, as it is written.
    pub const KNOWN: &str = "not-connected, connecting=SECONDS, wrong-password-acknowledged, \
        algo-trading-off, other-account=LOGIN, history-late=MS, rows-late=MS, orders-purged, \
        deals-by-order, slow=COMMAND:MS, hang=COMMAND, lost=COMMAND, late=COMMAND:MS, \
        close-mid-answer=COMMAND, other-length=COMMAND, restart=SECONDS, symbols=COUNT or \
        deals=COUNT";

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotConnected => "not-connected",
            Self::Connecting(_) => "connecting",
            Self::WrongLoginAcknowledged => "wrong-password-acknowledged",
            Self::AlgoTradingOff => "algo-trading-off",
            Self::OtherAccount(_) => "other-account",
            Self::HistoryLate(_) => "history-late",
            Self::RowsLate(_) => "rows-late",
            Self::OrdersPurged => "orders-purged",
            Self::DealsByOrder => "deals-by-order",
            Self::Slow(..) => "slow",
            Self::Hang(_) => "hang",
            Self::Lost(_) => "lost",
            Self::Late(..) => "late",
            Self::CloseMidAnswer(_) => "close-mid-answer",
            Self::OtherLength(_) => "other-length",
            Self::Restart(_) => "restart",
            Self::Symbols(_) => "symbols",
            Self::Deals(_) => "deals",
        }
    }

    const fn command(&self) -> Option<&Command> {
        match self {
            Self::Slow(command, _)
            | Self::Late(command, _)
            | Self::Hang(command)
            | Self::Lost(command)
            | Self::CloseMidAnswer(command)
            | Self::OtherLength(command) => Some(command),
            _ => None,
        }
    }

    /// True for what only a start can set.
    #[must_use]
    pub const fn is_of_the_start(&self) -> bool {
        matches!(self, Self::Symbols(_) | Self::Deals(_))
    }

    fn read(text: &str) -> Option<Result<Self, String>> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let count = || value.and_then(|value| value.parse().ok());
        let command = || value.map(str::parse::<Command>);
        Some(Ok(match (name, value) {
            ("not-connected", None) => Self::NotConnected,
            ("wrong-password-acknowledged", None) => Self::WrongLoginAcknowledged,
            ("algo-trading-off", None) => Self::AlgoTradingOff,
            ("orders-purged", None) => Self::OrdersPurged,
            ("deals-by-order", None) => Self::DealsByOrder,
            ("connecting", _) => Self::Connecting(count()?),
            ("other-account", _) => Self::OtherAccount(count()?),
            ("history-late", _) => Self::HistoryLate(count()?),
            ("rows-late", _) => Self::RowsLate(count()?),
            ("restart", _) => Self::Restart(count()?),
            ("symbols", _) => Self::Symbols(count()?),
            ("deals", _) => Self::Deals(count()?),
            ("slow" | "late", Some(value)) => {
                let (command, ms) = value.split_once(':')?;
                let ms = ms.parse().ok()?;
                match command.parse() {
                    Ok(command) if name == "slow" => Self::Slow(command, ms),
                    Ok(command) => Self::Late(command, ms),
                    Err(error) => return Some(Err(error)),
                }
            }
            ("hang" | "lost" | "close-mid-answer" | "other-length", _) => match command()? {
                Ok(command) if name == "hang" => Self::Hang(command),
                Ok(command) if name == "lost" => Self::Lost(command),
                Ok(command) if name == "other-length" => Self::OtherLength(command),
                Ok(command) => Self::CloseMidAnswer(command),
                Err(error) => return Some(Err(error)),
            },
            _ => return None,
        }))
    }
}

impl FromStr for Temper {
    type Err = TemperError;

    fn from_str(text: &str) -> Result<Self, TemperError> {
        let failed = |expected: String| TemperError {
            text: text.to_owned(),
            expected,
        };
        match Self::read(text) {
            Some(Ok(temper)) => Ok(temper),
            Some(Err(expected)) => Err(failed(expected)),
            None => Err(failed(Self::KNOWN.to_owned())),
        }
    }
}

impl fmt::Display for Temper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Slow(command, ms) | Self::Late(command, ms) => write!(f, "={command}:{ms}"),
            Self::Hang(command)
            | Self::Lost(command)
            | Self::CloseMidAnswer(command)
            | Self::OtherLength(command) => write!(f, "={command}"),
            Self::Connecting(n)
            | Self::OtherAccount(n)
            | Self::HistoryLate(n)
            | Self::RowsLate(n)
            | Self::Restart(n)
            | Self::Symbols(n)
            | Self::Deals(n) => write!(f, "={n}"),
            _ => Ok(()),
        }
    }
}

/// The tempers that are set, and since when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tempers(Vec<(Temper, UtcTime)>);

impl Tempers {
    /// Sets one; it replaces what had its name and was about the same command.
    pub(crate) fn set(&mut self, temper: Temper, now: UtcTime) {
        self.0
            .retain(|(old, _)| old.name() != temper.name() || old.command() != temper.command());
        self.0.push((temper, now));
    }

    /// Takes away those of that name; all of them without one.
    pub(crate) fn clear(&mut self, name: Option<&str>) {
        self.0
            .retain(|(temper, _)| name.is_some_and(|name| name != temper.name()));
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Temper> {
        self.0.iter().map(|(temper, _)| temper)
    }

    pub(crate) fn has(&self, temper: &Temper) -> bool {
        self.all().any(|set| set == temper)
    }

    pub(crate) fn find<T>(&self, value: impl Fn(&Temper) -> Option<T>) -> Option<T> {
        self.all().find_map(value)
    }

    /// True while the terminal is still starting.
    pub(crate) fn is_connecting(&self, now: UtcTime) -> bool {
        self.0.iter().any(|(temper, since)| match temper {
            Temper::Connecting(seconds) => now.0 < since.0 + *seconds as i64 * 1000,
            _ => false,
        })
    }

    /// True where a command is lost on its way.
    pub(crate) fn lose(&self, command: u32) -> bool {
        let lost = |temper: &Temper| matches!(temper, Temper::Lost(lost) if lost.covers(command));
        self.all().any(lost)
    }

    /// How many milliseconds later a command is done, where it is late.
    pub(crate) fn postpone(&self, command: u32) -> Option<u64> {
        self.find(|temper| match temper {
            Temper::Late(late, ms) if late.covers(command) => Some(*ms),
            _ => None,
        })
    }

    /// Does to a reply what the tempers of its command do.
    pub(crate) fn spoil(&self, mut reply: Reply) -> Reply {
        for temper in self.all() {
            if !temper.command().is_some_and(|c| c.covers(reply.command)) {
                continue;
            }
            match temper {
                Temper::Slow(_, ms) => reply.delay = Duration::from_millis(*ms),
                Temper::Hang(_) => reply.fate = Fate::Never,
                Temper::CloseMidAnswer(_) => reply.fate = Fate::Torn,
                Temper::Lost(_) | Temper::Late(..) => {}
                _ => reply.body.extend_from_slice(&[0; 8]),
            }
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_is_read_as_it_is_written() {
        for text in [
            "not-connected",
            "connecting=3",
            "wrong-password-acknowledged",
            "algo-trading-off",
            "other-account=7",
            "history-late=500",
            "rows-late=200",
            "orders-purged",
            "deals-by-order",
            "slow=order_send:250",
            "hang=109",
            "lost=order_send",
            "late=order_send:700",
            "close-mid-answer=positions_get",
            "other-length=account_info",
            "restart=2",
            "symbols=2000",
            "deals=20000",
        ] {
            let temper: Temper = text.parse().unwrap();
            assert_eq!(temper.to_string(), text);
            assert!(Temper::KNOWN.contains(temper.name()));
        }
        for wrong in [
            "",
            "slow",
            "slow=order_send",
            "hang=x",
            "symbols=-1",
            "not-connected=1",
        ] {
            assert!(wrong.parse::<Temper>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_same_about_another_command_stands_beside_it() {
        let mut tempers = Tempers::default();
        for text in [
            "slow=order_send:1",
            "slow=order_send:2",
            "slow=account_info:3",
        ] {
            tempers.set(text.parse().unwrap(), UtcTime(0));
        }
        let delay = |command| tempers.spoil(Reply::new(command, Ok(Vec::new()))).delay;
        assert_eq!(delay(161), Duration::from_millis(2));
        assert_eq!(delay(190), Duration::from_millis(3));
        assert_eq!(delay(180), Duration::ZERO);
        tempers.clear(Some("slow"));
        assert_eq!(tempers.all().count(), 0);
    }
}
