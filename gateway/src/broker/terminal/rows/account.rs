//! `account_info` and `terminal_info`.

use super::super::wire::{Fields, RowError};
use mymt5_model::{AccountKind, AccountMode, AccountRow, MaskedAccount, Money};
use serde_json::value::RawValue;

/// What of the terminal matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TerminalRow {
    /// With the trade server.
    pub(crate) connected: bool,
    trade_allowed: bool,
    tradeapi_disabled: bool,
}

impl TerminalRow {
    pub(crate) fn read(raw: &RawValue) -> Result<Self, RowError> {
        let fields = Fields::of("terminal", raw)?;
        Ok(Self {
            connected: fields.flag("connected")?,
            trade_allowed: fields.flag("trade_allowed")?,
            tradeapi_disabled: fields.flag("tradeapi_disabled")?,
        })
    }
}

/// Why nothing can be traded, with the fix; none while it can.
fn obstacle(terminal: TerminalRow, account: &Fields<'_>) -> Result<Option<&'static str>, RowError> {
    let obstacles = [
        (
            !terminal.connected,
            "the terminal has no connection with the trade server; check its network",
        ),
        (
            !terminal.trade_allowed,
            "Algo Trading is off in the terminal (10027); switch it on in its toolbar",
        ),
        (
            terminal.tradeapi_disabled,
            "the Python API may not trade; clear \"Disable algorithmic trading via external Python API\" in the terminal's options",
        ),
        (
            !account.flag("trade_allowed")?,
            "the account may not trade, it is open with an investor password or the broker disabled it; use the main password, or ask the broker",
        ),
        (
            !account.flag("trade_expert")?,
            "the broker forbids programs to trade on this account (10026); ask it to allow them",
        ),
    ];
    Ok(obstacles
        .into_iter()
        .find_map(|(met, why)| met.then_some(why)))
}

/// Reads the account. Also its whole number, and why it cannot trade, if so.
pub(crate) fn account(
    raw: &RawValue,
    terminal: TerminalRow,
) -> Result<(AccountRow, u64, Option<&'static str>), RowError> {
    let fields = Fields::of("account", raw)?;
    let mode = match fields.code("margin_mode")? {
        0 | 1 => AccountMode::Netting,
        2 => AccountMode::Hedging,
        _ => return Err(fields.error("margin_mode", "is not known")),
    };
    let kind = match fields.code("trade_mode")? {
        0 | 1 => AccountKind::Demo,
        2 => AccountKind::Real,
        _ => return Err(fields.error("trade_mode", "is not known")),
    };
    let digits = u8::try_from(fields.code("currency_digits")?)
        .ok()
        .filter(|digits| *digits <= 8)
        .ok_or_else(|| fields.error("currency_digits", "is beyond 8"))?;
    let money = |field| {
        let amount = Money::from_f64(fields.number(field)?);
        amount.map_err(|_| fields.error(field, "is no amount of money"))
    };
    let margin = money("margin")?;
    let level = fields.number("margin_level")?;
    let obstacle = obstacle(terminal, &fields)?;
    let login = super::ticket(&fields, "login")?;
    let row = AccountRow {
        account: MaskedAccount::of(login),
        server: fields.text("server")?,
        mode,
        kind,
        currency: fields.text("currency")?,
        currency_digits: digits,
        leverage: fields.code("leverage")?,
        balance: money("balance")?,
        credit: money("credit")?,
        profit: money("profit")?,
        equity: money("equity")?,
        margin,
        free_margin: money("margin_free")?,
        margin_level: (margin > Money::ZERO).then_some(level),
        trade_allowed: obstacle.is_none(),
    };
    Ok((row, login, obstacle))
}

/// The level, in percent, below which the broker calls for margin; none where it counts in money.
pub(crate) fn call_level(raw: &RawValue) -> Result<Option<f64>, RowError> {
    let fields = Fields::of("account", raw)?;
    let percent = match fields.code("margin_so_mode")? {
        0 => true,
        1 => false,
        _ => return Err(fields.error("margin_so_mode", "is not known")),
    };
    Ok(Some(fields.number("margin_so_call")?).filter(|level| percent && *level > 0.0))
}
