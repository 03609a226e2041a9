//! The runbook's blocks, as they stand on its page: of which section each is, and whether it waits.

use std::{fs, path::Path};

/// Where the page's commands run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Installation {
    /// The binaries of a clone.
    Clone,
    /// What the shipped units start.
    Systemd,
}

/// A block of commands.
pub(super) struct Block {
    pub(super) section: String,
    /// The one installation that it is for; none: it is for all.
    pub(super) only: Option<Installation>,
    /// It is repeated until it succeeds.
    pub(super) waits: bool,
    pub(super) script: String,
}

/// The whole page.
pub(super) fn page() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../RUNBOOK.md");
    fs::read_to_string(page).unwrap()
}

/// The block that a shell begins with, in a clone.
pub(super) fn beginning() -> String {
    let mut blocks = blocks().into_iter();
    let block = blocks
        .find(|block| block.section == "installation" && block.only == Some(Installation::Clone));
    block.unwrap().script
}

/// All blocks, in their order. One that no test could find is an error.
pub(super) fn blocks() -> Vec<Block> {
    let page = page();
    let blocks = page.split("```").skip(1).step_by(2);
    let read = |block: &str| {
        let (head, script) = block.split_once('\n').unwrap();
        let words: Vec<&str> = head.split(' ').collect();
        let (section, only, waits) = match words[..] {
            ["sh", section] => (section, None, false),
            ["sh", section, "until"] => (section, None, true),
            ["sh", section, "clone"] => (section, Some(Installation::Clone), false),
            ["sh", section, "systemd"] => (section, Some(Installation::Systemd), false),
            _ => panic!("a block that is not `sh SECTION [until|clone|systemd]`: {head}"),
        };
        Block {
            section: section.to_owned(),
            only,
            waits,
            script: script.to_owned(),
        }
    };
    blocks.map(read).collect()
}
