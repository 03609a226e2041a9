//! What the broker did, line by line, for the judge: written by the broker as it acts, read when
//! all is over. A restarted broker adds what its account holds and the ledger does not.

use crate::wire;
use mymt5_model::{DealKind, DealRow, Lots, Magic, OrderRow, RowState, Side, Ticket};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufReader, Write},
    path::Path,
};

/// The comment, and so the request id, of what is traded by hand.
pub(crate) const BY_HAND: &str = "by-hand";
/// How the gateway names a close of its own: this, and the order's id.
const OWN_CLOSE: &str = "flatten-";

/// The request id of an order at the broker: its comment. A close of the gateway's own has none, and
/// the order's id is in its magic.
pub(crate) fn request_of(magic: u64, comment: String) -> String {
    if comment.is_empty() {
        format!("{OWN_CLOSE}{}", Magic::from_raw(magic).counter())
    } else {
        comment
    }
}

/// The order's id, where the request is a close of the gateway's own.
pub(crate) fn own_close(id: &str) -> Option<u64> {
    id.strip_prefix(OWN_CLOSE)?.parse().ok()
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Line {
    /// A send arrived. Requests of new orders carry a magic and the request id.
    Received {
        send: u64,
        /// When, milliseconds UTC.
        at: i64,
        /// What came of it, as the figures count it.
        fault: String,
        /// It was held back, to be done later.
        held: bool,
        order: Option<(u64, String)>,
    },
    /// A send that was held back was done, or refused, after all.
    Released { send: u64 },
    /// An order exists.
    Order {
        ticket: Ticket,
        magic: u64,
        id: String,
        symbol: String,
        lots: Lots,
    },
    /// An order ended.
    Ended { ticket: Ticket, state: RowState },
    /// A deal was done.
    Deal {
        ticket: Ticket,
        order: Option<Ticket>,
        /// 0: it is of none.
        position: u64,
        symbol: String,
        side: Side,
        lots: Lots,
        price: f64,
        /// Profit, swap and commission, account currency.
        result: f64,
    },
    /// A deposit, or a withdrawal: less than nothing.
    Booked { ticket: Ticket, amount: f64 },
}

/// The open ledger.
pub(crate) struct Ledger {
    file: File,
    orders: HashSet<Ticket>,
    ended: HashSet<Ticket>,
    deals: HashSet<Ticket>,
}

impl Ledger {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let written = read(path)?;
        let file = File::options().create(true).append(true).open(path)?;
        let mut ledger = Self {
            file,
            orders: HashSet::new(),
            ended: HashSet::new(),
            deals: HashSet::new(),
        };
        written.iter().for_each(|line| {
            ledger.is_new(line);
        });
        Ok(ledger)
    }

    fn is_new(&mut self, line: &Line) -> bool {
        match line {
            Line::Received { .. } | Line::Released { .. } => true,
            Line::Order { ticket, .. } => self.orders.insert(*ticket),
            Line::Ended { ticket, .. } => self.ended.insert(*ticket),
            Line::Deal { ticket, .. } | Line::Booked { ticket, .. } => self.deals.insert(*ticket),
        }
    }

    /// Adds a line that is not there yet.
    pub(crate) fn add(&mut self, line: &Line) -> io::Result<()> {
        if self.is_new(line) {
            self.file.write_all(&wire::line(line))?;
        }
        Ok(())
    }

    pub(crate) fn add_order(&mut self, row: &OrderRow) -> io::Result<()> {
        let ticket = row.ticket;
        self.add(&Line::Order {
            ticket,
            magic: row.magic.raw(),
            id: request_of(row.magic.raw(), row.comment.clone()),
            symbol: row.symbol.to_string(),
            lots: row.lots,
        })?;
        match row.state {
            RowState::Placed | RowState::Partial => Ok(()),
            state => self.add(&Line::Ended { ticket, state }),
        }
    }

    pub(crate) fn add_deal(&mut self, row: &DealRow) -> io::Result<()> {
        if row.kind == DealKind::Balance {
            return self.add(&Line::Booked {
                ticket: row.ticket,
                amount: row.profit.to_f64(),
            });
        }
        let (DealKind::Trade(side), Some(symbol)) = (row.kind, &row.symbol) else {
            return Ok(());
        };
        self.add(&Line::Deal {
            ticket: row.ticket,
            order: row.order,
            position: row.position_id.map_or(0, |id| id.0),
            symbol: symbol.to_string(),
            side,
            lots: row.lots,
            price: row.price.map_or(0.0, |price| price.to_f64()),
            result: row.result().to_f64(),
        })
    }
}

/// All whole lines; none of a file that is not there.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Line>> {
    match File::open(path) {
        Ok(file) => {
            let (mut file, mut lines) = (BufReader::new(file), Vec::new());
            while let Some(line) = wire::read(&mut file)? {
                lines.push(line);
            }
            Ok(lines)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[test]
fn a_close_of_the_gateways_own_is_known_by_its_magic() {
    let magic = Magic::new(3, 77).unwrap().raw();
    let own = request_of(magic, String::new());
    assert_eq!((own.as_str(), own_close(&own)), ("flatten-77", Some(77)));
    let asked = request_of(magic, "t0-0-1".into());
    assert_eq!((asked.as_str(), own_close(&asked)), ("t0-0-1", None));
}

#[test]
fn an_opened_ledger_knows_what_is_written() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("ledger");
    let ended = |ticket| Line::Ended {
        ticket: Ticket(ticket),
        state: RowState::Filled,
    };
    Ledger::open(&path).unwrap().add(&ended(1)).unwrap();
    let mut ledger = Ledger::open(&path).unwrap();
    ledger.add(&ended(1)).unwrap();
    ledger.add(&ended(2)).unwrap();
    assert_eq!(read(&path).unwrap(), [ended(1), ended(2)]);
    let cut = fs::read(&path).unwrap();
    fs::write(&path, &cut[..cut.len() - 3]).unwrap();
    assert_eq!(read(&path).unwrap(), [ended(1)]);
}
