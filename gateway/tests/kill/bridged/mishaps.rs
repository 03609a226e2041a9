//! What happens to a send behind the bridge, by the seed and the send's number.

use crate::{dice::Dice, scene::Scene};
use serde_json::{Value, json};

/// What the stand-in for the package does to one send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// None: executes and answers.
    Execute,
    /// Times out with nothing done.
    TimeoutBefore,
    /// Times out with everything done.
    TimeoutAfter,
    /// Times out, and executes when the gateway has given up looking.
    Late,
    /// Executes when the gateway waits no more.
    SlowBefore,
    /// Executes, and answers when the gateway waits no more.
    SlowAfter,
    /// As `SlowBefore`, and nothing else of the bridge runs meanwhile.
    Hold,
    /// The bridge dies with nothing done.
    DieBefore,
    /// The bridge dies with everything done, nothing told.
    DieAfter,
    /// The package raises with nothing done.
    RaiseBefore,
    /// The package raises with everything done.
    RaiseAfter,
    /// No result, and that last error; nothing is done.
    Nothing(i32),
    /// A return code that refuses, or that says nothing; nothing is done.
    Refuse(u32),
    /// Executes; the history shows it later.
    LateHistory,
    /// Executes; the result says neither deal, lots nor price.
    ZeroResult,
    /// Executes half of a market order.
    Partial,
}

impl Mishap {
    /// What came of the send, as the figures count it.
    const fn name(self) -> &'static str {
        match self {
            Self::Execute => "executed",
            Self::TimeoutBefore => "timed out before",
            Self::TimeoutAfter => "timed out after",
            Self::Late => "late",
            Self::SlowBefore => "slow before",
            Self::SlowAfter => "slow after",
            Self::Hold => "held",
            Self::DieBefore => "died before",
            Self::DieAfter => "died after",
            Self::RaiseBefore => "raised before",
            Self::RaiseAfter => "raised after",
            Self::Nothing(_) => "none",
            Self::Refuse(_) => "refused",
            Self::LateHistory => "late history",
            Self::ZeroResult => "zero result",
            Self::Partial => "partial",
        }
    }

    /// The stand-in's name of it, and its arguments.
    pub(super) fn row(self, scene: &Scene) -> (String, Value) {
        let slow = scene.delay().as_millis() as u64;
        let (kind, mut args) = match self {
            Self::Execute => ("execute".into(), json!({})),
            Self::TimeoutBefore => ("timeout_before".into(), json!({})),
            Self::TimeoutAfter => ("timeout_after".into(), json!({})),
            Self::Late => {
                // On a busy machine the looks take their time too.
                let late = 3 * scene.grace().as_millis() as u64;
                ("late".into(), json!({ "ms": late }))
            }
            Self::SlowBefore => ("delay_ms".into(), json!({ "before_ms": slow })),
            Self::SlowAfter => ("delay_ms".into(), json!({ "after_ms": slow })),
            Self::Hold => ("hold_ms".into(), json!({ "ms": slow })),
            Self::DieBefore => ("exit".into(), json!({ "when": "before" })),
            Self::DieAfter => ("exit".into(), json!({ "when": "after" })),
            Self::RaiseBefore => ("raise".into(), json!({ "when": "before" })),
            Self::RaiseAfter => ("raise".into(), json!({ "when": "after" })),
            Self::Nothing(code) => (format!("none:{code}"), json!({})),
            Self::Refuse(code) => (format!("retcode:{code}"), json!({})),
            Self::LateHistory => {
                let late = scene.grace().as_millis() as u64 / 2;
                ("late_history".into(), json!({ "ms": late }))
            }
            Self::ZeroResult => ("zero_result".into(), json!({})),
            Self::Partial => ("partial".into(), json!({ "fraction": 0.5 })),
        };
        args["name"] = self.name().into();
        (kind, args)
    }
}

/// The package's functions that the gateway learns from.
const READS: [&str; 9] = [
    "initialize",
    "account_info",
    "terminal_info",
    "symbol_info",
    "orders_get",
    "positions_get",
    "history_orders_get",
    "history_deals_get",
    "copy_ticks_from",
];

/// What goes wrong behind a bridge.
#[derive(Clone, Debug)]
pub(crate) struct Mischief {
    /// How often each mishap comes: weights.
    menu: Vec<(Mishap, u32)>,
    /// The bridge is killed and stopped at any moment, and its reads go wrong.
    pub(crate) harried: bool,
}

impl Mischief {
    /// Every kind of mishap, half of all sends, to a bridge that is harried.
    pub(crate) fn everything() -> Self {
        let mut menu = vec![
            (Mishap::Execute, 130),
            (Mishap::TimeoutBefore, 12),
            (Mishap::TimeoutAfter, 16),
            (Mishap::Late, 7),
            (Mishap::SlowBefore, 6),
            (Mishap::SlowAfter, 8),
            (Mishap::Hold, 6),
            (Mishap::DieBefore, 5),
            (Mishap::DieAfter, 7),
            (Mishap::RaiseBefore, 3),
            (Mishap::RaiseAfter, 5),
            (Mishap::LateHistory, 8),
            (Mishap::ZeroResult, 8),
            (Mishap::Partial, 8),
        ];
        let unknown = [-1, -10_000, -10_001, -10_002, -10_005];
        let not_sent = [-2, -3, -5, -7, -8, -10_003, -10_004];
        let codes = unknown.into_iter().chain(not_sent);
        menu.extend(codes.map(|code| (Mishap::Nothing(code), 1)));
        let codes = [10_004, 10_006, 10_011, 10_012, 10_019, 10_024, 10_031];
        menu.extend(codes.map(|code| (Mishap::Refuse(code), 2)));
        Self {
            menu,
            harried: true,
        }
    }

    /// Only these, equally often, to a bridge that is left alone.
    pub(crate) fn only(mishaps: &[Mishap]) -> Self {
        Self {
            menu: mishaps.iter().map(|mishap| (*mishap, 1)).collect(),
            harried: false,
        }
    }

    /// What happens to a read: the package's function, the stand-in's name of it, its arguments.
    pub(super) fn trouble(scene: &Scene, dice: &mut Dice) -> (&'static str, &'static str, Value) {
        let slow = scene.delay().as_millis() as u64;
        // Somebody chose another account in the terminal, and the right one again.
        if dice.below(6) == 0 {
            return ("account_info", "wrong_account", json!({ "login": 5 }));
        }
        let kinds = [
            ("none:-1", json!({})),
            ("timeout_after", json!({})),
            ("raise", json!({ "when": "before" })),
            ("delay_ms", json!({ "after_ms": slow })),
            ("hold_ms", json!({ "ms": slow })),
            ("disconnect", json!({ "ms": slow })),
        ];
        let call = dice.pick(&READS).copied().unwrap();
        let (kind, args) = dice.pick(&kinds).cloned().unwrap();
        (call, kind, args)
    }

    /// What happens to that send.
    pub(super) fn mishap(&self, seed: u64, send: u64) -> Mishap {
        const SENDS: u64 = 1 << 33;
        let mut dice = Dice::new(seed, SENDS + send);
        dice.weighted(&self.menu).unwrap_or(Mishap::Execute)
    }
}

#[test]
fn every_mishap_comes_and_is_planned() {
    let mischief = Mischief::everything();
    let drawn: Vec<Mishap> = (0..3_000).map(|send| mischief.mishap(1, send)).collect();
    assert!(
        mischief
            .menu
            .iter()
            .all(|(mishap, _)| drawn.contains(mishap))
    );
    assert_eq!(mischief.mishap(1, 77), drawn[77]);
    let alone = Mischief::only(&[]);
    assert!((0..100).all(|send| alone.mishap(1, send) == Mishap::Execute));
}
