//! The unprivileged process: strategies, sizing and what they hold. It has no secret of the
//! account and reaches the market only through a gateway.

pub mod cli;
pub mod intents;
pub mod portfolio;
pub mod risk;
pub mod session;
pub mod settings;
pub mod strategy;
pub mod trader;
