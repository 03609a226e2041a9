//! The engine with one strategy more: `own-strategy run`, `check`, `status` and all other commands.

mod three_bars;

use mymt5_engine::strategy::Registry;
use std::process::ExitCode;

fn main() -> ExitCode {
    mymt5_engine::run(Registry::shipped().with("three_bars", three_bars::build))
}
