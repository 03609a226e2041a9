//! Opens a file of the past: plain, gzip or zstd, told by its first bytes and unpacked while it is
//! read, so that no more than a window of it is in memory.

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Bytes by which a file tells how it is packed.
const MARK: u64 = 4;
/// Most that a zstd frame may refer back to, bytes: what `zstd --long` makes.
const WINDOW: u64 = 128 * 1024 * 1024;

/// How much of the files was read, in bytes as they lie on the disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Arc<AtomicU64>);

impl Meter {
    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Opens a file, and unpacks it while it is read.
///
/// # Errors
/// It cannot be opened, or its first bytes cannot be read.
pub(super) fn open(path: &Path, meter: Meter) -> io::Result<Box<dyn Read + Send>> {
    let mut file = Metered {
        file: File::open(path)?,
        meter,
    };
    let mut mark = Vec::new();
    file.by_ref().take(MARK).read_to_end(&mut mark)?;
    let packing = Packing::of(&mark);
    let whole = Cursor::new(mark).chain(file);
    Ok(match packing {
        Packing::Plain => Box::new(whole),
        Packing::Gzip => Box::new(MultiGzDecoder::new(whole)),
        Packing::Zstd => Box::new(Frames::new(BufReader::new(whole))),
    })
}

/// The name that a file has unpacked: `EURUSD.csv` of `EURUSD.csv.gz`.
pub(super) fn unpacked(path: &Path) -> PathBuf {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz" | "zst") => path.with_extension(""),
        _ => path.to_owned(),
    }
}

#[derive(Clone, Copy)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// By the first bytes. A zstd file may begin with a frame that is to be skipped.
    const fn of(mark: &[u8]) -> Self {
        match mark {
            [0x1F, 0x8B, ..] => Self::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD] | [0x50..=0x5F, 0x2A, 0x4D, 0x18] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// A file whose bytes are counted.
struct Metered {
    file: File,
    meter: Meter,
}

impl Read for Metered {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(out)?;
        self.meter.0.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Unpacks zstd: its frames one after the other.
struct Frames<R> {
    packed: R,
    frame: FrameDecoder,
    /// A frame has begun, and has not ended.
    within: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(packed: R) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(WINDOW);
        Self {
            packed,
            frame,
            within: false,
        }
    }

    /// Begins the next frame. False: there is none.
    fn begin(&mut self) -> io::Result<bool> {
        use FrameDecoderError::ReadFrameHeaderError as Header;
        while !self.packed.fill_buf()?.is_empty() {
            match self.frame.reset(&mut self.packed) {
                Ok(()) => return Ok(true),
                Err(Header(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut (&mut self.packed).take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }

    /// Ends a frame of which all was read.
    fn end(&self) -> io::Result<()> {
        let told = self.frame.get_checksum_from_data();
        if told.is_some() && told != self.frame.get_calculated_checksum() {
            let reason = "the checksum is not that of the content";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.within {
                self.within = self.begin()?;
            }
            if !self.within {
                return Ok(0);
            }
            let read = self.frame.read(out)?;
            if read > 0 {
                return Ok(read);
            }
            if self.frame.is_finished() {
                self.end()?;
                self.within = false;
            } else {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                let decoded = self.frame.decode_blocks(&mut self.packed, one);
                decoded.map_err(io::Error::other)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    use std::{fs, io::Write};

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::default());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    /// What a file of these bytes is read as, and how many of them were read.
    fn read(bytes: &[u8]) -> (io::Result<Vec<u8>>, u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, bytes).unwrap();
        let meter = Meter::default();
        let mut file = open(&path, meter.clone()).unwrap();
        let mut content = Vec::new();
        let read = file.read_to_end(&mut content);
        (read.map(|_| content), meter.bytes())
    }

    fn text() -> Vec<u8> {
        let lines = (0..20_000).map(|at| format!("2020.01.30\t{at}\t0.67{at:05}\n"));
        lines.collect::<String>().into_bytes()
    }

    #[test]
    fn a_packed_file_is_read_as_the_plain_one() {
        let text = text();
        let (first, second) = text.split_at(70_001);
        let skipped = [
            &[0x52, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3][..],
            &zstd(&text),
        ]
        .concat();
        for packed in [
            text.clone(),
            gzip(&text),
            zstd(&text),
            [gzip(first), gzip(second)].concat(),
            [zstd(first), zstd(b""), zstd(second)].concat(),
            skipped,
        ] {
            let (content, metered) = read(&packed);
            assert!(content.unwrap() == text);
            assert_eq!(metered, packed.len() as u64);
        }
        let (nothing, _) = read(b"");
        assert_eq!(nothing.unwrap(), b"");
    }

    #[test]
    fn no_more_is_read_than_is_asked_for() {
        // Digits without a pattern, so that no packing makes them small.
        let mut state = 1u64;
        let digits = (0..2_000_000).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            b'0' + (state >> 33) as u8 % 10
        });
        let text: Vec<u8> = digits.collect();
        let folder = tempfile::tempdir().unwrap();
        for packed in [text.clone(), gzip(&text), zstd(&text)] {
            let path = folder.path().join("file");
            fs::write(&path, &packed).unwrap();
            let meter = Meter::default();
            let mut begin = [0; 1_000];
            let mut file = open(&path, meter.clone()).unwrap();
            file.read_exact(&mut begin).unwrap();
            assert!(begin == text[..1_000]);
            let read = meter.bytes();
            assert!(read < packed.len() as u64, "{read} of {}", packed.len());
        }
    }

    #[test]
    fn what_is_cut_off_or_damaged_is_no_end() {
        let text = text();
        for packed in [gzip(&text), zstd(&text)] {
            for length in [packed.len() - 1, packed.len() / 2, 5] {
                assert!(read(&packed[..length]).0.is_err(), "{length}");
            }
            // The gzip trailer and the zstd checksum are the last bytes.
            let mut damaged = packed;
            let last = damaged.len() - 1;
            damaged[last] ^= 0x55;
            assert!(read(&damaged).0.is_err());
        }
    }

    #[test]
    fn a_window_beyond_the_bound_is_refused() {
        // A frame with a window of 1 GiB: 2^(10 + 20), and one empty block.
        let wide = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 20 << 3, 0x01, 0x00, 0x00];
        assert!(read(&wide).0.is_err());
    }

    #[test]
    fn a_name_loses_its_packing() {
        let name = |path: &str| unpacked(Path::new(path)).display().to_string();
        assert_eq!(name("a/EURUSD.csv.gz"), "a/EURUSD.csv");
        assert_eq!(name("EURUSD_M1.csv.zst"), "EURUSD_M1.csv");
        assert_eq!(name("EURUSD.csv"), "EURUSD.csv");
    }
}
