//! `doctor`: the engine's set-up, held against what the security guide asks. Each check is a function of
//! facts; what any process has is checked by the chassis.

#[cfg(test)]
pub(crate) mod messages;

use crate::{
    risk::{RiskSettings, SizeBy},
    session::Gateway,
    settings::Settings,
};
use mymt5_chassis::{
    cli::block_on,
    doctor::{Finding, Particulars, SetUp, TLS, TlsFiles, Verdict, own_keys, report},
    operations::OperationsClient,
    tls,
    trace_context::TraceContext,
};
use mymt5_guard::LossSettings;
use mymt5_proto::v1::{GetStatusRequest, GetStatusResponse};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use tonic::Code;

const GATEWAY: &str = "gateway";
const CLOCK: &str = "clock";
const RISK: &str = "risk-limits";
const OWN_KEYS: &str = "own-keys";

/// Keys whose faults are of TLS files.
const TLS_KEYS: [&str; 1] = ["gateway"];
/// Less room than that is soon used up by intents and logs, bytes.
const ALARM: u64 = 64 << 20;
/// How far the clocks may be apart: deadlines of orders are told in a client's time.
const MOST_APART_MS: i64 = 1_000;

/// The gateway's answer, and between which moments it came.
struct Told {
    status: GetStatusResponse,
    asked_ms: i64,
    answered_ms: i64,
}

pub(super) fn doctor(config: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let set_up = SetUp::<Settings>::read(config);
    let mut findings = set_up.examine(&TLS_KEYS, particulars);
    match &set_up.settings {
        Some(settings) => {
            let is_faulty = findings.iter().any(is_failure_of_tls);
            let [reached, clock] = if is_faulty {
                [GATEWAY, CLOCK].map(|check| after(check, TLS))
            } else {
                of_gateway(&set_up, settings)
            };
            let (tls, own) = keys(settings);
            findings.extend([
                reached,
                clock,
                risk_limits(&settings.risk),
                own_keys(OWN_KEYS, &tls, &own),
            ]);
        }
        None => {
            let all = [GATEWAY, CLOCK, RISK, OWN_KEYS];
            findings.extend(all.map(Finding::without_settings));
        }
    }
    report(&findings, json, &set_up.redactor)
}

fn particulars(settings: &Settings) -> Particulars {
    Particulars {
        operations: OperationsClient {
            program: "engine",
            address: settings.operations.here(),
        },
        tls: TlsFiles {
            own: settings.gateway.identity.clone(),
            trusted: vec![settings.gateway.ca.clone()],
        },
        other: "gateway",
        alarm_bytes: ALARM,
    }
}

/// With faulty certificates nothing can be asked.
fn is_failure_of_tls(finding: &Finding) -> bool {
    finding.check == TLS && finding.verdict == Verdict::Fail
}

/// A check that has to wait for another one.
fn after(check: &'static str, first: &str) -> Finding {
    Finding::cannot_see(
        check,
        "the gateway cannot be asked",
        format!("correct what `{first}` tells first"),
    )
}

/// Whether the gateway answers, and how far apart the clocks are.
fn of_gateway(set_up: &SetUp<Settings>, settings: &Settings) -> [Finding; 2] {
    match block_on(ask(set_up, settings)) {
        Ok(told) => [reached(&told.status), clock(&told)],
        Err(error) => [unreached(&error), after(CLOCK, GATEWAY)],
    }
}

/// The folder that the keys of all lie below, as `mymt5-gateway certs` makes them, and the own key.
fn keys(settings: &Settings) -> (PathBuf, Vec<PathBuf>) {
    let above = settings.gateway.ca.parent();
    let above = above.filter(|folder| !folder.as_os_str().is_empty());
    let own = settings.gateway.identity.iter().map(|(_, key)| key.clone());
    (above.unwrap_or(Path::new(".")).to_owned(), own.collect())
}

async fn ask(set_up: &SetUp<Settings>, settings: &Settings) -> anyhow::Result<Told> {
    tls::install_provider();
    let gateway = Gateway::connect(&settings.gateway, &set_up.redactor).await?;
    let request = gateway.call(GetStatusRequest {}, &TraceContext::new());
    let asked_ms = set_up.now_ms();
    let status = gateway.control().get_status(request).await?.into_inner();
    Ok(Told {
        status,
        asked_ms,
        answered_ms: set_up.now_ms(),
    })
}

fn reached(status: &GetStatusResponse) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    let theirs = &status.version;
    if theirs != own {
        return Finding::warn(
            GATEWAY,
            format!("it runs version {theirs}, and this is {own}"),
            "use engine and gateway of one release",
        );
    }
    Finding::pass(GATEWAY, format!("it answers this client, version {theirs}"))
}

/// Why the gateway cannot be asked.
fn unreached(error: &anyhow::Error) -> Finding {
    if let Some(status) = error.downcast_ref::<tonic::Status>() {
        let code = status.code();
        return match code {
            Code::Unauthenticated | Code::PermissionDenied => Finding::fail(
                GATEWAY,
                format!("it refuses this client ({code:?})"),
                "check this client's table in the gateway's [clients], and the certificate or token here",
            ),
            _ => Finding::fail(
                GATEWAY,
                format!("it does not answer ({code:?})"),
                "look at the gateway's `doctor` and log",
            ),
        };
    }
    let message = error.to_string();
    let fix = "check gateway.address, and that the gateway runs";
    let (seen, fix) = message.split_once("; ").unwrap_or((message.as_str(), fix));
    Finding::fail(GATEWAY, seen, fix)
}

/// How far this clock is from the gateway's: at least so much, since the answer was under way for an
/// unknown part of the time.
fn clock(told: &Told) -> Finding {
    let theirs = told.status.server_time.and_then(|time| time.utc_ms);
    let Some(theirs) = theirs else {
        return Finding::cannot_see(
            CLOCK,
            "the gateway does not tell its time",
            "use engine and gateway of one release",
        );
    };
    let apart_ms = (told.asked_ms - theirs)
        .max(theirs - told.answered_ms)
        .max(0);
    if apart_ms >= MOST_APART_MS {
        return Finding::fail(
            CLOCK,
            format!("{apart_ms} ms from the gateway's at least"),
            "set both hosts' clocks, such as by chrony",
        );
    }
    Finding::pass(CLOCK, "with the gateway's")
}

/// Whether a trade's volume is bounded, whatever its stop.
fn risk_limits(risk: &RiskSettings) -> Finding {
    let is_fixed = matches!(risk.sizing.by, SizeBy::Fixed(_));
    if risk.sizing.max_lots.is_none() && !is_fixed {
        return Finding::fail(
            RISK,
            "risk.max_lots is not set: a near stop loss makes a large volume",
            "set risk.max_lots to the most lots of a trade",
        );
    }
    if risk.losses == LossSettings::default() {
        let seen = "a trade's volume is bounded, and losses only by the gateway's limits";
        return Finding::pass(RISK, seen);
    }
    Finding::pass(
        RISK,
        "a trade's volume is bounded, and losses by limits of its own",
    )
}
