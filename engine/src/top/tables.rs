//! The tables of a picture.

use super::{
    look::{Look, mark, short, time_of_day},
    refusals::Refusal,
    state::{Engine, Quote, State},
};
use mymt5_proto::v1;
use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Rect},
    style::Style,
    text::{Line, Span},
    widgets::{Cell, Row, Table, Widget},
};

/// Between two columns.
const GAP: u16 = 2;

/// A column: its heading, and how its cells stand.
#[derive(Clone, Copy)]
enum Column {
    /// To the left.
    Text(&'static str),
    /// To the right, and whole: one that is cut is another number.
    Number(&'static str),
}

impl Column {
    const fn heading(self) -> &'static str {
        match self {
            Self::Text(heading) | Self::Number(heading) => heading,
        }
    }
}

/// A row of a table.
struct Entry {
    cells: Vec<String>,
    is_alert: bool,
}

/// A table. Its first column's heading is its name, with the number of its rows; the columns to the
/// right are left out where they find no room.
pub(super) struct Section {
    columns: Vec<Column>,
    entries: Vec<Entry>,
}

impl Section {
    fn new(columns: &[Column], entries: impl Iterator<Item = Entry>) -> Self {
        Self {
            columns: columns.to_vec(),
            entries: entries.collect(),
        }
    }

    /// Rows that it takes with its heading.
    pub(super) fn height(&self) -> u16 {
        u16::try_from(self.entries.len() + 1).unwrap_or(u16::MAX)
    }

    pub(super) fn draw(&self, look: Look, area: Rect, buffer: &mut Buffer) {
        let widths = self.widths(area.width);
        let cells = |texts: &[String]| -> Vec<Cell<'static>> {
            let columns = self.columns.iter().zip(&widths);
            let cells = texts.iter().zip(columns);
            let cells = cells.map(|(text, (column, width))| {
                let line = Line::raw(look.cut(text, usize::from(*width)));
                match column {
                    Column::Text(_) => Cell::from(line),
                    Column::Number(_) => Cell::from(line.right_aligned()),
                }
            });
            cells.collect()
        };
        let rows = self.entries.iter();
        let rows = rows.map(|entry| Row::new(cells(&entry.cells)).style(mark(entry.is_alert)));
        let heading = Row::new(cells(&self.headings())).style(Style::new().reversed());
        let table = Table::new(rows, widths.iter().copied().map(Constraint::Length));
        table
            .header(heading)
            .column_spacing(GAP)
            .render(area, buffer);
    }

    fn headings(&self) -> Vec<String> {
        let columns = self.columns.iter().enumerate();
        let headings = columns.map(|(at, column)| match at {
            0 => format!("{} {}", column.heading(), self.entries.len()),
            _ => column.heading().to_owned(),
        });
        headings.collect()
    }

    /// The widths of the columns that find room.
    fn widths(&self, room: u16) -> Vec<u16> {
        let mut left = room;
        let mut widths = Vec::new();
        for (column, wanted) in self.columns.iter().zip(self.wanted()) {
            let gap = if widths.is_empty() { 0 } else { GAP };
            let width = wanted.min(left.saturating_sub(gap));
            let is_cut_number = matches!(column, Column::Number(_)) && width < wanted;
            if width == 0 || is_cut_number {
                break;
            }
            widths.push(width);
            left -= gap + width;
        }
        widths
    }

    /// The widths of all columns where there is room.
    fn wanted(&self) -> Vec<u16> {
        let width = |text: &str| u16::try_from(Span::raw(text).width()).unwrap_or(u16::MAX);
        let headings = self.headings();
        let mut wanted: Vec<u16> = headings.iter().map(|heading| width(heading)).collect();
        for entry in &self.entries {
            for (wanted, cell) in wanted.iter_mut().zip(&entry.cells) {
                *wanted = width(cell).max(*wanted);
            }
        }
        wanted
    }
}

/// All tables, the most urgent ones first.
pub(super) fn sections(state: &State, look: Look) -> Vec<Section> {
    let obstacles = Some(obstacles(state)).filter(|obstacles| !obstacles.entries.is_empty());
    let others = [
        positions(state),
        quotes(state, look),
        limits(state, look),
        orders(state),
        refusals(state),
    ];
    obstacles.into_iter().chain(others).collect()
}

fn obstacles(state: &State) -> Section {
    use Column::Text;
    let columns = [
        Text("OBSTACLES"),
        Text("where"),
        Text("closes"),
        Text("why"),
    ];
    let status = state.status.iter();
    let entries = status.clone().flat_map(|status| &status.obstacles);
    let entries = entries.map(|obstacle| Entry {
        cells: vec![
            obstacle.name.clone(),
            everywhere_or(&obstacle.symbol),
            obstacle.closes.clone(),
            obstacle.why.clone(),
        ],
        is_alert: true,
    });
    let flattens = status.flat_map(|status| &status.flattens);
    let flattens = flattens.map(|flattening| Entry {
        cells: vec![
            "FLATTEN".to_owned(),
            everywhere_or(""),
            "entries".to_owned(),
            format!("{} left to close or cancel", flattening.left.len()),
        ],
        is_alert: true,
    });
    Section::new(&columns, entries.chain(flattens))
}

fn everywhere_or(symbol: &str) -> String {
    let place = if symbol.is_empty() {
        "everywhere"
    } else {
        symbol
    };
    place.to_owned()
}

fn positions(state: &State) -> Section {
    use Column::{Number, Text};
    let columns = [
        Text("POSITIONS"),
        Text("side"),
        Number("lots"),
        Number("profit"),
        Number("open"),
        Number("stop"),
        Number("target"),
        Text("strategy"),
        Number("id"),
    ];
    let entries = state.positions.values().map(|position| {
        let digits = state.digits(&position.symbol);
        Entry {
            cells: vec![
                position.symbol.clone(),
                side(position.side()).to_owned(),
                format!("{:.2}", position.lots),
                format!("{:+.2}", profit(position)),
                price(Some(position.open_price), digits),
                price(position.stop_loss, digits),
                price(position.take_profit, digits),
                position.tag.clone(),
                position.position_id.to_string(),
            ],
            is_alert: false,
        }
    });
    Section::new(&columns, entries)
}

/// Floating profit with swap, in the account currency.
pub(super) fn profit(position: &v1::Position) -> f64 {
    position.profit + position.swap
}

fn side(side: v1::Side) -> &'static str {
    match side {
        v1::Side::Buy => "buy",
        v1::Side::Sell => "sell",
        v1::Side::Unspecified => "-",
    }
}

fn price(price: Option<f64>, digits: usize) -> String {
    price.map_or_else(|| "-".to_owned(), |price| format!("{price:.digits$}"))
}

fn quotes(state: &State, look: Look) -> Section {
    use Column::{Number, Text};
    let columns = [
        Text("QUOTES"),
        Number("bid"),
        Number("ask"),
        Number("points"),
        Number("age"),
    ];
    let entries = state.quotes.iter().map(|(symbol, quote)| {
        let digits = state.digits(symbol);
        Entry {
            cells: vec![
                symbol.clone(),
                price(Some(quote.bid), digits),
                price(Some(quote.ask), digits),
                spread(quote, digits),
                quote.at_ms.map_or("-".to_owned(), |at_ms| look.age(at_ms)),
            ],
            is_alert: false,
        }
    });
    Section::new(&columns, entries)
}

/// The spread in points.
fn spread(quote: &Quote, digits: usize) -> String {
    let points = (quote.ask - quote.bid) * 10_f64.powi(digits as i32);
    format!("{points:.0}")
}

fn limits(state: &State, look: Look) -> Section {
    use Column::{Number, Text};
    let columns = [
        Text("LIMITS"),
        Text("of"),
        Number("used"),
        Number("left"),
        Number("allowed"),
        Text(""),
    ];
    let losses = state.status.iter().flat_map(|status| &status.losses);
    let of_gateway = losses.flat_map(|losses| {
        let client = losses.client.as_str();
        let whose = if client.is_empty() { "account" } else { client };
        losses
            .limits
            .iter()
            .map(move |limit| loss(whose, limit, look))
    });
    let figures = match &state.engine {
        Engine::Runs(figures) => Some(figures),
        Engine::Unasked | Engine::Silent => None,
    };
    let of_engine = figures.iter().flat_map(|figures| &figures.limits);
    let of_engine = of_engine.map(|limit| loss("engine", limit, look));
    let open = figures.and_then(|figures| {
        let allowed = figures.open_risk_limit?;
        Some(open_risk(figures.open_risk, allowed, look))
    });
    Section::new(&columns, of_gateway.chain(of_engine).chain(open))
}

/// A limit of losses, in the account currency.
fn loss(whose: &str, limit: &v1::LossLimit, look: Look) -> Entry {
    let used = (1.0 - limit.left / limit.allowed).max(0.0);
    Entry {
        cells: vec![
            short(&limit.name, "LIMIT_").to_owned(),
            whose.to_owned(),
            percent(used, 0),
            format!("{:.2}", limit.left),
            format!("{:.2}", limit.allowed),
            look.bar(used),
        ],
        is_alert: limit.left <= 0.0,
    }
}

/// What all stops together may lose, as shares of equity.
fn open_risk(risked: Option<f64>, allowed: f64, look: Look) -> Entry {
    let used = risked.map(|risked| risked / allowed);
    let told =
        |share: Option<f64>, decimals| share.map_or("-".to_owned(), |it| percent(it, decimals));
    Entry {
        cells: vec![
            "OPEN_RISK".to_owned(),
            "engine".to_owned(),
            told(used, 0),
            told(risked.map(|risked| allowed - risked), 2),
            percent(allowed, 2),
            look.bar(used.unwrap_or(1.0)),
        ],
        is_alert: used.is_none_or(|used| used >= 1.0),
    }
}

fn percent(share: f64, decimals: usize) -> String {
    format!("{:.decimals$} %", share * 100.0)
}

fn orders(state: &State) -> Section {
    use Column::{Number, Text};
    let columns = [
        Text("ORDERS"),
        Text("side"),
        Number("lots"),
        Text("state"),
        Text("type"),
        Number("price"),
        Text("strategy"),
        Number("id"),
        Text("reason"),
    ];
    let entries = state.orders.values().map(|order| Entry {
        cells: vec![
            order.symbol.clone(),
            side(order.side()).to_owned(),
            format!("{:.2}", order.lots),
            short(order.state().as_str_name(), "ORDER_STATE_").to_owned(),
            short(order.r#type().as_str_name(), "ORDER_TYPE_").to_lowercase(),
            price(order.price, state.digits(&order.symbol)),
            order.tag.clone(),
            order.order_id.to_string(),
            order.reason.clone(),
        ],
        is_alert: order.state() == v1::OrderState::Unknown,
    });
    Section::new(&columns, entries)
}

fn refusals(state: &State) -> Section {
    use Column::Text;
    let columns = [Text("REFUSALS"), Text("by"), Text("reason"), Text("what")];
    let entries = state.refusals.all().iter().map(|refusal| Entry {
        cells: vec![
            refusal.at_ms.map_or("earlier".to_owned(), time_of_day),
            refusal.by.name().to_owned(),
            refusal.reason.clone(),
            what(refusal),
        ],
        is_alert: false,
    });
    Section::new(&columns, entries)
}

fn what(refusal: &Refusal) -> String {
    match refusal.times {
        1 => refusal.what.clone(),
        times => format!("{} x{times}", refusal.what),
    }
}
