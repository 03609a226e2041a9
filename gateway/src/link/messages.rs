//! What an operator is told of a link that is up and troubled, or that is not tried.

use super::{
    session::{ACCOUNT_UNREADABLE, SLOW, wrong_zone},
    supervisor::LED_NOWHERE,
};
use mymt5_chassis::testing::messages::Messages;
use std::{io, path::Path};

#[test]
fn every_trouble_names_what_is_wrong_and_what_to_do() -> io::Result<()> {
    let mut messages = Messages::default();
    messages.text("the terminal", SLOW);
    messages.text("the account", ACCOUNT_UNREADABLE);
    messages.text("MT5_PASSWORD", LED_NOWHERE);
    messages.text("broker.time_zone", &wrong_zone(19_800_000));
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/link/messages.txt");
    messages.compare(&list)
}
