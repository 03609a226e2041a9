//! `events`: what happened, from the record, and what happens now.

use super::{
    Target,
    show::{self, Row, moment, word},
    wire::READING,
};
use clap::Args;
use mymt5_proto::v1::{
    Deal, GetSnapshotRequest, StreamEventsRequest, StreamEventsResponse,
    stream_events_response::Event, trading_service_client::TradingServiceClient,
};
use serde_json::Value;
use std::io::{self, Write};

/// How many of the newest events are shown when nothing else is asked for.
const NEWEST: u64 = 100;

#[derive(Debug, Args)]
pub(in crate::cli) struct Events {
    /// Those after this sequence; without it, the newest.
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
    /// Go on with what happens, until Ctrl-C.
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    target: Target,
}

impl Events {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let after = self.after;
        let follow = self.follow;
        let json = self.target.json;
        self.target.talk(READING, async |channel| {
            let mut trading = TradingServiceClient::new(channel);
            let snapshot = trading
                .get_snapshot(GetSnapshotRequest {})
                .await?
                .into_inner();
            let newest = snapshot.sequence;
            let request = StreamEventsRequest {
                journal_id: snapshot.journal_id,
                after_sequence: after.unwrap_or(newest.saturating_sub(NEWEST)),
            };
            let mut events = trading.stream_events(request).await?.into_inner();
            let mut out = io::stdout();
            while let Some(event) = events.message().await? {
                let beyond = event.sequence > newest && !follow;
                if let Some(line) = line(&event, json).filter(|_| !beyond) {
                    writeln!(out, "{line}")?;
                }
                if !follow && reached(&event) >= newest {
                    break;
                }
            }
            Ok(())
        })
    }
}

/// Up to which sequence everything has been printed.
fn reached(event: &StreamEventsResponse) -> u64 {
    match &event.event {
        Some(Event::Progress(progress)) => progress.sequence,
        _ => event.sequence,
    }
}

/// An event's line; none for what only moves a cursor or repeats the account's figures.
fn line(event: &StreamEventsResponse, json: bool) -> Option<String> {
    let (kind, fields) = described(event.event.as_ref()?)?;
    let time = moment(event.time);
    if json {
        let head = vec![
            ("sequence", event.sequence.into()),
            ("time", time),
            ("correlation_id", event.correlation_id.as_str().into()),
            ("event", kind.into()),
            (kind, show::object(&fields)),
        ];
        return Some(show::json_line(&show::object(&head)));
    }
    let sequence = event.sequence;
    let time = time.as_str().unwrap_or("-").to_owned();
    Some(format!(
        "{sequence:>8}  {time}  {kind:<18}  {}",
        show::pairs(&fields)
    ))
}

fn described(event: &Event) -> Option<(&'static str, Row)> {
    let text = |text: &str| Value::from(text);
    Some(match event {
        Event::OrderChanged(changed) => ("order_changed", show::order(changed.order.as_ref()?)),
        Event::DealAdded(added) => ("deal_added", deal(added.deal.as_ref()?)),
        Event::PositionChanged(changed) => (
            "position_changed",
            show::position(changed.position.as_ref()?),
        ),
        Event::PositionClosed(closed) => {
            ("position_closed", show::position(closed.position.as_ref()?))
        }
        Event::BalanceChanged(changed) => {
            ("balance_changed", vec![("balance", changed.balance.into())])
        }
        Event::SymbolChanged(changed) => {
            ("symbol_changed", vec![("symbol", text(&changed.symbol))])
        }
        Event::TradingStateChanged(changed) => (
            "trading_state",
            vec![
                ("client", text(&changed.client)),
                (
                    "state",
                    word(changed.state().as_str_name(), "TRADING_STATE_"),
                ),
                ("reason", text(&changed.reason)),
            ],
        ),
        Event::FlattenChanged(changed) => (
            "flatten",
            vec![
                ("client", text(&changed.client)),
                ("left", show::leftovers(&changed.left).into()),
            ],
        ),
        Event::LimitLatched(latched) => (
            "limit_latched",
            vec![
                ("client", text(&latched.client)),
                ("reason", text(&latched.reason)),
            ],
        ),
        Event::MarginCall(call) => (
            "margin_call",
            vec![("margin_level", call.margin_level.into())],
        ),
        Event::ForeignActivity(seen) => (
            "foreign_activity",
            vec![
                ("symbol", text(&seen.symbol)),
                ("description", text(&seen.description)),
                ("frozen", seen.frozen.into()),
            ],
        ),
        Event::LinkChanged(changed) => (
            "link_changed",
            vec![
                ("state", word(changed.state().as_str_name(), "LINK_STATE_")),
                ("reason", text(&changed.reason)),
            ],
        ),
        Event::AccountUpdate(_) | Event::Progress(_) => return None,
    })
}

fn deal(deal: &Deal) -> Row {
    vec![
        ("deal_id", deal.deal_id.into()),
        ("order_id", show::id(deal.order_id)),
        ("position_id", show::id(deal.position_id)),
        ("client", deal.client.as_str().into()),
        ("symbol", deal.symbol.as_str().into()),
        ("side", word(deal.side().as_str_name(), "SIDE_")),
        ("entry", word(deal.entry().as_str_name(), "DEAL_ENTRY_")),
        ("reason", word(deal.reason().as_str_name(), "DEAL_REASON_")),
        ("lots", deal.lots.into()),
        ("price", deal.price.into()),
        ("profit", deal.profit.into()),
        ("swap", deal.swap.into()),
        ("commission", deal.commission.into()),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use mymt5_proto::v1::{Moment, Progress, TradingState, TradingStateChanged};

    fn halted() -> StreamEventsResponse {
        StreamEventsResponse {
            sequence: 42,
            time: Some(Moment {
                utc_ms: Some(1_782_900_000_000),
                broker_ms: None,
            }),
            correlation_id: String::new(),
            event: Some(Event::TradingStateChanged(TradingStateChanged {
                client: "alpha".into(),
                state: TradingState::Halted.into(),
                reason: "news".into(),
            })),
        }
    }

    #[test]
    fn an_event_is_one_line() {
        assert_eq!(
            line(&halted(), false).unwrap(),
            "      42  2026-07-01T10:00:00.000Z  trading_state       client=alpha state=halted reason=news"
        );
        let json: Value = serde_json::from_str(&line(&halted(), true).unwrap()).unwrap();
        assert_eq!(json["sequence"], 42);
        assert_eq!(json["event"], "trading_state");
        assert_eq!(json["trading_state"]["state"], "halted");
    }

    #[test]
    fn progress_moves_the_cursor_and_is_not_shown() {
        let progress = StreamEventsResponse {
            event: Some(Event::Progress(Progress { sequence: 99 })),
            ..StreamEventsResponse::default()
        };
        assert_eq!(line(&progress, false), None);
        assert_eq!(reached(&progress), 99);
        assert_eq!(reached(&halted()), 42);
    }
}
