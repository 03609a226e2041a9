//! Rows as the terminal's export has them: tab-separated, CRLF, the broker's clock, and what a tick
//! did not change left empty.

use super::Kind;
use crate::bars::Timeframe;
use mymt5_model::{Bar, BrokerTime, Price, SymbolSpec, Tick};
use mymt5_proto::{WireError, v1};
use mymt5_simulator::feed::{BarFile, FeedError, TickFile};
use std::{fmt::Write, path::Path};

const TICKS: &str = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n";
const BARS: &str = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n";

/// Of days, whose bars have no time.
const DAYS: &str = "<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n";

/// A tick or a bar.
pub(super) trait Row: Clone + Sized {
    /// Its message.
    type Wire;

    /// When it came, or opened.
    fn time(&self) -> BrokerTime;

    /// The first line of a file.
    fn header(kind: Kind) -> &'static str;

    /// Adds its line, behind that of the row before it.
    fn write(&self, kind: Kind, before: Option<&Self>, text: &mut String);

    /// True where it is read of a file, and the gateway tells it like that.
    fn is(&self, told: &Self) -> bool;

    /// The rows of a file.
    fn read(
        file: &Path,
        spec: &SymbolSpec,
    ) -> Result<impl Iterator<Item = Result<Self, FeedError>>, FeedError>;

    /// The row of a message; none: it is not finished.
    fn of(wire: &Self::Wire, spec: &SymbolSpec) -> Result<Option<Self>, WireError>;
}

impl Row for Tick {
    type Wire = v1::Tick;

    fn time(&self) -> BrokerTime {
        self.time
    }

    fn header(_: Kind) -> &'static str {
        TICKS
    }

    fn write(&self, _: Kind, before: Option<&Self>, text: &mut String) {
        let changed = |price: Price, before: Option<Price>| {
            let price = Some(price).filter(|price| before != Some(*price));
            price.map_or_else(String::new, |price| price.to_string())
        };
        let bid = changed(self.bid, before.map(|tick| tick.bid));
        let ask = changed(self.ask, before.map(|tick| tick.ask));
        let last = self.last.map_or_else(String::new, |last| {
            changed(last, before.and_then(|tick| tick.last))
        });
        let volume = Some(self.volume).filter(|volume| *volume > 0.0);
        let volume = volume.map_or_else(String::new, |volume| volume.to_string());
        let (date, time) = date_and_time(self.time);
        let flags = self.flags;
        let _ = write!(
            text,
            "{date}\t{time}\t{bid}\t{ask}\t{last}\t{volume}\t{flags}\r\n"
        );
    }

    /// A last price that the gateway leaves out is read as the one before it.
    fn is(&self, told: &Self) -> bool {
        let last = told.last.or(self.last);
        *self
            == Self {
                last,
                ..told.clone()
            }
    }

    fn read(
        file: &Path,
        spec: &SymbolSpec,
    ) -> Result<impl Iterator<Item = Result<Self, FeedError>>, FeedError> {
        TickFile::open(file, spec)
    }

    fn of(wire: &v1::Tick, spec: &SymbolSpec) -> Result<Option<Self>, WireError> {
        wire.read(&spec.symbol, spec.digits).map(Some)
    }
}

impl Row for Bar {
    type Wire = v1::Bar;

    fn time(&self) -> BrokerTime {
        self.time
    }

    fn header(kind: Kind) -> &'static str {
        match kind {
            Kind::Bars(Timeframe::D1) => DAYS,
            _ => BARS,
        }
    }

    fn write(&self, kind: Kind, _: Option<&Self>, text: &mut String) {
        let (date, time) = date_and_time(self.time);
        let seconds = time.get(..8).unwrap_or_default();
        let _ = match kind {
            Kind::Bars(Timeframe::D1) => write!(text, "{date}"),
            _ => write!(text, "{date}\t{seconds}"),
        };
        let Self {
            open,
            high,
            low,
            close,
            tick_volume,
            real_volume,
            spread_points,
            ..
        } = self;
        let _ = write!(
            text,
            "\t{open}\t{high}\t{low}\t{close}\t{tick_volume}\t{real_volume}\t{spread_points}\r\n"
        );
    }

    fn is(&self, told: &Self) -> bool {
        self == told
    }

    fn read(
        file: &Path,
        spec: &SymbolSpec,
    ) -> Result<impl Iterator<Item = Result<Self, FeedError>>, FeedError> {
        BarFile::open(file, spec)
    }

    fn of(wire: &v1::Bar, spec: &SymbolSpec) -> Result<Option<Self>, WireError> {
        let bar = wire.read(&spec.symbol, spec.digits)?;
        Ok(wire.finished.then_some(bar))
    }
}

/// `2020.01.30` and `15:28:09.820`.
fn date_and_time(time: BrokerTime) -> (String, String) {
    let text = time.to_string();
    let (date, time) = text.split_once('T').unwrap_or_default();
    (date.replace('-', "."), time.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_model::Symbol;
    use mymt5_simulator::catalogue;
    use std::fs;

    fn spec() -> SymbolSpec {
        catalogue::spec(&Symbol::parse("EURUSD").unwrap())
    }

    fn price(points: i64) -> Price {
        Price::from_points(points, 5)
    }

    fn tick(ms: i64, bid: i64, ask: i64) -> Tick {
        Tick {
            symbol: spec().symbol,
            time: BrokerTime(1_580_398_089_820 + ms),
            bid: price(bid),
            ask: price(ask),
            last: None,
            volume: 0.0,
            flags: 6,
            is_continuous: false,
        }
    }

    fn text_of<R: Row>(kind: Kind, rows: &[R]) -> String {
        let mut text = R::header(kind).to_owned();
        let mut before = None;
        for row in rows {
            row.write(kind, before, &mut text);
            before = Some(row);
        }
        text
    }

    /// What the project's reader of exports makes of it.
    fn read_back<R: Row>(text: &str) -> Vec<R> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let spec = spec();
        let rows = R::read(file.path(), &spec).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn ticks_are_written_as_the_terminal_exports_them_and_read_back() {
        let traded = Tick {
            last: Some(price(110_005)),
            volume: 2.5,
            flags: 24,
            ..tick(181, 110_001, 110_010)
        };
        let ticks = [
            tick(0, 110_000, 110_010),
            tick(180, 110_000, 110_011),
            tick(180, 110_001, 110_010),
            traded.clone(),
            Tick {
                volume: 0.0,
                ..traded
            },
        ];
        let text = text_of(Kind::Ticks, &ticks);
        assert_eq!(
            text,
            "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\r\n\
             2020.01.30\t15:28:09.820\t1.10000\t1.10010\t\t\t6\r\n\
             2020.01.30\t15:28:10.000\t\t1.10011\t\t\t6\r\n\
             2020.01.30\t15:28:10.000\t1.10001\t1.10010\t\t\t6\r\n\
             2020.01.30\t15:28:10.001\t\t\t1.10005\t2.5\t24\r\n\
             2020.01.30\t15:28:10.001\t\t\t\t\t24\r\n"
        );
        assert_eq!(read_back::<Tick>(&text), ticks);
        let silent = Tick {
            last: None,
            ..ticks[4].clone()
        };
        assert!(ticks[4].is(&silent) && !ticks[4].is(&ticks[3]));
    }

    #[test]
    fn bars_are_written_as_the_terminal_exports_them_and_read_back() {
        let bar = |time| Bar {
            symbol: spec().symbol,
            time: BrokerTime(time),
            open: price(158_611),
            high: price(158_618),
            low: price(158_572),
            close: price(158_599),
            tick_volume: 1_032,
            real_volume: 7,
            spread_points: 10,
        };
        let rest = "1.58611\t1.58618\t1.58572\t1.58599\t1032\t7\t10\r\n";
        let hour = [bar(1_353_042_000_000)];
        let text = text_of(Kind::Bars(Timeframe::H1), &hour);
        let line = text.split_once('\n').unwrap().1;
        assert_eq!(line, format!("2012.11.16\t05:00:00\t{rest}"));
        assert_eq!(read_back::<Bar>(&text), hour);
        let day = [bar(1_353_024_000_000)];
        let text = text_of(Kind::Bars(Timeframe::D1), &day);
        let line = text.split_once('\n').unwrap().1;
        assert_eq!(line, format!("2012.11.16\t{rest}"));
        assert_eq!(read_back::<Bar>(&text), day);
    }
}
