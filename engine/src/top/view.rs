//! Draws what is known. Pure: the same state, look and size make the same picture.

use super::{
    look::{Look, mark, short, time_of_day},
    state::{Connection, Engine, State},
    tables::{Section, profit, sections},
};
use mymt5_model::MaskedAccount;
use mymt5_proto::v1;
use ratatui::{buffer::Buffer, layout::Rect, style::Stylize, text::Line};

/// Draws into a part of the screen. Where room is short, tables are cut at their ends and the last of
/// them left out.
pub fn draw(state: &State, look: Look, area: Rect, buffer: &mut Buffer) {
    let area = area.intersection(buffer.area);
    let mut y = area.y;
    for line in head(state, look).iter().take(area.height.into()) {
        buffer.set_line(area.x, y, line, area.width);
        y += 1;
    }
    let sections = sections(state, look);
    let wanted: Vec<u16> = sections.iter().map(Section::height).collect();
    let given = heights(&wanted, area.bottom() - y);
    for (section, height) in sections.into_iter().zip(given) {
        let place = Rect { y, height, ..area };
        section.draw(look, place, buffer);
        y += height;
    }
}

/// The whole picture as lines of plain text, so wide at most.
#[must_use]
pub fn text(state: &State, look: Look, width: u16) -> String {
    let head = head(state, look).len();
    let sections = sections(state, look);
    let rows: usize = sections.iter().map(|it| usize::from(it.height())).sum();
    let height = u16::try_from(head + rows).unwrap_or(u16::MAX);
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    draw(state, look, area, &mut buffer);
    let line = |y: u16| {
        let symbols = (0..width).filter_map(|x| buffer.cell((x, y)));
        let line: String = symbols.map(|cell| cell.symbol()).collect();
        line.trim_end().to_owned()
    };
    let lines: Vec<String> = (0..height).map(line).collect();
    lines.join("\n")
}

/// A line, marked where it tells of what stands in the way.
fn line(text: String, is_alert: bool) -> Line<'static> {
    Line::styled(text, mark(is_alert))
}

/// What stands above the tables.
fn head(state: &State, look: Look) -> Vec<Line<'static>> {
    vec![
        title(state, look).bold(),
        link(state, look),
        trading(state),
        account(state),
        engine(state, look),
    ]
}

fn title(state: &State, look: Look) -> Line<'static> {
    let mut text = format!("MyMT5  {} UTC", time_of_day(look.now_ms));
    if let Some(status) = &state.status {
        let kind = short(status.account_kind().as_str_name(), "ACCOUNT_KIND_");
        text += &format!("  {kind}");
    }
    let account = state.account.as_ref();
    if let Some(account) = account.and_then(|told| MaskedAccount::parse(&told.account)) {
        text += &format!(" {account}");
    }
    if let Some(status) = &state.status {
        text += &format!("  gateway {}", status.version);
    }
    Line::raw(text)
}

fn link(state: &State, look: Look) -> Line<'static> {
    if let Connection::Lost(why) = &state.connection {
        return line(format!("gateway lost: {why}"), true);
    }
    let Some(status) = &state.status else {
        return line("gateway: connecting".to_owned(), false);
    };
    let Some(link) = &status.link else {
        return line("link not told".to_owned(), true);
    };
    let name = short(link.state().as_str_name(), "LINK_STATE_");
    let ping = link.last_ping.as_ref().and_then(|ping| ping.utc_ms);
    let ping = match ping {
        Some(at_ms) => {
            let latency = link.ping_latency_us as f64 / 1_000.0;
            format!("ping {latency:.1} ms, {} ago", look.age(at_ms))
        }
        None => "no ping yet".to_owned(),
    };
    let failed = link.error_rate * 100.0;
    let why = [link.reason.as_str(), link.trade_obstacle.as_str()];
    let why: Vec<&str> = why.into_iter().filter(|why| !why.is_empty()).collect();
    let text = format!("link {name}  {ping}  failed {failed:.1} %");
    let is_alert = link.state() != v1::LinkState::Ready || !link.trade_obstacle.is_empty();
    line(with(text, &why), is_alert)
}

fn trading(state: &State) -> Line<'static> {
    let Some(status) = &state.status else {
        return line("trading not told".to_owned(), false);
    };
    let name = |state: v1::TradingState| short(state.as_str_name(), "TRADING_STATE_");
    let of_account = status.trading_state();
    let own = state.trading_state;
    let mut text = format!("trading {}", name(of_account));
    if state.has_figures() && own != of_account {
        text += &format!(", this client {}", name(own));
    }
    if status.unknown_orders > 0 {
        text += &format!("  orders UNKNOWN {}", status.unknown_orders);
    }
    let active = v1::TradingState::Active;
    let is_closed = of_account != active || (state.has_figures() && own != active);
    let why: Vec<&str> = status.trading_reasons.iter().map(String::as_str).collect();
    line(with(text, &why), is_closed || status.unknown_orders > 0)
}

fn account(state: &State) -> Line<'static> {
    let Some(account) = &state.account else {
        return line("account not told".to_owned(), false);
    };
    let mut text = format!("equity {:.2} {}", account.equity, account.currency);
    let mut losses = state.status.iter().flat_map(|status| &status.losses);
    if let Some(losses) = losses.find(|losses| losses.client.is_empty()) {
        text += &format!("  today {:+.2}", losses.profit_today);
    }
    let floating: f64 = state.positions.values().map(profit).sum();
    text += &format!("  floating {floating:+.2}");
    text += &format!(
        "  balance {:.2}  margin {:.2}",
        account.balance, account.margin
    );
    line(text, false)
}

fn engine(state: &State, look: Look) -> Line<'static> {
    match &state.engine {
        Engine::Unasked => line("engine: asking".to_owned(), false),
        Engine::Silent => line(
            "engine does not answer at operations.listen".to_owned(),
            true,
        ),
        Engine::Runs(figures) => {
            let tick = match figures.last_tick_ms {
                Some(at_ms) => format!("last tick {} ago", look.age(at_ms)),
                None => "no tick yet".to_owned(),
            };
            let connected = if figures.connected {
                "connected"
            } else {
                "NOT CONNECTED"
            };
            line(format!("engine {connected}  {tick}"), !figures.connected)
        }
    }
}

/// A text and what is told of its why.
fn with(text: String, why: &[&str]) -> String {
    if why.is_empty() {
        return text;
    }
    format!("{text}: {}", why.join("; "))
}

/// How many rows each table gets: first its heading and a row, while there is room, then in turn a row
/// for each that has more.
fn heights(wanted: &[u16], room: u16) -> Vec<u16> {
    let mut left = room;
    let mut given = Vec::new();
    for wanted in wanted {
        let first = Some((*wanted).min(2)).filter(|first| *first <= left);
        let first = first.unwrap_or(0);
        left -= first;
        given.push(first);
    }
    let mut has_grown = true;
    while has_grown {
        has_grown = false;
        for (given, wanted) in given.iter_mut().zip(wanted) {
            if left > 0 && *given > 0 && *given < *wanted {
                *given += 1;
                left -= 1;
                has_grown = true;
            }
        }
    }
    given
}
