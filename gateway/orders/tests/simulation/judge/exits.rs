//! Whether a close may be refused: only for a definite reason, which is named.

use super::{Verdict, ensure};
use crate::bench::Shell;
use mymt5_model::{AccountMode, OrderState, PositionId, Reason, Refusal};
use mymt5_orders::{ObstacleKind, Purpose};

/// Closes of one client that may wait.
const SHARE: usize = 512;

pub fn may_be_refused(
    refusal: &Refusal,
    shell: &Shell,
    position: PositionId,
    lots: Option<f64>,
) -> Verdict {
    let exits = || {
        let open = shell.core.open_orders();
        open.filter(|order| order.purpose == Purpose::Exit(position))
    };
    let legal = match refusal.reason() {
        Reason::LinkDown => !shell.core.link_is_up(),
        Reason::Draining => {
            let mut obstacles = shell.core.obstacles().into_iter();
            obstacles.any(|obstacle| obstacle.kind == ObstacleKind::Draining)
        }
        Reason::QueueFull => shell.core.open_orders().count() >= SHARE,
        Reason::PendingReconciliation => {
            let unknown = exits().any(|order| order.state == OrderState::Unknown);
            shell.core.book().mode() == AccountMode::Netting && unknown
        }
        Reason::ExitExceedsPosition => {
            let closable = shell.core.book().closable_at_most(position);
            let more = lots.is_some_and(|lots| lots > closable.to_f64() + 1e-9);
            exits().next().is_some() || closable.is_zero() || more
        }
        Reason::LotsOutOfBounds => {
            let held = shell.core.book().position(position);
            let spec = held.and_then(|held| shell.prices.specs.get(&held.row.symbol));
            let most = spec.map_or(0.0, |spec| spec.volume.max.to_f64());
            let closable = shell.core.book().closable_at_most(position).to_f64();
            lots.unwrap_or(closable) > most
        }
        Reason::PositionNotFound => shell.core.book().position(position).is_none(),
        _ => false,
    };
    ensure!(legal, "a close of {position} was refused: {refusal:?}");
    Ok(())
}
