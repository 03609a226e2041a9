//! The kinds of strategies that an engine knows.

use super::{SHIPPED, Strategy};
use mymt5_chassis::loader::Section;
use std::sync::OnceLock;

/// What `main` brought, for the whole process: its start reads the configuration by type alone.
static OF_PROGRAM: OnceLock<Registry> = OnceLock::new();

/// Reads the keys of a kind and makes its strategy. None: there were faults.
pub type Build = fn(&mut Section<'_>) -> Option<Box<dyn Strategy>>;

/// The kinds by their names in the configuration; the first is the default.
#[derive(Clone, Debug)]
pub struct Registry {
    kinds: Vec<(&'static str, Build)>,
}

impl Registry {
    /// The kinds that come with the engine.
    #[must_use]
    pub fn shipped() -> Self {
        Self {
            kinds: SHIPPED.to_vec(),
        }
    }

    /// One kind more, or another one of the same name.
    #[must_use]
    pub fn with(mut self, kind: &'static str, build: Build) -> Self {
        match self.kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some(known) => known.1 = build,
            None => self.kinds.push((kind, build)),
        }
        self
    }

    /// Makes it the program's: once, before the configuration is read.
    pub(crate) fn install(self) {
        let _ = OF_PROGRAM.set(self);
    }

    /// The program's, or the shipped one.
    pub(crate) fn of_program() -> &'static Self {
        OF_PROGRAM.get_or_init(Self::shipped)
    }

    /// The names as a configuration has them, the default first.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.iter().map(|(kind, _)| *kind)
    }

    /// Makes a strategy of that kind; none: it is unknown.
    pub(super) fn build(&self, kind: &str) -> Option<Build> {
        let known = self.kinds.iter().find(|(known, _)| *known == kind);
        known.map(|(_, build)| *build)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::shipped()
    }
}
