//! The domain's words. Pure values: no I/O, no async, no clock. Numbers are integers here
//! (lots of 1e-8, prices in points, money of 1e-8); doubles exist only at the edges, the wire
//! and MetaTrader 5, and are parsed into these types there.
//!
//! # Rooms
//! * Numbers: `lots`, `price`, `money`, `time`, `weekday`.
//! * Names: `ids`, `symbol` (with its contract).
//! * What is traded: `order` (states), `trade` (what is sent and what is answered), `rows` and
//!   `account` (what the server lists), `retcode`, `market` (ticks and bars), `link`.
//! * What is refused: `reasons` (the one table), `refusal`, `status` (on the wire).
//!
//! # The way of an order
//! * A request's doubles become [`Lots`] and [`Price`] on the grids of the [`SymbolSpec`]; what does not
//!   fit is gathered in [`Violations`] and becomes a [`Refusal`] with its [`Reason`].
//! * What is sent is a [`TradeRequest`]; what comes back is a [`Receipt`] with its [`Retcode`], then the
//!   server's rows ([`OrderRow`], [`PositionRow`]) and, as the only proof of a fill, a [`DealRow`].
//!
//! # The way of a tick
//! * A [`Tick`] has raw [`BrokerTime`]; the [`BrokerZone`] gives its [`UtcTime`], where it is configured.

mod account;
mod ids;
mod link;
mod lots;
mod market;
mod money;
mod order;
mod price;
mod reasons;
mod refusal;
mod retcode;
mod rows;
#[cfg(feature = "status")]
mod status;
mod symbol;
mod time;
mod trade;
mod weekday;

pub use account::{AccountKind, AccountMode, AccountRow, MaskedAccount};
pub use ids::{AccountId, ClientName, IdError, Magic, OrderId, PositionId, RequestId, Ticket};
pub use link::LinkState;
pub use lots::{Lots, LotsError, VolumeGrid};
pub use market::{Bar, Tick};
pub use money::{Money, MoneyError};
pub use order::{OrderState, OrderType, Side, TimeInForce};
pub use price::{Price, PriceError};
pub use reasons::Reason;
pub use refusal::{Refusal, Violations};
pub use retcode::{Retcode, RetcodeClass};
pub use rows::{DealKind, DealReason, DealRow, Entry, OrderRow, PositionRow, RowState};
#[cfg(feature = "status")]
pub use status::{DOMAIN, reason_of, retry_after};
pub use symbol::{Execution, FillingModes, Symbol, SymbolError, SymbolSpec, TradeMode};
pub use time::{BrokerTime, BrokerTimeError, BrokerZone, Moment, UtcTime, ZoneError};
pub use trade::{Comment, Edit, Levels, LevelsEdit, Receipt, TermsEdit, TradeRequest};
pub use weekday::Weekday;
