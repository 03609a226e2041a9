//! `export`: orders, deals and events of a span of time, for those who must not see the account. It
//! reads pages of the journal beside a running gateway, which waits for none of them.

mod row;
mod sheet;

use super::{operator::is_broken_pipe, usage::Usage};
use crate::{journal::Reader, settings::Settings};
use anyhow::{Context, ensure};
use clap::Args;
use jiff::{Timestamp, civil::DateTime, tz::Offset};
use mymt5_chassis::{
    cli::{Configured, configure},
    config_errors::{ConfigError, ConfigErrors},
    exit::Unavailable,
    secrets::SecretStore,
};
use mymt5_model::{BrokerTime, BrokerZone, OrderId, Ticket, UtcTime};
use mymt5_orders::order_id_at;
use row::Teller;
use sheet::{Format, Sheet};
use std::{
    fs::{self, OpenOptions},
    io::{self, BufWriter, Write},
    ops::Range,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Rows that are read at a time, and all that memory holds.
const PAGE: usize = 1_000;
/// An hour that the broker's clock repeats or skips is looked at on both sides.
const HOUR_MS: i64 = 3_600_000;
/// An order's id goes by the gateway's clock when it was made, which may have been set since.
const DAY_MS: i64 = 24 * HOUR_MS;

#[derive(Debug, Args)]
pub(super) struct Export {
    /// From when on, UTC: 2026-07-01 or 2026-07-01T08:30; or with an offset, 2026-07-01T08:30+02:00.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: UtcTime,
    /// Until before when, UTC.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: UtcTime,
    /// A table with a header, or an array of objects with the same names.
    #[arg(long, value_enum)]
    format: Format,
    /// The file, which must not exist yet; without it, standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The gateway's configuration.
    #[arg(long, value_name = "FILE", default_value = "config/gateway.toml")]
    config: PathBuf,
}

fn time(text: &str) -> Result<UtcTime, String> {
    let civil = |text: &str| Offset::UTC.to_timestamp(text.parse::<DateTime>()?);
    let time = text.parse::<Timestamp>().or_else(|_| civil(text));
    let time = time.map_err(|_| "expected a date, or date and time, such as 2026-07-01T08:30")?;
    Ok(UtcTime(time.as_millisecond()))
}

impl Export {
    /// Runs it to its exit code.
    ///
    /// # Errors
    /// [`Usage`], a faulty configuration, a damaged journal; [`Unavailable`]: there is no journal, or the
    /// file cannot be written.
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        ensure!(
            self.from < self.to,
            Usage("invalid --to: expected a time after --from")
        );
        let Configured {
            settings, redactor, ..
        } = configure::<Settings>(&self.config)?;
        // What the store knew, the redactor still does.
        drop(SecretStore::new(settings.secrets.clone(), &redactor));
        if let Some(login) = settings.broker.made_up_login() {
            redactor.set_values(&[], &[&login.to_string()]);
        }
        let zone = settings.zone.as_ref().map(|(_, zone)| zone);
        let zone = zone.ok_or_else(|| ConfigErrors(vec![without_zone()]))?;
        let path = settings.journal();
        ensure!(
            path.is_file(),
            Unavailable(format!(
                "cannot find the journal {}; name the gateway's configuration with --config",
                path.display()
            ))
        );
        let account = settings.identity().account.to_string();
        let source = Source {
            reader: Reader::open(&path)?,
            teller: Teller::new(account, zone, &redactor),
            zone,
            span: self.from..self.to,
        };
        let written = match &self.out {
            Some(file) => source.write_file(self.format, file),
            None => source.write(self.format, io::stdout().lock()),
        };
        match written {
            Err(error) if !is_broken_pipe(&error) => Err(error),
            _ => Ok(ExitCode::SUCCESS),
        }
    }
}

/// Deals have the broker's time alone.
pub(super) fn without_zone() -> ConfigError {
    ConfigError::new(
        "broker.time_zone",
        "is missing, and without it the deals' times cannot be told in UTC",
        "set it to an IANA name such as Europe/Athens, or new_york+7",
    )
}

/// What is exported.
struct Source<'a> {
    reader: Reader,
    teller: Teller<'a>,
    zone: &'a BrokerZone,
    span: Range<UtcTime>,
}

impl Source<'_> {
    /// Writes a file of this user's alone; a part of it does not stay.
    fn write_file(&self, format: Format, path: &Path) -> anyhow::Result<()> {
        let mut file = OpenOptions::new();
        let file = file.write(true).create_new(true).mode(0o600).open(path);
        let file = file.context(Unavailable("cannot create the file of --out; name one that does not exist yet, in a folder that this user may write".to_owned()))?;
        let written = self.write(format, file);
        if written.is_err() {
            let _ = fs::remove_file(path);
        }
        written.context(Unavailable(
            "cannot write the export; look at what follows, then repeat it".to_owned(),
        ))
    }

    fn write(&self, format: Format, out: impl Write) -> anyhow::Result<()> {
        let mut sheet = Sheet::begin(format, BufWriter::new(out))?;
        self.orders(&mut sheet)?;
        self.deals(&mut sheet)?;
        self.events(&mut sheet)?;
        Ok(sheet.end()?)
    }

    fn orders(&self, sheet: &mut Sheet<impl Write>) -> anyhow::Result<()> {
        let before = UtcTime(self.span.start.0.saturating_sub(DAY_MS));
        let mut last: OrderId = order_id_at(before);
        loop {
            let page = self.reader.orders_within(&self.span, last, PAGE)?;
            let Some(newest) = page.last() else {
                return Ok(());
            };
            last = newest.id;
            for order in &page {
                sheet.put(self.teller.order(order))?;
            }
        }
    }

    fn deals(&self, sheet: &mut Sheet<impl Write>) -> anyhow::Result<()> {
        let broker = |time: UtcTime, beside: i64| {
            let time = self.zone.to_broker(time).unwrap_or(BrokerTime(time.0));
            BrokerTime(time.0.saturating_add(beside))
        };
        let span = broker(self.span.start, -HOUR_MS)..broker(self.span.end, HOUR_MS);
        let mut last = (span.start, Ticket(0));
        loop {
            let page = self.reader.deals_within(&span, last, PAGE)?;
            let Some(newest) = page.last() else {
                return Ok(());
            };
            last = (newest.deal.time, newest.deal.ticket);
            for owned in &page {
                let time = self.zone.to_utc(owned.deal.time);
                if time.is_some_and(|time| self.span.contains(&time)) {
                    sheet.put(self.teller.deal(owned))?;
                }
            }
        }
    }

    /// Up to the newest one of now: a gateway that goes on making them has no end to come to.
    fn events(&self, sheet: &mut Sheet<impl Write>) -> anyhow::Result<()> {
        let end = self.reader.newest_event()?;
        let mut last = 0;
        while last < end {
            let page = self.reader.events_after(last, PAGE)?;
            let Some(newest) = page.last() else {
                return Ok(());
            };
            last = newest.sequence;
            let told = page.iter().filter(|recorded| recorded.sequence <= end);
            for recorded in told.filter(|recorded| self.span.contains(&recorded.at)) {
                sheet.put(self.teller.event(recorded))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_are_utc_unless_they_say_otherwise() {
        let whole = time("2026-07-01").unwrap();
        assert_eq!(whole, UtcTime(1_782_864_000_000));
        for same in [
            "2026-07-01T00:00",
            "2026-07-01T00:00:00Z",
            "2026-07-01T02:00+02:00",
        ] {
            assert_eq!(time(same), Ok(whole), "{same}");
        }
        for wrong in ["", "yesterday", "2026-13-01", "1782864000"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
