//! The rows of a shard in a file.

use super::{
    Row, Shard, Sweep, SweepError,
    limits::{MOST_BYTES, MOST_FOLDS},
};
use crate::report::is_free;
use mymt5_chassis::process::write_atomically;
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

const KIND: &str = "mymt5_sweep_part";
/// What a file begins with.
const BEGIN: &str = "{\"kind\":\"mymt5_sweep_part\"";

/// The rows of a shard, and of which sweep they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The sweep.
    pub sweep: Sweep,
    /// Which of its points.
    pub shard: Shard,
    /// A row a point, in their order.
    pub rows: Vec<Row>,
}

/// A part and what it is, for who finds it.
#[derive(Deserialize, Serialize)]
struct Document<T> {
    kind: String,
    part: T,
}

impl Part {
    /// Writes it: whole or not at all. A part of an earlier run is replaced.
    ///
    /// # Errors
    /// The file cannot be written, or one of another kind is in its place.
    pub fn write(&self, path: &Path) -> Result<(), SweepError> {
        let failed = |error: io::Error| SweepError::Write(path.to_owned(), error);
        if !is_free(path, BEGIN).map_err(failed)? {
            return Err(SweepError::Foreign(path.to_owned()));
        }
        let document = Document {
            kind: KIND.to_owned(),
            part: self,
        };
        let text = serde_json::to_vec(&document).map_err(|error| failed(error.into()))?;
        write_atomically(path, &text).map_err(failed)
    }

    /// Reads one.
    ///
    /// # Errors
    /// The file cannot be read, or is not a whole part.
    pub fn read(path: &Path) -> Result<Self, SweepError> {
        let failed = |error: io::Error| SweepError::Read(path.to_owned(), error);
        let file = File::open(path).map_err(failed)?;
        let mut text = Vec::new();
        let size = file.take(MOST_BYTES + 1).read_to_end(&mut text);
        if size.map_err(failed)? as u64 > MOST_BYTES {
            return Err(SweepError::Large(path.to_owned()));
        }
        let document: Document<Self> = serde_json::from_slice(&text)
            .map_err(|error| SweepError::NotAPart(path.to_owned(), Some(error)))?;
        if document.kind != KIND || !document.part.is_whole() {
            return Err(SweepError::NotAPart(path.to_owned(), None));
        }
        Ok(document.part)
    }

    /// True where each point of the shard has its row, and each row what its sweep says.
    fn is_whole(&self) -> bool {
        // So many parts are made of it.
        if self.sweep.walk_forward > MOST_FOLDS {
            return false;
        }
        let grid = &self.sweep.vary;
        let parts = self.sweep.parts().len();
        let fits = |row: &Row| match (&row.figures, &row.misfit) {
            (Some(_), None) => row.parts.len() == parts,
            (None, Some(_)) => row.parts.is_empty(),
            _ => false,
        };
        self.shard.is_valid()
            && self
                .shard
                .points(grid.count())
                .eq(self.rows.iter().map(|row| row.point))
            && self
                .rows
                .iter()
                .all(|row| row.values == grid.values(row.point) && fits(row))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sweep::testing::{grid, row, sweep};
    use std::fs;

    fn part() -> Part {
        Part {
            sweep: sweep(grid(&["a=0..4"])),
            shard: Shard { index: 1, of: 2 },
            rows: vec![row(1, &[1.0, 2.0]), row(3, &[-0.1, 0.25])],
        }
    }

    #[test]
    fn a_part_comes_out_of_its_file_as_it_went_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.json");
        part().write(&path).unwrap();
        assert_eq!(Part::read(&path).unwrap(), part());
        part().write(&path).unwrap();
        assert!(fs::read_to_string(&path).unwrap().starts_with(BEGIN));
        fs::write(&path, "{\"mine\": 1}").unwrap();
        assert!(matches!(part().write(&path), Err(SweepError::Foreign(_))));
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part.json");
        let refused = || matches!(Part::read(&path), Err(SweepError::NotAPart(..)));
        part().write(&path).unwrap();
        let whole = fs::read(&path).unwrap();
        for cut in [0, 10, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            assert!(refused(), "{cut}");
        }
        let changes: [fn(&mut Part); 7] = [
            |part| drop(part.rows.pop()),
            |part| part.rows.swap(0, 1),
            |part| part.rows[0].values[0] = "9".to_owned(),
            |part| part.rows[0].parts.clear(),
            |part| part.rows[0].figures = None,
            |part| part.shard.of = 0,
            |part| part.sweep.walk_forward = usize::MAX,
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut part = part();
            change(&mut part);
            part.write(&path).unwrap();
            assert!(refused(), "{at}");
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(Part::read(&path), Err(SweepError::Read(..))));
    }
}
