#![allow(clippy::unwrap_used)]
use super::*;
use crate::link::ClockCheck;
use mymt5_model::Symbol;
use std::time::Duration;

fn fine() -> Standing {
    Standing {
        link: link(LinkState::Ready, true),
        core: Some(CoreView::default()),
        journal_up: true,
        core_broke: false,
        disk_low: None,
        disk_known: true,
        certificate_days: 300,
        secrets: BTreeMap::new(),
    }
}

fn link(state: LinkState, up: bool) -> LinkStatus {
    LinkStatus {
        state,
        reason: "no route".into(),
        up,
        ping: Some((0, Duration::ZERO)),
        error_rate: 0.0,
        trade_obstacle: None,
        clock: ClockCheck::default(),
    }
}

fn obstacle(kind: ObstacleKind, why: &str) -> Obstacle {
    Obstacle {
        kind,
        client: None,
        symbol: Some(Symbol::parse("EURUSD").unwrap()),
        why: why.into(),
    }
}

/// Looks each second; the seconds at which something was told, and what.
#[derive(Default)]
struct Looking {
    watch: Watch,
    second: i64,
}

impl Looking {
    fn for_seconds(&mut self, seconds: i64, standing: &Standing) -> Vec<(i64, String)> {
        let end = self.second + seconds;
        let mut told = Vec::new();
        while self.second < end {
            let alerts = self.watch.look(standing, self.second * SECOND);
            told.extend(alerts.into_iter().map(|alert| (self.second, alert.text)));
            self.second += 1;
        }
        told
    }
}

#[test]
fn a_link_is_told_when_it_is_lost_for_a_while_and_when_it_is_back_for_a_while() {
    let mut looking = Looking::default();
    let down = Standing {
        link: link(LinkState::BackingOff, false),
        ..fine()
    };
    assert!(looking.for_seconds(10, &fine()).is_empty());
    let lost = "the broker is out of reach: no route".to_owned();
    assert_eq!(looking.for_seconds(120, &down), [(40, lost)]);
    // It comes and goes: that is told already.
    assert!(looking.for_seconds(30, &fine()).is_empty());
    assert!(looking.for_seconds(60, &down).is_empty());
    let back = "the link to the broker is back".to_owned();
    assert_eq!(looking.for_seconds(100, &fine()), [(280, back)]);
}

#[test]
fn a_short_loss_is_not_told_and_a_link_that_never_holds_is() {
    let mut looking = Looking::default();
    let down = Standing {
        link: link(LinkState::Connecting, false),
        ..fine()
    };
    assert!(looking.for_seconds(29, &down).is_empty());
    assert!(looking.for_seconds(100, &fine()).is_empty());
    let mut told = Vec::new();
    for _ in 0..10 {
        told.extend(looking.for_seconds(10, &down));
        told.extend(looking.for_seconds(5, &fine()));
    }
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn outside_sessions_a_silent_link_is_not_told_and_does_not_count_as_back() {
    let mut looking = Looking::default();
    let closed = Standing {
        link: link(LinkState::MarketClosed, false),
        ..fine()
    };
    assert!(looking.for_seconds(1_000, &closed).is_empty());
    let down = Standing {
        link: link(LinkState::BackingOff, false),
        ..fine()
    };
    assert_eq!(looking.for_seconds(60, &down).len(), 1);
    assert!(looking.for_seconds(1_000, &closed).is_empty());
    assert_eq!(looking.for_seconds(100, &fine()).len(), 1);
}

#[test]
fn a_link_counts_as_lost_from_the_opening_of_the_market() {
    let mut looking = Looking::default();
    let closed = Standing {
        link: link(LinkState::MarketClosed, false),
        ..fine()
    };
    let down = Standing {
        link: link(LinkState::BackingOff, false),
        ..fine()
    };
    for _ in 0..3 {
        assert!(looking.for_seconds(1_000, &closed).is_empty());
        assert!(looking.for_seconds(29, &down).is_empty());
        assert!(looking.for_seconds(100, &fine()).is_empty());
    }
    assert!(looking.for_seconds(1_000, &closed).is_empty());
    assert_eq!(looking.for_seconds(31, &down).len(), 1);
}

#[test]
fn refused_credentials_are_told_at_once_and_once() {
    let mut looking = Looking::default();
    let refused = Standing {
        link: link(LinkState::Refused, false),
        ..fine()
    };
    let told = looking.for_seconds(1_000, &refused);
    let text = "the broker refused the credentials: no route".to_owned();
    assert_eq!(told, [(0, text)]);
}

#[test]
fn an_order_is_told_when_it_is_unknown_for_too_long() {
    let mut looking = Looking::default();
    let with = |whys: &[&str]| {
        let obstacles = whys.iter();
        let obstacles = obstacles.map(|why| obstacle(ObstacleKind::OrderUnknown, why));
        Standing {
            core: Some(CoreView {
                obstacles: obstacles.collect(),
                ..CoreView::default()
            }),
            ..fine()
        }
    };
    assert!(looking.for_seconds(60, &with(&["order 1"])).is_empty());
    let told = looking.for_seconds(60, &with(&["order 1", "order 2"]));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].1.starts_with("ORDER_UNKNOWN EURUSD: order 1."),
        "{told:?}"
    );
    assert!(
        told[0].1.contains("mymt5-gateway resolve"),
        "the fix: {told:?}"
    );
    assert_eq!(looking.for_seconds(2, &with(&["order 2"])).len(), 1);
}

#[test]
fn each_obstacle_is_told_or_known_to_be_told_otherwise() {
    for kind in ObstacleKind::ALL {
        let mut looking = Looking::default();
        let standing = Standing {
            core: Some(CoreView {
                obstacles: vec![obstacle(kind, "why")],
                ..CoreView::default()
            }),
            ..fine()
        };
        assert!(looking.for_seconds(1, &fine()).is_empty());
        let told = looking.for_seconds(200, &standing);
        assert_eq!(told.len(), usize::from(patience(kind).is_some()), "{kind}");
    }
}

/// All is well but for that, of the whole account.
fn closed_by(obstacles: &[(ObstacleKind, &str)]) -> Standing {
    let of_account = |(kind, why): &(ObstacleKind, &str)| Obstacle {
        symbol: None,
        ..obstacle(*kind, why)
    };
    Standing {
        core: Some(CoreView {
            obstacles: obstacles.iter().map(of_account).collect(),
            ..CoreView::default()
        }),
        ..fine()
    }
}

#[test]
fn what_closes_trading_since_before_the_start_is_told_once() {
    let mut looking = Looking::default();
    let closed = closed_by(&[
        (ObstacleKind::Halted, "news (by operator)"),
        (ObstacleKind::Drawdown, "LIMIT_DRAWDOWN"),
        (ObstacleKind::SymbolShared, "told otherwise"),
    ]);
    // It is told as soon as the core answers.
    let hangs = Standing {
        core: None,
        ..fine()
    };
    assert!(looking.for_seconds(5, &hangs).is_empty());
    let told = looking.for_seconds(1_000, &closed);
    let texts: Vec<&str> = told.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    let halted = "since before the start: HALTED: news (by operator). Closed:";
    assert!(texts[0].starts_with(halted), "{told:?}");
    assert!(texts[0].contains("mymt5-gateway resume"), "{told:?}");
    assert!(texts[1].contains("DRAWDOWN: LIMIT_DRAWDOWN"), "{told:?}");
}

#[test]
fn what_the_first_comparison_ends_is_not_told_at_the_start() {
    const NEWS: (ObstacleKind, &str) = (ObstacleKind::Halted, "news (by operator)");
    let start = closed_by(&[
        NEWS,
        (ObstacleKind::DailyLoss, "LIMIT_DAILY_LOSS"),
        (ObstacleKind::NotCompared, "not yet"),
    ]);
    let mut looking = Looking::default();
    assert!(looking.for_seconds(5, &start).is_empty());
    // A day has begun. What is reached only now is told by its event.
    let compared = closed_by(&[NEWS, (ObstacleKind::Drawdown, "LIMIT_DRAWDOWN")]);
    let told = looking.for_seconds(100, &compared);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains("HALTED: news"), "{told:?}");
    // A broker that is not reached keeps nobody from being told.
    let told = Looking::default().for_seconds(PASSING / SECOND + 1, &start);
    let seconds: Vec<i64> = told.iter().map(|(second, _)| *second).collect();
    assert_eq!(seconds, [PASSING / SECOND; 2], "{told:?}");
}

#[test]
fn a_core_that_does_not_answer_is_told_and_ends_nothing() {
    let mut looking = Looking::default();
    let foreign = Standing {
        core: Some(CoreView {
            obstacles: vec![obstacle(ObstacleKind::ForeignTrade, "a deal")],
            ..CoreView::default()
        }),
        ..fine()
    };
    assert_eq!(looking.for_seconds(5, &foreign).len(), 1);
    let hangs = Standing {
        core: None,
        ..fine()
    };
    assert_eq!(looking.for_seconds(300, &hangs).len(), 1);
    // The foreign trade is not told again.
    let told = looking.for_seconds(5, &foreign);
    assert!(told.is_empty(), "{told:?}");
    let told = looking.for_seconds(60, &foreign);
    assert_eq!(told[0].1, "the orders core answers again");
    assert_eq!(told.len(), 1);
}

#[test]
fn a_client_that_falls_silent_is_told_each_time() {
    let mut looking = Looking::default();
    let spoke = |seconds: i64| Standing {
        core: Some(CoreView {
            last_spoke: vec![(ClientName::parse("alpha").unwrap(), seconds * SECOND)],
            ..CoreView::default()
        }),
        ..fine()
    };
    assert!(looking.for_seconds(5, &spoke(29)).is_empty());
    let told = looking.for_seconds(50, &spoke(31));
    assert_eq!(told.len(), 1);
    assert!(told[0].1.contains("client alpha is silent"), "{told:?}");
    assert!(looking.for_seconds(5, &spoke(1)).is_empty());
    assert_eq!(looking.for_seconds(5, &spoke(30)).len(), 1);
}

#[test]
fn the_certificates_end_is_told_some_days_before_and_on_the_day() {
    let mut looking = Looking::default();
    let mut told = Vec::new();
    for days in (-2..=20).rev() {
        let standing = Standing {
            certificate_days: days,
            ..fine()
        };
        let news = looking.for_seconds(100, &standing);
        told.extend(news.into_iter().map(|_| days));
    }
    assert_eq!(told, [13, 6, 0, -1]);
}

#[test]
fn a_full_disk_a_dead_journal_and_new_secrets_are_told() {
    let mut looking = Looking::default();
    let mut standing = fine();
    standing.secrets.insert("MT5_PASSWORD", [1; 32]);
    assert!(looking.for_seconds(1, &standing).is_empty());
    standing.disk_low = Some(7 << 20);
    let told = looking.for_seconds(2, &standing);
    assert!(told[0].1.contains("7 MiB are free"), "{told:?}");
    standing.secrets.insert("MT5_PASSWORD", [2; 32]);
    standing.secrets.insert("SMTP_PASSWORD", [3; 32]);
    let told = looking.for_seconds(2, &standing);
    let text = "secrets were replaced: MT5_PASSWORD, SMTP_PASSWORD".to_owned();
    assert_eq!(told, [(3, text)]);
    standing.journal_up = false;
    standing.core = None;
    let told = looking.for_seconds(100, &standing);
    assert_eq!(told.len(), 1, "{told:?}");
    // That nothing tells how full it is does not make room.
    standing.disk_low = None;
    standing.disk_known = false;
    assert!(looking.for_seconds(100, &standing).is_empty());
    standing.disk_known = true;
    let told = looking.for_seconds(100, &standing);
    assert_eq!(told[0].1, "the journal's disk has room again");
}

#[test]
fn a_core_that_broke_is_told_in_its_own_words() {
    let broken = Standing {
        journal_up: false,
        core_broke: true,
        core: None,
        ..fine()
    };
    let told = Looking::default().for_seconds(100, &broken);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].1.contains("the orders core broke"), "{told:?}");
    assert!(!told[0].1.contains("make room"), "{told:?}");
}

#[test]
fn states_limits_and_margin_are_told_by_their_events() {
    let alpha = Some(ClientName::parse("alpha").unwrap());
    let halted = Event::TradingState(alpha.clone(), TradingState::Halted, "news".into());
    let told = Watch::event(&halted).unwrap();
    assert_eq!(told.text, "the trading state of alpha is Halted: news");
    assert_eq!(told.severity, Severity::Warning);
    let active = Event::TradingState(None, TradingState::Active, "over".into());
    let told = Watch::event(&active).unwrap();
    assert_eq!(told.severity, Severity::Info);
    assert!(told.text.contains("of account"), "{}", told.text);
    for event in [
        Event::LimitLatched(None, "LIMIT_DAILY_LOSS".into()),
        Event::MarginCall(83.5),
    ] {
        let told = Watch::event(&event).unwrap();
        assert_eq!(told.severity, Severity::Critical);
    }
    let link = Event::Link(LinkState::Ready, String::new());
    assert_eq!(Watch::event(&link), None);
}
