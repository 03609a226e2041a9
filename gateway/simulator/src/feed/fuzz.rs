//! What a fuzzer drives: the readers of exports, given any bytes.

use super::{BarFile, BarTicks, FeedError, TickFile, lines::Lines};
use crate::catalogue;
use mymt5_model::Symbol;
use std::{io::Cursor, path::Path};

const HOUR_MS: i64 = 3_600_000;

/// Reads the bytes as an export of ticks and as one of bars: no panic, and no feed goes on after
/// its first error or has more items than its file has bytes for.
pub fn exports(bytes: &[u8]) {
    let Ok(symbol) = Symbol::parse("EURUSD") else {
        return;
    };
    let spec = catalogue::spec(&symbol);
    let lines = || Lines::of(Path::new("export"), Cursor::new(bytes.to_vec()));
    if let Ok(ticks) = lines().and_then(|lines| TickFile::of(lines, &spec)) {
        drain(ticks, bytes.len());
    }
    if let Ok(bars) = lines().and_then(|lines| BarFile::of(lines, &spec)) {
        drain(bars, bytes.len());
    }
    if let Ok(bars) = lines().and_then(|lines| BarFile::of(lines, &spec)) {
        drain(BarTicks::new(bars, HOUR_MS), bytes.len() * 4);
    }
}

fn drain<T>(mut feed: impl Iterator<Item = Result<T, FeedError>>, most: usize) {
    let read = feed.by_ref().take(most + 1).take_while(Result::is_ok);
    assert!(read.count() <= most, "a feed without end");
    assert!(feed.next().is_none(), "a feed goes on after its end");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TICKS: &str = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\n";
    const BARS: &str =
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n";
    const BODY: &str = r"((20[0-9]{2}\.[01][0-9]\.[0-3][0-9]\t[0-2][0-9]:[0-5][0-9]:[0-9]{2}(\.[0-9]{3})?)|\t|\n|\r|1\.[0-9]{0,6}|[0-9]{1,21}|-|\.|e|é){0,60}";

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300), body in BODY) {
            exports(&bytes);
            for header in [TICKS, BARS] {
                exports(format!("{header}{body}").as_bytes());
                exports(&[header.as_bytes(), &bytes].concat());
                let wide = format!("\u{feff}{header}{body}");
                let wide: Vec<u8> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
                exports(&wide);
                exports(&wide[..wide.len() - 1]);
            }
        }
    }
}
