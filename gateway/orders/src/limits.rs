//! What follows from losses: a limit that is reached acts, and a day that ends lifts what the day's
//! loss had entered.

use crate::{
    Audience, Core, Event, Notice, losses::state_after, notices::scope_name, records::Flattening,
    records::Scope, states::GATEWAY,
};
use mymt5_guard::{Breach, LimitAction, TradingState};
use mymt5_model::Reason;

impl Core {
    pub(crate) fn act_on(&mut self, scope: Scope, breach: Breach) {
        let limit = breach.limit.name();
        self.out.notice(Notice::LossLimit {
            scope: scope_name(&scope),
            limit,
            action: breach.action,
        });
        let audience = Audience::of_scope(&scope);
        let event = Event::LimitLatched(scope.clone(), limit.to_owned());
        self.out.emit("", audience, event);
        let Some(state) = state_after(breach.action) else {
            return;
        };
        if breach.action == LimitAction::Flatten {
            let include_foreign = false;
            let flatten = Flattening { include_foreign };
            self.states
                .flatten(scope, flatten, limit, GATEWAY, &mut self.out);
            return self.reject_forbidden();
        }
        // A weaker reason of our own gives way, so that nothing lifts this one early.
        let held = self.states.of(&scope);
        if held < state || (held == state && self.states.is_gateways(&scope)) {
            self.states
                .enter(scope, state, limit, GATEWAY, &mut self.out);
            self.reject_forbidden();
        }
    }

    /// REDUCING by a day's loss ends with the day; HALTED is an operator's to leave.
    pub(crate) fn lift(&mut self) {
        let daily = Reason::LimitDailyLoss.name();
        for scope in self.losses.scopes() {
            let reduced = self.states.of(&scope) == TradingState::Reducing
                && self.states.is_by(&scope, GATEWAY, daily);
            if reduced && self.losses.is_clear(&scope) {
                let active = TradingState::Active;
                self.states
                    .enter(scope, active, "DAY_RESET", GATEWAY, &mut self.out);
                self.watch_clients();
                self.reject_forbidden();
            }
        }
    }
}
