//! The runbook's blocks, as they stand on its page: of which section each is, and whether it waits.

use std::{fs, path::Path};

/// A block of commands.
pub(super) struct Block {
    pub(super) section: String,
    /// It is repeated until it succeeds.
    pub(super) waits: bool,
    pub(super) script: String,
}

/// The whole page.
pub(super) fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../RUNBOOK.md");
    fs::read_to_string(page).unwrap()
}

/// All blocks, in their order. One that no test could find is an error.
pub(super) fn blocks() -> Vec<Block> {
    let page = page();
    let blocks = page.split("```").skip(1).step_by(2);
    let read = |block: &str| {
        let (head, script) = block.split_once('\n').unwrap();
        let words: Vec<&str> = head.split(' ').collect();
        let (section, waits) = match words[..] {
            ["sh", section] => (section, false),
            ["sh", section, "until"] => (section, true),
            _ => panic!("a block that is neither `sh SECTION` nor `sh SECTION until`: {head}"),
        };
        Block {
            section: section.to_owned(),
            waits,
            script: script.to_owned(),
        }
    };
    blocks.map(read).collect()
}
