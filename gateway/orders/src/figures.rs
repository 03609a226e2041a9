//! What a monitor is told: counts and figures, read of the parts that own them.

use crate::Core;
use mymt5_guard::{Headroom, LossSettings};
use mymt5_model::{ClientName, Money, OrderState, UtcTime};

/// How the losses of a scope stand, as last measured, in the account currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeLosses {
    /// Whose; none: the account's.
    pub client: Option<ClientName>,
    /// Equity less what the day's loss is measured from.
    pub profit_today: Money,
    /// What is left of each limit that is set.
    pub limits: Vec<Headroom>,
}

impl Core {
    /// How often an order came to that state since the start. One whose end later evidence
    /// contradicts counts in both.
    #[must_use]
    pub fn outcomes(&self, state: OrderState) -> u64 {
        self.orders.outcomes(state)
    }

    /// When the oldest order was taken whose outcome is awaited: it waits to be sent, was sent, or is
    /// UNKNOWN. None: there is none.
    #[must_use]
    pub fn awaited_since(&self) -> Option<UtcTime> {
        let awaited = self.orders.open().filter(|order| {
            matches!(
                order.state,
                OrderState::Accepted | OrderState::Sent | OrderState::Unknown
            )
        });
        awaited.filter_map(|order| order.created.utc).min()
    }

    /// How the losses of the account and of each client stand whose losses are limited; those that
    /// were never measured are left out.
    #[must_use]
    pub fn scope_losses(&self) -> Vec<ScopeLosses> {
        let scopes = self.losses.scopes().into_iter();
        let measured = scopes.filter_map(|client| {
            let (settings, state) = self.losses_of(&client)?;
            if client.is_some() && settings == LossSettings::default() {
                return None;
            }
            let (profit_today, limits) = (state.profit_today(), state.headroom(&settings));
            Some(ScopeLosses {
                client,
                profit_today,
                limits,
            })
        });
        measured.collect()
    }
}
