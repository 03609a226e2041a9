//! A text file line by line in constant memory: UTF-8 with or without a byte order mark, or
//! UTF-16LE with one; CRLF or LF. What the exports say is ASCII; other UTF-16 characters read as
//! `?`.

use super::FeedError;
use memchr::memchr;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::{Path, PathBuf},
};

/// Longest line in bytes.
const LONGEST: u64 = 4096;
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// The lines of a file, numbered from 1.
pub(super) struct Lines {
    file: PathBuf,
    reader: Box<dyn BufRead + Send>,
    /// A line that does not lie in the reader's buffer as a whole.
    line: Vec<u8>,
    /// Bytes of the buffer that the line read last takes up.
    taken: usize,
    number: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, FeedError> {
        let fail = |source| FeedError::Open {
            file: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(fail)?;
        Self::of(path, file)
    }

    /// The lines of a file that is open, from its beginning; `path` is for what is told of it.
    pub(super) fn of(path: &Path, mut file: impl Read + Send + 'static) -> Result<Self, FeedError> {
        let fail = |source| FeedError::Read {
            file: path.to_owned(),
            line: 0,
            source,
        };
        let refuse = |reason| {
            Err(FeedError::Malformed {
                file: path.to_owned(),
                line: 1,
                reason,
            })
        };
        let mut mark = Vec::new();
        file.by_ref().take(3).read_to_end(&mut mark).map_err(fail)?;
        let (skip, wide) = match mark.as_slice() {
            [] => return refuse("the file is empty"),
            [0x1F, 0x8B, ..] | [0x28, 0xB5, 0x2F] | [b'P', b'K', ..] => {
                return refuse("the file is compressed: unpack it");
            }
            [0xEF, 0xBB, 0xBF] => (3, false),
            [0xFF, 0xFE, ..] => (2, true),
            [0xFE, 0xFF, ..] | [0, ..] | [_, 0, ..] => {
                return refuse("UTF-16, and not as the terminal writes it: save it as UTF-8");
            }
            _ => (0, false),
        };
        mark.drain(..skip);
        let file = Cursor::new(mark).chain(file);
        let reader: Box<dyn BufRead + Send> = if wide {
            Box::new(BufReader::with_capacity(CHUNK, Narrow::new(file)))
        } else {
            Box::new(BufReader::with_capacity(CHUNK, file))
        };
        Ok(Self {
            file: path.to_owned(),
            reader,
            line: Vec::with_capacity(256),
            taken: 0,
            number: 0,
        })
    }

    /// The next line without its end; none at the end of the file.
    pub(super) fn next_line(&mut self) -> Result<Option<&[u8]>, FeedError> {
        self.reader.consume(std::mem::take(&mut self.taken));
        let end = self.buffered_end();
        if let Some(end) = end.map_err(|source| self.unread(source))? {
            self.taken = end + 1;
            self.number += 1;
            // It is there: nothing is read by this.
            let buffered = self.reader.fill_buf().unwrap_or_default();
            return Ok(Some(without_return(&buffered[..end])));
        }
        self.next_long_line()
    }

    /// Where the next line ends in the buffer, if it does. Like `read_until`, it is not ended by a signal.
    fn buffered_end(&mut self) -> io::Result<Option<usize>> {
        loop {
            match self.reader.fill_buf() {
                Ok(buffered) => return Ok(memchr(b'\n', &buffered[..shortest(buffered.len())])),
                Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(source),
            }
        }
    }

    /// A line of which the end does not lie in the buffer.
    fn next_long_line(&mut self) -> Result<Option<&[u8]>, FeedError> {
        self.line.clear();
        let read = (&mut self.reader)
            .take(LONGEST)
            .read_until(b'\n', &mut self.line);
        let read = read.map_err(|source| self.unread(source))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if read as u64 == LONGEST {
            return Err(self.malformed("the line is too long"));
        }
        Ok(Some(without_return(&self.line)))
    }

    fn unread(&self, source: io::Error) -> FeedError {
        FeedError::Read {
            file: self.file.clone(),
            line: self.number,
            source,
        }
    }

    /// The line read last, for the borrow that an error needs.
    pub(super) fn malformed(&self, reason: &'static str) -> FeedError {
        FeedError::Malformed {
            file: self.file.clone(),
            line: self.number,
            reason,
        }
    }
}

/// So much of a buffer is looked through for the end of a line.
fn shortest(buffered: usize) -> usize {
    buffered.min(LONGEST as usize)
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Reads UTF-16LE as single bytes.
struct Narrow<R> {
    file: R,
    wide: Vec<u8>,
    /// Bytes of a character that was cut at the end of the last chunk.
    rest: usize,
}

impl<R> Narrow<R> {
    fn new(file: R) -> Self {
        Self {
            file,
            wide: vec![0; CHUNK],
            rest: 0,
        }
    }
}

impl<R: Read> Read for Narrow<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = (out.len() * 2).min(self.wide.len());
        loop {
            let read = self.file.read(&mut self.wide[self.rest..most])?;
            let have = self.rest + read;
            if read == 0 && have > 0 {
                let half = "half a UTF-16 character at the end of the file";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, half));
            }
            let count = have / 2;
            for (narrow, pair) in out.iter_mut().zip(self.wide[..have].chunks_exact(2)) {
                *narrow = if pair[1] == 0 && pair[0] < 0x80 {
                    pair[0]
                } else {
                    b'?'
                };
            }
            self.rest = have % 2;
            if self.rest == 1 {
                self.wide[0] = self.wide[have - 1];
            }
            if count > 0 || read == 0 {
                return Ok(count);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Hands out three bytes at a time, so that characters are cut.
    struct Dripping<'a>(&'a [u8]);

    impl Read for Dripping<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let most = out.len().min(3);
            self.0.read(&mut out[..most])
        }
    }

    /// Hands out so many bytes at a time, and is interrupted before each time.
    struct Interrupted {
        bytes: Cursor<Vec<u8>>,
        most: usize,
        is_due: bool,
    }

    impl Read for Interrupted {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.is_due = !self.is_due;
            if self.is_due {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let most = out.len().min(self.most);
            self.bytes.read(&mut out[..most])
        }
    }

    /// The lines of a text that is read by so many bytes.
    fn lines_of(text: &str, most: usize) -> Vec<String> {
        let file = Interrupted {
            bytes: Cursor::new(text.into()),
            most,
            is_due: false,
        };
        let mut lines = Lines::of(Path::new("export"), file).unwrap();
        let mut read = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            read.push(String::from_utf8(line.to_vec()).unwrap());
        }
        assert_eq!(lines.number, read.len() as u64);
        read
    }

    #[test]
    fn lines_are_the_same_wherever_a_buffer_ends_and_whatever_interrupts_it() {
        let longest = "x".repeat(LONGEST as usize - 1);
        let text = format!("first\r\n\n\r\n{longest}\nwith\rone\r\r\n,\nlast\r");
        let expected = ["first", "", "", &longest, "with\rone\r", ",", "last"];
        for most in [1, 2, 3, 5, 7, 4_095, 4_096, CHUNK] {
            assert_eq!(lines_of(&text, most), expected, "{most}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_wherever_a_buffer_ends() {
        let text = "x".repeat(LONGEST as usize) + "\n";
        for most in [1, 4_095, 4_096, CHUNK] {
            let file = Interrupted {
                bytes: Cursor::new(text.clone().into_bytes()),
                most,
                is_due: false,
            };
            let mut lines = Lines::of(Path::new("export"), file).unwrap();
            let refused = lines.next_line().unwrap_err();
            assert!(matches!(refused, FeedError::Malformed { line: 1, .. }));
        }
    }

    #[test]
    fn characters_cut_in_the_middle_are_joined() {
        let wide: Vec<u8> = "1.1\té2\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let mut narrow = String::new();
        Narrow::new(Dripping(&wide))
            .read_to_string(&mut narrow)
            .unwrap();
        assert_eq!(narrow, "1.1\t?2\n");
        let half = Narrow::new(Dripping(&wide[..5])).read_to_string(&mut narrow);
        assert!(half.is_err());
    }
}
