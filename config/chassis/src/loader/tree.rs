//! The merged values as a tree whose every node knows its source.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A file, by its name.
    File(Arc<str>),
    /// A variable of the process, by its name.
    Environment(Arc<str>),
    /// A line of `.env`, by its name.
    Dotenv(Arc<str>),
    /// An option of a command, by its name.
    Option(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name) => f.write_str(name),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Dotenv(name) => write!(f, ".env {name}"),
            Self::Option(name) => f.write_str(name),
        }
    }
}

#[derive(Clone)]
pub(super) enum Kind {
    Table(BTreeMap<String, Node>),
    List(Vec<Node>),
    /// A scalar whose type the file gave.
    Scalar(Value),
    /// A text of the environment or of an option, whose type only the reader of the key knows.
    Text(String),
}

#[derive(Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) source: Source,
}

impl Node {
    pub(super) fn table(source: Source) -> Self {
        Self {
            kind: Kind::Table(BTreeMap::new()),
            source,
        }
    }

    /// A text of the environment or of an option; a JSON list or table becomes one here.
    pub(super) fn of_text(text: &str, source: Source) -> Self {
        if text.starts_with(['[', '{'])
            && let Ok(value) = serde_json::from_str::<Value>(text)
        {
            return Self::of_json(value, &source);
        }
        Self {
            kind: Kind::Text(text.to_owned()),
            source,
        }
    }

    fn of_json(value: Value, source: &Source) -> Self {
        let kind = match value {
            Value::Array(items) => Kind::List(
                items
                    .into_iter()
                    .map(|item| Self::of_json(item, source))
                    .collect(),
            ),
            Value::Object(entries) => Kind::Table(
                entries
                    .into_iter()
                    .map(|(name, value)| (name, Self::of_json(value, source)))
                    .collect(),
            ),
            scalar => Kind::Scalar(scalar),
        };
        Self {
            kind,
            source: source.clone(),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        key.split('.')
            .try_fold(self, |node, name| match &node.kind {
                Kind::Table(entries) => entries.get(name),
                Kind::List(items) => items.get(name.parse::<usize>().ok()?),
                Kind::Scalar(_) | Kind::Text(_) => None,
            })
    }

    /// Puts a node at a key, over what was there; fails when the way leads through a value, or
    /// past the end of a list.
    pub(super) fn put(&mut self, names: &[&str], node: Self) -> Result<(), &'static str> {
        let Some((first, rest)) = names.split_first() else {
            *self = node;
            return Ok(());
        };
        match &mut self.kind {
            Kind::Table(entries) => {
                let source = node.source.clone();
                entries
                    .entry((*first).to_owned())
                    .or_insert_with(|| Self::table(source))
                    .put(rest, node)
            }
            Kind::List(items) => first
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get_mut(index))
                .ok_or("names no item of the list")?
                .put(rest, node),
            Kind::Scalar(_) | Kind::Text(_) => Err("leads through a value as if it were a table"),
        }
    }

    /// Reads the node as `T`. A text of the environment is tried as a text, then as JSON.
    pub(super) fn decode<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.to_json(false))
            .or_else(|_| serde_json::from_value(self.to_json(true)))
            .ok()
    }

    fn to_json(&self, parse_texts: bool) -> Value {
        match &self.kind {
            Kind::Table(entries) => entries
                .iter()
                .map(|(name, node)| (name.clone(), node.to_json(parse_texts)))
                .collect(),
            Kind::List(items) => items.iter().map(|node| node.to_json(parse_texts)).collect(),
            Kind::Scalar(value) => value.clone(),
            Kind::Text(text) => {
                let parsed = parse_texts
                    .then(|| serde_json::from_str(text).ok())
                    .flatten();
                parsed.unwrap_or_else(|| Value::String(text.clone()))
            }
        }
    }

    /// What the node is, in a word that reveals nothing of the value.
    pub(super) fn nature(&self) -> &'static str {
        match &self.kind {
            Kind::Table(_) => "a table",
            Kind::List(_) => "a list",
            Kind::Scalar(Value::Bool(_)) => "a boolean",
            Kind::Scalar(Value::Number(_)) => "a number",
            Kind::Scalar(_) | Kind::Text(_) => "a text",
        }
    }

    /// Every leaf with its key; an empty table or list is a leaf too.
    pub(super) fn leaves(&self, key: &str, found: &mut Vec<(String, String, Source)>) {
        match &self.kind {
            Kind::Table(entries) if !entries.is_empty() => {
                for (name, node) in entries {
                    node.leaves(&join(key, name), found);
                }
            }
            Kind::List(items) if items.iter().any(|item| matches!(item.kind, Kind::Table(_))) => {
                for (index, node) in items.iter().enumerate() {
                    node.leaves(&join(key, &index.to_string()), found);
                }
            }
            Kind::Text(text) => {
                found.push((key.to_owned(), format!("{text:?}"), self.source.clone()))
            }
            _ => found.push((
                key.to_owned(),
                self.to_json(false).to_string(),
                self.source.clone(),
            )),
        }
    }
}

pub(super) fn join(key: &str, name: &str) -> String {
    if key.is_empty() {
        name.to_owned()
    } else {
        format!("{key}.{name}")
    }
}
