//! Keys that an option of a command sets, over files and environment.

use super::super::tree::{Node, Source};
use super::Reader;

impl Reader {
    /// Sets a key as a variable of the environment would, over whatever sets it so far: who reads it
    /// gives the text its type, and finds its faults. `option` tells where it comes from, such as
    /// `--vary`. What was read before is not read again: set first, then read.
    ///
    /// # Errors
    /// The name leads to no key; the reason.
    pub fn set(&mut self, option: &'static str, key: &str, text: &str) -> Result<(), &'static str> {
        let names: Vec<&str> = key.split('.').collect();
        if names.iter().any(|name| name.is_empty()) {
            return Err("names no key");
        }
        let node = Node::of_text(text, Source::Option(option));
        self.root.put(&names, node)
    }

    /// The keys that were asked for by now, set or not, sorted.
    pub fn asked(&self) -> impl Iterator<Item = &str> {
        self.asked.iter().map(String::as_str)
    }
}
