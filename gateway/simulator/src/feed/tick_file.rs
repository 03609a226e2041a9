//! The terminal's tick export as a feed. Blank sides are unchanged ones and carried forward; rows
//! before both sides are known are skipped.

use super::{
    FeedError, SAMPLE,
    columns::{Clock, Columns, decimals, number, price, whole},
    lines::Lines,
};
use mymt5_model::{Price, SymbolSpec, Tick};
use std::{io::Read, path::Path};

const NAMES: [&str; 7] = ["DATE", "TIME", "BID", "ASK", "LAST", "VOLUME", "FLAGS"];

/// Ticks of one symbol, read from a file as they are asked for.
pub struct TickFile {
    lines: Lines,
    columns: Columns<7>,
    reader: Reader,
    ended: bool,
}

/// What carries over from line to line.
struct Reader {
    spec: SymbolSpec,
    clock: Clock,
    bid: Option<Price>,
    ask: Option<Price>,
    last: Option<Price>,
}

impl TickFile {
    /// Opens a tick file of a symbol with that specification and reads its header.
    ///
    /// # Errors
    /// The file cannot be opened or read, is empty, or its first line does not name the columns
    /// DATE, TIME, BID and ASK.
    pub fn open(path: impl AsRef<Path>, spec: &SymbolSpec) -> Result<Self, FeedError> {
        Self::of(Lines::open(path.as_ref())?, spec)
    }

    /// The same of a file that is open and unpacked; `path` is for what is told of it.
    ///
    /// # Errors
    /// As [`TickFile::open`].
    pub fn read(
        path: &Path,
        file: impl Read + Send + 'static,
        spec: &SymbolSpec,
    ) -> Result<Self, FeedError> {
        Self::of(Lines::of(path, file)?, spec)
    }

    pub(super) fn of(mut lines: Lines, spec: &SymbolSpec) -> Result<Self, FeedError> {
        let header = lines.next_line()?.unwrap_or_default();
        let columns = Columns::parse(header, NAMES);
        let bars = Columns::parse(header, ["OPEN", "CLOSE"]);
        if !(0..4).all(|column| columns.has(column)) {
            return Err(lines.malformed(if bars.has(0) && bars.has(1) {
                "bars, where ticks with BID and ASK are expected"
            } else {
                "no header with DATE, TIME, BID and ASK"
            }));
        }
        Ok(Self {
            lines,
            columns,
            reader: Reader {
                spec: spec.clone(),
                clock: Clock::default(),
                bid: None,
                ask: None,
                last: None,
            },
            ended: false,
        })
    }

    /// The most decimals that the bids and asks of the file's first thousand lines are written with;
    /// none: they have no prices.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn decimals(mut self) -> Result<Option<u8>, FeedError> {
        let mut most: Option<u8> = None;
        for _ in 0..SAMPLE {
            let Some(line) = self.lines.next_line()? else {
                break;
            };
            let [_, _, bid, ask, ..] = self.columns.split(line);
            most = most.max(decimals(bid)).max(decimals(ask));
        }
        Ok(most)
    }

    /// What is wrong with the line of the tick that was read last, for who knows what is right.
    #[must_use]
    pub fn refuse(&self, reason: &'static str) -> FeedError {
        self.lines.malformed(reason)
    }

    fn advance(&mut self) -> Result<Option<Tick>, FeedError> {
        loop {
            let Some(line) = self.lines.next_line()? else {
                return Ok(None);
            };
            if line.is_empty() {
                continue;
            }
            match self.reader.tick(self.columns.split(line)) {
                Ok(Some(tick)) => return Ok(Some(tick)),
                Ok(None) => {}
                Err(reason) => return Err(self.lines.malformed(reason)),
            }
        }
    }
}

impl Reader {
    fn tick(&mut self, fields: [&[u8]; 7]) -> Result<Option<Tick>, &'static str> {
        let [date, time, bid, ask, last, volume, flags] = fields;
        let time = self.clock.read(date, time).ok_or("not a date and time")?;
        let digits = self.spec.digits;
        carry(&mut self.bid, bid, digits)?;
        carry(&mut self.ask, ask, digits)?;
        carry(&mut self.last, last, digits)?;
        let flags = if flags.is_empty() {
            Some(0)
        } else {
            whole(flags)
        };
        let flags = flags.and_then(|flags| u32::try_from(flags).ok());
        let flags = flags.ok_or("the flags are no whole number")?;
        let volume = if volume.is_empty() {
            Some(0.0)
        } else {
            number(volume)
        };
        let volume = volume.ok_or("the volume is no number")?;
        let (Some(bid), Some(ask)) = (self.bid, self.ask) else {
            return Ok(None);
        };
        Ok(Some(Tick {
            symbol: self.spec.symbol.clone(),
            time,
            bid,
            ask,
            last: self.last,
            volume,
            flags,
            is_continuous: false,
        }))
    }
}

fn carry(side: &mut Option<Price>, field: &[u8], digits: u8) -> Result<(), &'static str> {
    if !field.is_empty() {
        *side = Some(price(field, digits).ok_or("not a price of the symbol's digits")?);
    }
    Ok(())
}

impl Iterator for TickFile {
    type Item = Result<Tick, FeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}
