//! `mymt5-engine`: parses the command and hands over.

use clap::Parser;
use mymt5_engine::cli::{self, Cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::execute(Cli::parse())
}
