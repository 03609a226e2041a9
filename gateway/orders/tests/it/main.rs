//! The core on the bench: each of its promises by a scene of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../bench/mod.rs"]
mod bench;
mod change_evidence;
mod change_outcomes;
mod changes;
mod check;
mod clocks;
mod closed_markets;
mod endless;
mod evidence;
mod exposure;
mod fills;
mod first;
mod first_day;
mod flatten;
mod flatten_rounds;
mod foreign;
mod grants;
mod limits;
mod losses;
mod losses_by_deals;
mod money;
mod obstacles;
mod operator;
mod orders;
mod partial_fills;
mod play;
mod positions;
mod queue;
mod readme;
mod reconcile;
mod repeats;
mod reservations;
mod restored;
mod sequences;
mod sessions;
mod states;
mod unread_symbols;
mod unreadable;
mod whole_stops;
