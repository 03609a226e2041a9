//! Keys that are set but never read.

use super::super::{
    hints,
    tree::{Kind, Node, Source},
};
use super::Reader;

impl Reader {
    pub(super) fn report_unknown(&mut self) {
        let mut leaves = Vec::new();
        self.root.leaves("", &mut leaves);
        for (key, _, source) in leaves {
            if self.knows(&key) {
                continue;
            }
            let fix = match hints::nearest(&key, self.asked.iter().map(String::as_str)) {
                Some(near) => format!("rename it to {near} if that was meant, or remove it"),
                None => "remove it".to_owned(),
            };
            if let Source::Dotenv(name) = &source {
                self.warnings.push(format!(
                    "{name} of .env sets {key}, which {} does not know; {fix}",
                    self.table.program
                ));
            } else if self.has_keys(&key) {
                let nature = self.root.get(&key).map_or("a value", Node::nature);
                let reason = format!("expected a table, found {nature} in {source}");
                self.reject(&key, reason, format!("write it as a table, [{key}]"));
            } else {
                self.reject(&key, format!("unknown key in {source}"), fix);
            }
        }
    }

    /// Whether a key that is set was asked for by now: it, or a table above it, was read as a whole; of an
    /// empty table also a key under it.
    #[must_use]
    pub fn knows(&self, key: &str) -> bool {
        let above = key
            .char_indices()
            .filter(|(_, c)| *c == '.')
            .map(|(at, _)| &key[..at])
            .chain([key]);
        key.is_empty()
            || above.into_iter().any(|prefix| self.asked.contains(prefix))
            || self.containers.contains(key)
            || self.has_keys(key) && self.is_empty_table(key)
    }

    /// Whether a key under it was asked for.
    fn has_keys(&self, key: &str) -> bool {
        let under = format!("{key}.");
        let next = self.asked.range(under.clone()..).next();
        next.is_some_and(|asked| asked.starts_with(&under))
    }

    fn is_empty_table(&self, key: &str) -> bool {
        self.root
            .get(key)
            .is_some_and(|node| matches!(&node.kind, Kind::Table(entries) if entries.is_empty()))
    }
}
