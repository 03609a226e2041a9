//! The other broker of the kill test: the bridge's own process, with a stand-in for the terminal's
//! package whose account outlives it. What is wrong with its sends is planned; besides, the bridge
//! is killed and stopped at any moment.

mod books;
mod broker;
mod keeper;
mod mishaps;
mod process;

pub(crate) use books::Books;
pub(crate) use broker::terminal;
pub(crate) use keeper::{Deaths, Keeper};
pub(crate) use mishaps::{Mischief, Mishap};

use crate::scene::{LOTS_MAX, SYMBOLS, Scene};
use mymt5_model::AccountMode;
use std::path::Path;

const SECRET: &str = "a secret of both sides, long enough to count";
const PASSWORD: &str = "correct horse battery staple";

/// A port that nobody listens at. It is below those that the kernel gives to clients that connect: one
/// of these could be taken while the bridge is dead.
pub(crate) fn free_port() -> u16 {
    mymt5_chassis::testing::free_port().unwrap()
}

/// Opens the account.
pub(crate) fn prepare(folder: &Path, scene: &Scene) {
    let account = scene.account();
    let mode = match account.mode {
        AccountMode::Netting => 0,
        AccountMode::Hedging => 2,
    };
    let settings = [
        format!("login={}", account.login),
        format!("server={}", account.server),
        format!("margin_mode={mode}"),
        "feed=manual".to_owned(),
        "clock=real".to_owned(),
        "offset_s=0".to_owned(),
    ];
    process::control(folder, &[&["init".to_owned()], &settings[..]].concat());
    process::control(folder, &["password".to_owned(), PASSWORD.to_owned()]);
    let books = Books::open(folder);
    for (symbol, _) in SYMBOLS {
        books.limit_lots(symbol, LOTS_MAX);
    }
}
