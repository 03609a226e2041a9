//! The whole path: client, gateway, bridge, broker, each a process of its own.

mod login;
mod outages;
mod rotation;
mod stage;
mod trading;
