//! The whole path: client, gateway, bridge, broker, each a process of its own.

mod bare;
mod eight;
mod login;
mod memory;
mod outages;
mod proxy;
mod rotation;
mod soak;
mod stage;
mod symbols;
mod trading;
