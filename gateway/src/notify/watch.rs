//! What of the gateway's state and of its events is worth an alert. A state must hold for a while
//! before it is told, and be over for a while before that is: what comes and goes is told once.

use super::alert::{Alert, Kind, Severity};
use crate::link::LinkStatus;
use mymt5_guard::TradingState;
use mymt5_model::{ClientName, LinkState};
use mymt5_orders::{Core, Event, Obstacle, ObstacleKind};
use std::collections::BTreeMap;

const SECOND: i64 = 1_000;
/// For which no time is long enough: it keeps what was told from being over, and tells nothing.
const NEVER: i64 = i64::MAX;
/// A link that is out of reach for so long is told, and one that is back for as long as that.
const LINK_LOST: i64 = 30 * SECOND;
const LINK_BACK: i64 = 60 * SECOND;
/// An outcome that is unknown for longer is not found out by itself, as a rule.
const UNKNOWN: i64 = 60 * SECOND;
/// What one more look at the broker may end.
const PASSING: i64 = 30 * SECOND;
/// A core that does not answer for so long hangs.
const HANGS: i64 = 10 * SECOND;
/// A client that let its heartbeats end is silent after so long.
const SILENT: i64 = 30 * SECOND;
/// Days before the end of the certificate at which it is told.
const CERTIFICATE_DAYS: [i64; 4] = [0, 1, 7, 14];

/// How the gateway stands at a moment.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// The link.
    pub(super) link: LinkStatus,
    /// What the orders core knows; none: it does not answer.
    pub(super) core: Option<CoreView>,
    /// The journal can be written.
    pub(super) journal_up: bool,
    /// The orders core panicked.
    pub(super) core_broke: bool,
    /// Bytes free on the journal's disk, where the alarm for it is on.
    pub(super) disk_low: Option<u64>,
    /// How many are free could be told.
    pub(super) disk_known: bool,
    /// Days until the end of the gateway's certificate.
    pub(super) certificate_days: i64,
    /// What stands for each secret, by its name.
    pub(super) secrets: BTreeMap<&'static str, [u8; 32]>,
}

/// What of the orders core is watched.
#[derive(Clone, Debug, Default)]
pub(super) struct CoreView {
    /// What stands in the way.
    pub(super) obstacles: Vec<Obstacle>,
    /// Clients whose process spoke and did not leave, and how long ago it last spoke, milliseconds.
    pub(super) last_spoke: Vec<(ClientName, i64)>,
}

impl CoreView {
    /// Of a core, now.
    #[must_use]
    pub(super) fn of(core: &Core) -> Self {
        Self {
            obstacles: core.obstacles(),
            last_spoke: core.last_spoke(),
        }
    }
}

/// What is remembered between two looks.
#[derive(Debug, Default)]
pub(super) struct Watch {
    inherited: Inherited,
    lasting: BTreeMap<String, Lasting>,
    secrets: Option<BTreeMap<&'static str, [u8; 32]>>,
}

/// What closed trading before the start. Its event may have reached nobody: what still waited for a
/// channel when the gateway stopped or died is gone.
#[derive(Debug, Default)]
enum Inherited {
    /// The core was not looked at yet.
    #[default]
    Unseen,
    /// What it was at the first look, and when that was.
    Seen(Vec<String>, i64),
    Told,
}

/// A state that holds, or did a moment ago.
#[derive(Debug)]
struct Lasting {
    since: i64,
    gone: Option<i64>,
    told: bool,
    calm_ms: i64,
    over: Option<Alert>,
}

/// A state that is worth an alert once it holds for long enough.
#[derive(Debug)]
struct Condition {
    key: String,
    after_ms: i64,
    /// How long it must be gone before it is over.
    calm_ms: i64,
    alert: Alert,
    /// What is told once it is over; none: nothing.
    over: Option<&'static str>,
}

impl Condition {
    fn new(key: impl Into<String>, after_ms: i64, alert: Alert) -> Self {
        Self {
            key: key.into(),
            after_ms,
            calm_ms: PASSING,
            alert,
            over: None,
        }
    }

    fn over(mut self, text: &'static str) -> Self {
        self.over = Some(text);
        self
    }
}

/// Begins the keys of what the core knows: it holds while the core does not answer.
const OF_CORE: &str = "core ";
/// The key of a full disk: it holds while nothing tells how full it is.
const DISK: &str = "disk";

impl Watch {
    /// What happened, of what the core recorded.
    #[must_use]
    pub(super) fn event(event: &Event) -> Option<Alert> {
        use Severity::{Critical, Info, Warning};
        let of = |scope: &Option<ClientName>| Core::scope_name(scope);
        match event {
            Event::TradingState(scope, state, reason) => {
                let severity = match state {
                    TradingState::Active => Info,
                    TradingState::Reducing | TradingState::Halted => Warning,
                };
                let text = format!("the trading state of {} is {state:?}: {reason}", of(scope));
                Some(Alert::new(Kind::TradingState, severity, text))
            }
            Event::LimitLatched(scope, reason) => {
                let text = format!("a limit of {} is reached: {reason}", of(scope));
                Some(Alert::new(Kind::Limit, Critical, text))
            }
            Event::MarginCall(level) => {
                let text = format!("the broker calls for margin: the level is {level:.2} percent");
                Some(Alert::new(Kind::Account, Critical, text))
            }
            _ => None,
        }
    }

    /// Looks at how things stand; what is news of it. `now`: milliseconds of a clock that nobody sets.
    pub(super) fn look(&mut self, standing: &Standing, now: i64) -> Vec<Alert> {
        let mut alerts = self.inherited(standing, now);
        alerts.extend(self.renewed(standing));
        let mut holding = BTreeMap::new();
        for condition in conditions(standing) {
            holding.entry(condition.key.clone()).or_insert(condition);
        }
        let answers = standing.core.is_some();
        self.lasting.retain(|key, lasting| {
            let unseen = key.starts_with(OF_CORE) && !answers;
            let unmeasured = key == DISK && !standing.disk_known;
            if holding.contains_key(key) || unseen || unmeasured {
                lasting.gone = None;
                return true;
            }
            let gone = *lasting.gone.get_or_insert(now);
            if now - gone < lasting.calm_ms {
                return true;
            }
            alerts.extend(lasting.over.take().filter(|_| lasting.told));
            false
        });
        let holding = holding.into_values();
        alerts.extend(holding.filter_map(|condition| self.hold(condition, now)));
        alerts
    }

    /// What holds now; its alert, once it holds for long enough.
    fn hold(&mut self, condition: Condition, now: i64) -> Option<Alert> {
        let Condition {
            key,
            after_ms,
            calm_ms,
            alert,
            over,
        } = condition;
        let over = over.map(|text| Alert::end(alert.kind, text));
        let lasting = self.lasting.entry(key).or_insert(Lasting {
            since: now,
            gone: None,
            told: false,
            calm_ms,
            over,
        });
        if after_ms == NEVER {
            // What is not counted against it now does not count later.
            lasting.since = now;
        }
        if lasting.told || now.saturating_sub(lasting.since) < after_ms {
            return None;
        }
        lasting.told = true;
        Some(alert)
    }

    /// What closes trading since before the start. A day that began since then ends some of it with the
    /// first comparison, which is waited for, if not for long.
    fn inherited(&mut self, standing: &Standing, now: i64) -> Vec<Alert> {
        let Some(core) = &standing.core else {
            return Vec::new();
        };
        let obstacles = core.obstacles.iter();
        if matches!(self.inherited, Inherited::Unseen) {
            self.inherited = Inherited::Seen(obstacles.clone().map(head).collect(), now);
        }
        let Inherited::Seen(first, since) = &self.inherited else {
            return Vec::new();
        };
        let mut kinds = obstacles.clone().map(|obstacle| obstacle.kind);
        if kinds.any(|kind| kind == ObstacleKind::NotCompared) && now - since < PASSING {
            return Vec::new();
        }
        let still = obstacles.filter(|obstacle| first.contains(&head(obstacle)));
        let alerts = still.filter_map(of_before).collect();
        self.inherited = Inherited::Told;
        alerts
    }

    /// Secrets that were replaced since the last look.
    fn renewed(&mut self, standing: &Standing) -> Option<Alert> {
        let before = self.secrets.replace(standing.secrets.clone())?;
        let changed = standing.secrets.iter();
        let changed = changed.filter(|(name, digest)| before.get(*name) != Some(*digest));
        let names: Vec<&str> = changed.map(|(name, _)| *name).collect();
        (!names.is_empty()).then(|| {
            let text = format!("secrets were replaced: {}", names.join(", "));
            Alert::new(Kind::Credentials, Severity::Warning, text)
        })
    }
}

/// All that holds now.
fn conditions(standing: &Standing) -> Vec<Condition> {
    let mut found = of_link(&standing.link);
    found.extend(of_gateway(standing));
    let core = standing.core.iter();
    let obstacles = core.clone().flat_map(|core| &core.obstacles);
    found.extend(obstacles.filter_map(|obstacle| of_obstacle(obstacle, standing.link.up)));
    let spoke = core.flat_map(|core| &core.last_spoke);
    let silent = spoke.filter(|(_, ago)| *ago >= SILENT);
    found.extend(silent.map(|(client, ago)| {
        let seconds = ago / SECOND;
        let text = format!("client {client} is silent for {seconds} s: look whether it runs");
        let alert = Alert::new(Kind::Client, Severity::Warning, text);
        Condition {
            calm_ms: 0,
            ..Condition::new(format!("{OF_CORE}silent {client}"), 0, alert)
        }
    }));
    found
}

/// Outside trading sessions nobody is told of a link that is down, and one that was told is back
/// only once it is up.
fn of_link(link: &LinkStatus) -> Vec<Condition> {
    let mut found = Vec::new();
    let refused = link.state == LinkState::Refused;
    if refused {
        let text = format!("the broker refused the credentials: {}", link.reason);
        let alert = Alert::new(Kind::Credentials, Severity::Critical, text);
        found.push(Condition {
            calm_ms: 0,
            ..Condition::new("refused", 0, alert)
        });
    }
    if !link.up {
        let told_otherwise = refused || link.state == LinkState::MarketClosed;
        let after_ms = if told_otherwise { NEVER } else { LINK_LOST };
        let text = format!("the broker is out of reach: {}", link.reason);
        let alert = Alert::new(Kind::Link, Severity::Critical, text);
        let condition = Condition {
            calm_ms: LINK_BACK,
            ..Condition::new("link", after_ms, alert)
        };
        found.push(condition.over("the link to the broker is back"));
    }
    found
}

fn of_gateway(standing: &Standing) -> Vec<Condition> {
    let critical = |text: &str| Alert::new(Kind::Gateway, Severity::Critical, text);
    let mut found = Vec::new();
    if standing.core_broke {
        let alert = critical(
            "the orders core broke, and trading is closed: look at the crash report in the data folder, and restart the gateway",
        );
        found.push(Condition::new("broke", 0, alert));
    } else if !standing.journal_up {
        let alert = critical(
            "the journal cannot be written, and trading is closed: make room on its disk, and restart the gateway",
        );
        found.push(Condition::new("journal", 0, alert));
    } else if standing.core.is_none() {
        let alert = critical("the orders core does not answer: look at the gateway's log");
        found.push(Condition::new("hangs", HANGS, alert).over("the orders core answers again"));
    }
    if let Some(free) = standing.disk_low {
        let mib = free >> 20;
        let alert = critical(&format!(
            "the journal's disk is almost full, {mib} MiB are free: make room, or trading closes"
        ));
        found.push(Condition::new(DISK, 0, alert).over("the journal's disk has room again"));
    }
    found.extend(of_certificate(standing.certificate_days));
    found
}

/// It is told again at each of a few days.
fn of_certificate(days: i64) -> Option<Condition> {
    let near = CERTIFICATE_DAYS.into_iter().find(|near| days < *near)?;
    let (severity, text) = if days < 0 {
        let text = "the gateway's certificate has ended: no client can connect".to_owned();
        (Severity::Critical, text)
    } else {
        let text = format!("the gateway's certificate ends in {days} days: renew it");
        (Severity::Warning, text)
    };
    let alert = Alert::new(Kind::Gateway, severity, text);
    Some(Condition::new(format!("certificate {near}"), 0, alert))
}

/// How long an obstacle must stand, and what it is about; none: it is told otherwise, or expected.
const fn patience(kind: ObstacleKind) -> Option<(i64, Kind, Severity)> {
    use Severity::{Critical, Warning};
    Some(match kind {
        ObstacleKind::OrderUnknown | ObstacleKind::CloseUnknown => (UNKNOWN, Kind::Order, Critical),
        ObstacleKind::ForeignTrade => (0, Kind::ForeignTrade, Critical),
        ObstacleKind::HistoryIncomplete
        | ObstacleKind::UnreadableRows
        | ObstacleKind::OrphanRows
        | ObstacleKind::OrphanDeals
        | ObstacleKind::RowsDisagree => (PASSING, Kind::Reconciliation, Critical),
        ObstacleKind::NotCompared => (UNKNOWN, Kind::Reconciliation, Warning),
        ObstacleKind::TradeNotAllowed | ObstacleKind::AccountUnreadable => {
            (PASSING, Kind::Account, Critical)
        }
        ObstacleKind::LossUnmeasured => (UNKNOWN, Kind::Limit, Warning),
        // Limits and trading states are told when they change and at the start, the link and the end by
        // themselves.
        ObstacleKind::LinkDown
        | ObstacleKind::Draining
        | ObstacleKind::Reducing
        | ObstacleKind::Halted
        | ObstacleKind::Flattening
        | ObstacleKind::DailyLoss
        | ObstacleKind::Drawdown
        | ObstacleKind::SymbolShared
        | ObstacleKind::SymbolClosed => return None,
    })
}

fn of_obstacle(obstacle: &Obstacle, link_up: bool) -> Option<Condition> {
    let (after_ms, about, severity) = patience(obstacle.kind)?;
    if obstacle.kind == ObstacleKind::NotCompared && !link_up {
        return None;
    }
    // Only orders have a life of their own; a count that grows is the same state.
    let own = match about {
        Kind::Order => obstacle.why.as_str(),
        _ => "",
    };
    let head = head(obstacle);
    Some(Condition::new(
        format!("{OF_CORE}{head} {own}"),
        after_ms,
        Alert::new(about, severity, words(obstacle)),
    ))
}

/// What is told by its event as it begins, where that was before the start.
fn of_before(obstacle: &Obstacle) -> Option<Alert> {
    let (about, severity) = match obstacle.kind {
        state if state.is_state() => (Kind::TradingState, Severity::Warning),
        ObstacleKind::DailyLoss | ObstacleKind::Drawdown => (Kind::Limit, Severity::Critical),
        _ => return None,
    };
    let text = format!("since before the start: {}", words(obstacle));
    Some(Alert::new(about, severity, text))
}

/// What it is, and of which symbol and client.
fn head(obstacle: &Obstacle) -> String {
    let symbol = obstacle.symbol.as_ref().map(ToString::to_string);
    let client = obstacle.client.as_ref().map(ToString::to_string);
    let place: Vec<String> = symbol.into_iter().chain(client).collect();
    let head = format!("{} {}", obstacle.kind, place.join(" of "));
    head.trim_end().to_owned()
}

fn words(obstacle: &Obstacle) -> String {
    let Obstacle { kind, why, .. } = obstacle;
    let (closes, ends) = (kind.closes(), obstacle.ends());
    let head = head(obstacle);
    format!("{head}: {why}. Closed: {closes}. Ends: {ends}")
}

#[cfg(test)]
mod tests;
