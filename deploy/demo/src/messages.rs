//! What the demo tells whoever runs it when it fails.

use mymt5_chassis::testing::messages::Messages;
use std::{io, path::Path};

#[test]
fn every_error_says_what_to_do() -> io::Result<()> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut messages = Messages::default();
    messages.contexts(&sources)?;
    messages.compare(&sources.join("messages.txt"))
}
