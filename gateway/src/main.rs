//! `mymt5-gateway`: parses the command and hands over.

use clap::Parser;
use mymt5_gateway::cli::{self, Cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::execute(Cli::parse())
}
