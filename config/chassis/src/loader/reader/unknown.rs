//! Keys that are set and that nobody asked for.

use super::super::{
    hints,
    tree::{Kind, Source},
};
use super::Reader;

impl Reader {
    pub(super) fn report_unknown(&mut self) {
        let mut leaves = Vec::new();
        self.root.leaves("", &mut leaves);
        for (key, _, source) in leaves {
            if self.is_known(&key) {
                continue;
            }
            let fix = match hints::nearest(&key, self.asked.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {near}?"),
                None => "remove it".to_owned(),
            };
            if let Source::Dotenv(name) = &source {
                self.warnings.push(format!(
                    "{name} of .env sets {key}, which {} does not know; {fix}",
                    self.table.program
                ));
            } else {
                self.fault(&key, format!("in {source} is unknown"), fix);
            }
        }
    }

    /// A leaf is known when it, or a table above it, was read as a whole; an empty table also
    /// when a key under it was asked for.
    fn is_known(&self, key: &str) -> bool {
        let above = key
            .char_indices()
            .filter(|(_, c)| *c == '.')
            .map(|(at, _)| &key[..at])
            .chain([key]);
        let under = format!("{key}.");
        key.is_empty()
            || above.into_iter().any(|prefix| self.asked.contains(prefix))
            || self.containers.contains(key)
            || self
                .asked
                .range(under.clone()..)
                .next()
                .is_some_and(|asked| asked.starts_with(&under))
                && self.is_empty_table(key)
    }

    fn is_empty_table(&self, key: &str) -> bool {
        self.root
            .get(key)
            .is_some_and(|node| matches!(&node.kind, Kind::Table(entries) if entries.is_empty()))
    }
}
