//! What must not be where it is: secrets in files, forbidden names in the environment.

use super::tree::{Kind, Node, Source, join};
use super::{Environment, Table, hints};
use crate::config_errors::ConfigError;

/// Takes every value with a secret's name out of the tree and reports it. Gives the keys of the
/// tables that are empty only for that, so that they are not reported as unknown.
pub(super) fn refuse_secrets(
    table: &Table,
    root: &mut Node,
    errors: &mut Vec<ConfigError>,
) -> Vec<String> {
    let mut emptied = Vec::new();
    let mut sweep = Sweep {
        table,
        errors,
        emptied: &mut emptied,
    };
    sweep.node(root, "");
    emptied
}

struct Sweep<'a> {
    table: &'a Table,
    errors: &'a mut Vec<ConfigError>,
    emptied: &'a mut Vec<String>,
}

impl Sweep<'_> {
    fn node(&mut self, node: &mut Node, key: &str) {
        match &mut node.kind {
            Kind::Table(entries) => {
                let before = entries.len();
                entries.retain(|name, node| self.keeps(node, name, key));
                if entries.is_empty() && before > 0 {
                    self.emptied.push(key.to_owned());
                }
                for (name, node) in entries {
                    self.node(node, &join(key, name));
                }
            }
            Kind::List(items) => {
                for (index, node) in items.iter_mut().enumerate() {
                    self.node(node, &join(key, &index.to_string()));
                }
            }
            Kind::Scalar(_) | Kind::Text(_) => {}
        }
    }

    fn keeps(&mut self, node: &Node, name: &str, key: &str) -> bool {
        let is_table = matches!(node.kind, Kind::Table(_));
        let refused = !is_table && hints::sounds_secret(name, self.table.secrets);
        if refused {
            let error = refusal(self.table, &join(key, name), &node.source);
            self.errors.push(error);
        }
        !refused
    }
}

fn refusal(table: &Table, key: &str, source: &Source) -> ConfigError {
    let joined = key.replace(['.', '-'], "_").to_ascii_uppercase();
    let meant = table
        .secrets
        .iter()
        .find(|name| joined == **name || joined.ends_with(**name) || name.ends_with(&joined));
    let fix = match meant {
        Some(name) => format!("remove it; give {name} or {name}_FILE in the environment"),
        None => {
            "remove it; a secret comes from the environment, by its name or NAME_FILE".to_owned()
        }
    };
    ConfigError::new(key, format!("a secret stands in {source}"), fix)
}

/// Reports the names this process must not be given.
pub(super) fn refuse_names(
    table: &Table,
    environment: &Environment,
    errors: &mut Vec<ConfigError>,
) {
    for name in environment.process_names() {
        if table.forbids(name) {
            errors.push(ConfigError::new(
                name,
                format!("must not be in the environment of {}", table.program),
                format!("unset {name} for this process"),
            ));
        }
    }
}
