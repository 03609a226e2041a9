//! Why an entry is refused: a closed list. Exits are never refused.

macro_rules! refusals {
    ($($variant:ident, $name:literal, $text:literal;)*) => {
        /// Why an entry is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
        pub enum RiskRefused { $(#[doc = $text] #[error($text)] $variant,)* }

        impl RiskRefused {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

refusals! {
    StateUnreadable, "state_unreadable", "risk.json in process.data_folder cannot be read; restore it, or stop this engine and run `mymt5-engine reset-risk`";
    StateUnwritable, "state_unwritable", "risk.json in process.data_folder cannot be written; make room on its disk, and let this user write it";
    OtherAccount, "other_account", "risk.json in process.data_folder is of another account than the gateway's; give this engine the gateway of that account, or stop it and run `mymt5-engine reset-risk --new-account`";
    AccountUnknown, "account_unknown", "risk needs the account's equity or balance, which is unknown or not above 0; wait for the gateway to report it";
    DailyLoss, "daily_loss", "risk.daily_loss is reached; wait for the next reset";
    Drawdown, "drawdown", "risk.drawdown is reached; stop this engine, and run `mymt5-engine reset-risk` once trading may go on";
    SessionClosed, "session_closed", "risk.sessions has no window now; wait for the next one";
    FridayFlat, "friday_flat", "risk.friday_flat has closed the week; wait for Monday";
    News, "news", "risk.news holds entries back around a release; wait until it is over";
    NewsTimeUnknown, "news_time_unknown", "risk.news needs the time in UTC; set broker.time_zone at the gateway, or backtest.time_zone for a backtest";
    CalendarEnded, "calendar_ended", "risk.news.calendar has no release after now; replace it by a newer one and restart this engine";
    Cooldown, "cooldown", "risk.cooldown holds entries back after losses in a row; wait until it is over";
    TradesPerDay, "trades_per_day", "risk.max_trades_per_day is reached; wait for the next reset";
    Errors, "errors", "risk.max_errors orders in a row failed; look at the log, and wait for the next reset or run `mymt5-engine reset-risk`";
    Spread, "spread", "the spread is wider than risk.max_spread_points; wait until it is narrower";
    StopMissing, "stop_missing", "the entry has no stop loss, and a rule of risk needs one; let the strategy set one, or size by risk.lots without limits of stops";
    StopDistance, "stop_distance", "the stop loss is outside risk.min_stop_distance_points and max_stop_distance_points; move it within the range";
    TickValueUnknown, "tick_value_unknown", "risk cannot be told without the value of a tick; wait for the gateway to report a rate";
    VolumeTooSmall, "volume_too_small", "the smallest volume is more than risk.max_per_trade, risk.lots or risk.max_lots allows; set them higher";
    ReversalVolume, "reversal_volume", "what is held and what risk allows make no volume of one order; set the strategy's reverse to \"close-first\"";
    PositionsPerSymbol, "positions_per_symbol", "risk.max_positions_per_symbol is reached; close one first";
    Positions, "positions", "risk.max_open_positions is reached; close one first";
    LotsPerSymbol, "lots_per_symbol", "more lots of the symbol than risk.max_lots_per_symbol allows; close some first";
    Lots, "lots", "more lots in total than risk.max_lots_total allows; close some first";
    OpenRiskUnknown, "open_risk_unknown", "what is open has a position whose risk is not known; give it a stop loss, or close it";
    OpenRiskPerSymbol, "open_risk_per_symbol", "more is at risk in the symbol than risk.max_open_risk_per_symbol_percent allows; close some first";
    OpenRiskPerCurrency, "open_risk_per_currency", "more is at risk in a currency than risk.max_open_risk_per_currency_percent allows; close some first";
    OpenRisk, "open_risk", "more is at risk in total than risk.max_open_risk_percent allows; close some first";
    MarginUnknown, "margin_unknown", "risk.max_margin_use_percent needs the account's leverage and the value of what is on its way; wait for the gateway to report them";
    Margin, "margin", "more margin than risk.max_margin_use_percent allows; close some first";
}

impl RiskRefused {
    /// Those that hold for every entry, until what is kept over restarts can be gone on from.
    pub const OF_STATE: [Self; 2] = [Self::StateUnreadable, Self::OtherAccount];
}
