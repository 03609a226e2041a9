//! `mymt5-engine`, with the strategies that come with it.

use mymt5_engine::strategy::Registry;
use std::process::ExitCode;

fn main() -> ExitCode {
    mymt5_engine::run(Registry::shipped())
}
