//! `doctor`: the gateway's set-up, held against what the security guide asks. Each check is a function
//! of facts; what any process has is checked by the chassis.

#[cfg(test)]
pub(super) mod messages;

use super::{
    CONTROL_SOCKET,
    operator::{NotRunning, Target},
    status,
};
use crate::{
    access::{Client, Permission},
    journal::{self, JournalError},
    settings::{BrokerSettings, Settings},
};
use mymt5_chassis::{
    doctor::{Finding, Particulars, SetUp, TlsFiles, report},
    operations::OperationsClient,
    process,
};
use mymt5_guard::{LossSettings, ScopeLimits};
use mymt5_model::AccountKind;
use mymt5_proto::v1::{BrokerClock, GetStatusResponse, LinkState, LinkStatus};
use rustix::fs::{Access, access};
use std::{
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::Path,
    process::ExitCode,
    time::Duration,
};

const LIMITS: &str = "limits";
const CLIENTS: &str = "clients";
const BRIDGE: &str = "bridge";
const SOCKET: &str = "control-socket";
const JOURNAL: &str = "journal";
const LINK: &str = "link";
const CLOCK: &str = "broker-clock";

/// Keys whose faults are of TLS files.
const TLS_KEYS: [&str; 2] = ["server.tls", "broker.terminal.tls"];

/// How long the journal's pages are checked: beside a running gateway its log grows meanwhile.
const LONGEST_CHECK: Duration = Duration::from_secs(10);

/// What a running gateway says of itself.
enum Standing {
    /// This.
    Told(Box<GetStatusResponse>),
    /// None runs.
    NotRunning,
    /// It does not answer this user: why.
    Silent(String),
}

pub(super) fn doctor(config: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let set_up = SetUp::<Settings>::read(config);
    let mut findings = set_up.examine(&TLS_KEYS, particulars);
    match &set_up.settings {
        Some(settings) => findings.extend(own(settings)),
        None => {
            let all = [LIMITS, CLIENTS, BRIDGE, SOCKET, JOURNAL, LINK, CLOCK];
            findings.extend(all.map(Finding::without_settings));
        }
    }
    report(&findings, json, &set_up.redactor)
}

fn particulars(settings: &Settings) -> Particulars {
    let (certificate, key, client_ca) = settings.tls.clone();
    let mut trusted = vec![client_ca];
    if let Some(terminal) = settings.broker.terminal() {
        trusted.extend(terminal.pinned.clone());
    }
    Particulars {
        operations: OperationsClient {
            program: "gateway",
            address: settings.operations.here(),
        },
        tls: TlsFiles {
            own: Some((certificate, key)),
            trusted,
        },
        other: "engine",
        alarm_bytes: settings.disk.alarm_bytes(),
    }
}

/// The gateway's own checks.
fn own(settings: &Settings) -> [Finding; 7] {
    let standing = standing(settings);
    let path = settings.journal();
    let is_there = path.try_exists().unwrap_or(true);
    let readable = is_there.then(|| journal::check(&path, Some(LONGEST_CHECK)));
    let is_writable = access(&path, Access::WRITE_OK).is_ok();
    [
        limits(
            &settings.account_limits,
            &settings.clients,
            settings.account_kind(),
        ),
        clients(&settings.clients),
        bridge(&settings.broker),
        control_socket(&settings.data_folder),
        of_journal(readable, is_writable),
        of_standing(LINK, &standing, |status| {
            link(&status.link.clone().unwrap_or_default())
        }),
        of_standing(CLOCK, &standing, |status| {
            let clock = status.broker_clock.clone().unwrap_or_default();
            broker_clock(&clock, settings.account_kind())
        }),
    ]
}

fn standing(settings: &Settings) -> Standing {
    let target = Target {
        data_folder: settings.data_folder.clone(),
        json: false,
    };
    match status::asked(&target) {
        Ok((status, _)) => Standing::Told(Box::new(status)),
        Err(error) if error.is::<NotRunning>() => Standing::NotRunning,
        Err(error) => Standing::Silent(error.to_string()),
    }
}

fn of_standing(
    check: &'static str,
    standing: &Standing,
    judge: impl FnOnce(&GetStatusResponse) -> Finding,
) -> Finding {
    match standing {
        Standing::Told(status) => judge(status),
        Standing::NotRunning => Finding::without_process(check),
        Standing::Silent(why) => {
            let (seen, fix) = parts(why, "run this as the gateway's own user");
            Finding::fail(check, seen, fix)
        }
    }
}

/// What a message says, and what to do about it.
fn parts<'a>(message: &'a str, otherwise: &'a str) -> (&'a str, &'a str) {
    message.split_once("; ").unwrap_or((message, otherwise))
}

/// Whether what a client trades is bounded: in volume and number, and with money at stake in what may
/// be lost.
fn limits(account: &ScopeLimits, clients: &[Client], kind: AccountKind) -> Finding {
    let traders = clients
        .iter()
        .filter(|client| client.enabled && client.permissions.contains(&Permission::Trade));
    let unbounded = traders
        .clone()
        .find(|client| !is_bounded(account, &client.limits));
    if let Some(client) = unbounded {
        return Finding::fail(
            LIMITS,
            format!(
                "client {} may trade any volume, or any number of positions",
                client.name
            ),
            "set max_lots_per_order and max_open_positions in [limits], or in its own",
        );
    }
    let loses_any = |of: &ScopeLimits| of.loss == LossSettings::default();
    let without = traders
        .clone()
        .find(|client| loses_any(account) && loses_any(&client.limits));
    let Some(client) = without else {
        let seen = format!("{} clients trade within limits", traders.count());
        return Finding::pass(LIMITS, seen);
    };
    let seen = format!(
        "no limit ends a day's or all losses of client {}",
        client.name
    );
    let fix = "set daily_loss and drawdown in [limits], or in its own";
    match kind {
        AccountKind::Real => Finding::fail(LIMITS, seen, fix),
        AccountKind::Demo => Finding::warn(LIMITS, seen, fix),
        AccountKind::Simulated => {
            Finding::pass(LIMITS, format!("{seen}, and the account is simulated"))
        }
    }
}

/// A risk of each trade bounds no volume: the nearer the stop, the larger it may be.
fn is_bounded(account: &ScopeLimits, client: &ScopeLimits) -> bool {
    let scopes = [&account.entry, &client.entry];
    let volume = scopes.iter().any(|of| {
        of.max_lots_per_order.is_some()
            || of.max_lots_per_symbol.is_some()
            || of.max_lots_total.is_some()
    });
    let number = scopes
        .iter()
        .any(|of| of.max_open_positions.is_some() || of.max_lots_total.is_some());
    volume && number
}

/// Whether who trades cannot also undo what stops trading.
fn clients(clients: &[Client]) -> Finding {
    let enabled = clients.iter().filter(|client| client.enabled);
    let may = |client: &Client, permission| client.permissions.contains(&permission);
    let both = enabled
        .clone()
        .find(|client| may(client, Permission::Trade) && may(client, Permission::Control));
    match both {
        Some(client) => Finding::fail(
            CLIENTS,
            format!(
                "client {} has trade and control: it can lift its own halt",
                client.name
            ),
            "remove control from its permissions, and make a client of its own for the operator",
        ),
        None => Finding::pass(
            CLIENTS,
            format!("{} enabled, none both trades and controls", enabled.count()),
        ),
    }
}

/// How the password gets to the terminal.
fn bridge(broker: &BrokerSettings) -> Finding {
    if broker.terminal().is_none() {
        return Finding::pass(BRIDGE, "the broker is the simulator, and needs none");
    }
    if broker.is_plain() {
        return in_plain_text();
    }
    Finding::pass(BRIDGE, "TLS, with the bridge's certificate pinned")
}

/// The configuration takes it to a literal loopback address alone.
fn in_plain_text() -> Finding {
    Finding::warn(
        BRIDGE,
        "plain text on loopback: a local user who takes the bridge's port first sees the password",
        "set broker.terminal.tls to the bridge's certificate, and remove broker.terminal.plain",
    )
}

/// Whether the socket, through which everything may be done, is its user's alone.
fn control_socket(data_folder: &Path) -> Finding {
    let socket = data_folder.join(CONTROL_SOCKET);
    let (Ok(found), Some(user)) = (socket.symlink_metadata(), process::holder(data_folder)) else {
        return Finding::without_process(SOCKET);
    };
    let is_own = found.file_type().is_socket() && found.uid() == user;
    socket_rights(&socket, is_own, found.mode() & 0o777)
}

fn socket_rights(socket: &Path, is_own: bool, mode: u32) -> Finding {
    let shown = socket.display();
    if !is_own {
        return Finding::fail(
            SOCKET,
            format!("{shown} is not a socket of the gateway's user"),
            "restart the gateway, which makes it again",
        );
    }
    if mode & 0o077 != 0 {
        return Finding::fail(
            SOCKET,
            format!("{shown} has mode {mode:o}: others can connect"),
            format!("chmod 600 {shown}"),
        );
    }
    Finding::pass(SOCKET, format!("{shown} has mode {mode:o}"))
}

/// Whether the journal is whole and can be written. None: there is none yet; false: not all of it was
/// checked.
fn of_journal(whole: Option<Result<bool, JournalError>>, is_writable: bool) -> Finding {
    match whole {
        None => Finding::cannot_see(
            JOURNAL,
            "there is none yet",
            "start the gateway, which makes it",
        ),
        Some(Err(error)) => {
            let error = error.to_string();
            let (seen, fix) = parts(&error, "look at the disk and the file's owner");
            Finding::fail(JOURNAL, seen, fix)
        }
        Some(Ok(_)) if !is_writable => Finding::fail(
            JOURNAL,
            "this user cannot write the journal",
            "chown it to the gateway's user, and mount its disk writable",
        ),
        Some(Ok(false)) => Finding::cannot_see(
            JOURNAL,
            "writable, though 10 seconds were too short to check all of its pages",
            "look at the gateway's log: after its start it checks the rest, and stops where that is damaged",
        ),
        Some(Ok(true)) => Finding::pass(JOURNAL, "whole and writable"),
    }
}

/// Whether the broker is reached, and lets trade.
fn link(link: &LinkStatus) -> Finding {
    let state = link.state();
    let name = state.as_str_name().trim_start_matches("LINK_STATE_");
    if !matches!(state, LinkState::Ready | LinkState::MarketClosed) {
        let (reason, fix) = parts(
            &link.reason,
            "look at `mymt5-gateway status` and at the log",
        );
        let seen = match reason {
            "" => name.to_owned(),
            reason => format!("{name}: {reason}"),
        };
        return Finding::fail(LINK, seen, fix);
    }
    if !link.trade_obstacle.is_empty() {
        let otherwise = "look at the terminal, which forbids trading";
        let (seen, fix) = parts(&link.trade_obstacle, otherwise);
        return Finding::warn(LINK, seen, fix);
    }
    Finding::pass(LINK, name)
}

/// Whether the broker's clock is known, and ticks agree with it.
fn broker_clock(clock: &BrokerClock, kind: AccountKind) -> Finding {
    if clock.offset_seconds.is_none() {
        return Finding::fail(
            CLOCK,
            "broker.time_zone is not set",
            "set broker.time_zone, such as to new_york+7",
        );
    }
    let shown = status::broker_clock(clock.clone());
    let is_verified = clock.verified.is_some() || kind == AccountKind::Simulated;
    if !is_verified {
        return Finding::warn(
            CLOCK,
            format!("{shown}: no tick has agreed with it yet"),
            "wait for ticks of an open market, then repeat this",
        );
    }
    Finding::pass(CLOCK, shown)
}
