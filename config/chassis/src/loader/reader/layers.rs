//! The environment over the files.

use super::super::{
    Environment, environment, hints,
    tree::{Node, Source},
};
use super::Reader;

impl Reader {
    /// Lays the variables over the files' values.
    pub(super) fn lay_environment(&mut self, environment: &Environment) {
        for name in environment.not_unicode() {
            if environment::is_own(&self.table, name) {
                self.reject(name, "is not Unicode", "set it to a text in UTF-8");
            }
        }
        for name in environment.process_names() {
            if environment::is_mistaken(name) {
                self.warnings.push(format!(
                    "{name} is ignored: a variable that sets a key starts with {}",
                    environment::PREFIX
                ));
            }
        }
        let prefixed = environment.prefixed();
        for (name, (text, local)) in &prefixed {
            let path = name[environment::PREFIX.len()..].to_ascii_lowercase();
            let names: Vec<&str> = path.split("__").collect();
            if names.iter().any(|name| name.is_empty()) {
                self.reject(name, "names no key", "write it like MYMT5__SECTION__KEY");
            } else {
                self.lay(name, &names, text, *local);
            }
        }
        for (name, key) in self.table.names {
            // It may have been meant to limit something.
            if environment.is_emptied(name) {
                self.reject(name, "is empty", "give it a value, or unset it");
                continue;
            }
            let Some((text, local)) = environment.get(name) else {
                continue;
            };
            let twin = hints::variable(key);
            if prefixed.contains_key(twin.as_str()) {
                self.reject(
                    name,
                    format!("both it and {twin} are set"),
                    "unset one of them",
                );
            }
            self.lay(name, &key.split('.').collect::<Vec<_>>(), text, local);
        }
    }

    fn lay(&mut self, name: &str, names: &[&str], text: &str, local: bool) {
        let source = if local {
            Source::Dotenv(name.into())
        } else {
            Source::Environment(name.into())
        };
        if let Err(reason) = self.root.put(names, Node::of_text(text, source)) {
            self.reject(name, reason, "name an existing key, or unset it");
        }
    }
}
