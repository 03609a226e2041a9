//! The real bridge, a Python process, with a stand-in for the terminal's package.

mod broken;
mod process;
mod session;
mod ticks;
mod trading;

pub use process::Bridge;
pub use trading::market;
