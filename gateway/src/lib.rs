//! The privileged process: it holds the account, the broker link, the orders and the limits, and
//! serves a small gRPC API to engines that hold nothing.
//!
//! # Rooms
//! * The way of an order: [`server`] (the port and its limits) -> [`access`] (who calls, and what it
//!   may) -> [`api`] (from the wire to the model) -> [`desk`] (the shell of [`mymt5_orders::Core`],
//!   which decides) -> [`journal`] (durable before it is sent) -> [`broker`] (the simulator, or a
//!   terminal behind its bridge), and back by [`desk`] and [`journal`] to callers and subscribers.
//! * The way of a tick: [`broker`] -> [`link`] (connects, identifies, feeds) -> [`market`] (queues of
//!   the subscribers) -> [`api`].
//! * What must be told later: [`audit`] (who asked for what, in a chained file of its own). What must
//!   be told now: [`notify`] (alerts by e-mail and Telegram).
//! * What a monitor reads: [`telemetry`] (the list of the metrics).
//! * How it starts, and what it reloads while it runs: [`cli`], [`settings`], [`reload`].

pub mod access;
pub mod api;
pub mod audit;
pub mod broker;
pub mod cli;
pub mod desk;
pub mod journal;
pub mod link;
pub mod market;
pub mod notify;
pub mod reload;
pub mod server;
pub mod settings;
pub mod telemetry;

#[doc(hidden)]
pub use api::fuzz;
#[doc(hidden)]
pub use broker::terminal::fuzz as bridge_fuzz;
