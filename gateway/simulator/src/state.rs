//! The account on paper: everything that a restart needs to meet the same account.

use crate::{
    AccountConfig, Past, SetupError, Simulator, dice::Dice, pending::Working, position::Position,
};
use mymt5_model::{
    AccountMode, BrokerTime, DealRow, MaskedAccount, Money, OrderRow, Symbol, SymbolSpec, Tick,
};
use serde::{Deserialize, Serialize};

/// Version of the form below.
const FORMAT: u32 = 1;

/// A saved account. But for the rows of its past its form is private to this crate; keep it as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    format: u32,
    account: MaskedAccount,
    server: String,
    currency: String,
    mode: AccountMode,
    balance: Money,
    #[serde(default)]
    credit: Money,
    time: Option<BrokerTime>,
    next_order: u64,
    next_deal: u64,
    seed: u64,
    draws: u64,
    margin_called: bool,
    markets: Vec<SavedMarket>,
    /// Orders that ended, the oldest first.
    pub orders: Vec<OrderRow>,
    /// Deals that were done, the oldest first.
    pub deals: Vec<DealRow>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SavedMarket {
    symbol: Symbol,
    quote: Option<Tick>,
    positions: Vec<Position>,
    orders: Vec<Working>,
}

/// Why a saved account cannot be taken up again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The account's conditions or symbols are faulty in themselves.
    #[error("cannot set up the saved account")]
    Setup(#[source] SetupError),
    /// Written by another version.
    #[error("saved in form {found}, this version reads form {FORMAT}")]
    Format {
        /// The form found.
        found: u32,
    },
    /// The saved account is not the configured one.
    #[error("the saved account has another {what}")]
    OtherAccount {
        /// What differs: account, server, currency or mode.
        what: &'static str,
    },
    /// Orders or positions stand in a symbol that is no longer listed, or has other digits now.
    #[error("symbol {symbol} holds orders or positions but is not listed as it was")]
    SymbolGone {
        /// The symbol.
        symbol: Symbol,
    },
}

impl Simulator {
    /// Writes the account down.
    #[must_use]
    pub fn save(&self) -> State {
        self.save_since(Past::default())
    }

    /// How much of a past the account has now.
    #[must_use]
    pub const fn past(&self) -> Past {
        self.history.past()
    }

    /// Writes the account down as it stands, and of its past only what came after that moment.
    #[must_use]
    pub fn save_since(&self, past: Past) -> State {
        let (orders, deals) = self.history.since(past);
        let saved = self.markets.iter().map(|market| SavedMarket {
            symbol: market.spec.symbol.clone(),
            quote: market.quote.clone(),
            positions: market.positions.clone(),
            orders: market.orders.clone(),
        });
        State {
            format: FORMAT,
            account: self.masked.clone(),
            server: self.account.server.clone(),
            currency: self.account.currency.clone(),
            mode: self.account.mode,
            balance: self.balance,
            credit: self.credit,
            time: self.time,
            next_order: self.next_order,
            next_deal: self.next_deal,
            seed: self.account.seed,
            draws: self.dice.draws(),
            margin_called: self.margin_called,
            markets: saved.collect(),
            orders,
            deals,
        }
    }

    /// Takes up a saved account. Balance and seed are the saved ones; the other conditions and
    /// the symbols are those given.
    ///
    /// # Errors
    /// See [`RestoreError`].
    pub fn restore(
        account: AccountConfig,
        symbols: Vec<SymbolSpec>,
        state: State,
    ) -> Result<Self, RestoreError> {
        check_identity(&account, &state)?;
        let mut simulator = Self::new(account, symbols).map_err(RestoreError::Setup)?;
        for saved in state.markets {
            simulator.restore_market(saved)?;
        }
        simulator.account.seed = state.seed;
        simulator.dice = Dice::new(state.seed, state.draws);
        simulator.balance = state.balance;
        simulator.credit = state.credit;
        simulator.time = state.time;
        simulator.next_order = state.next_order;
        simulator.next_deal = state.next_deal;
        simulator.margin_called = state.margin_called;
        state
            .orders
            .into_iter()
            .for_each(|row| simulator.history.add_order(row));
        state
            .deals
            .into_iter()
            .for_each(|row| simulator.history.add_deal(row));
        simulator.find_next_expiry();
        (0..simulator.markets.len()).for_each(|m| simulator.refresh(m));
        Ok(simulator)
    }

    fn restore_market(&mut self, saved: SavedMarket) -> Result<(), RestoreError> {
        let empty = saved.positions.is_empty() && saved.orders.is_empty();
        let market = self.index.get(&saved.symbol).map(|m| &mut self.markets[*m]);
        let understood = |tick: &Tick| market.as_ref().is_some_and(|m| m.understands(tick));
        let known = market.is_some() && saved.quote.as_ref().is_none_or(understood);
        match market {
            Some(market) if known => {
                market.quote = saved.quote;
                market.positions = saved.positions;
                market.orders = saved.orders;
                Ok(())
            }
            _ if empty => Ok(()),
            _ => Err(RestoreError::SymbolGone {
                symbol: saved.symbol,
            }),
        }
    }
}

fn check_identity(account: &AccountConfig, state: &State) -> Result<(), RestoreError> {
    let same = [
        (MaskedAccount::of(account.login) == state.account, "account"),
        (account.server == state.server, "server"),
        (account.currency == state.currency, "currency"),
        (account.mode == state.mode, "mode"),
    ];
    if state.format != FORMAT {
        return Err(RestoreError::Format {
            found: state.format,
        });
    }
    match same.iter().find(|(same, _)| !same) {
        Some((_, what)) => Err(RestoreError::OtherAccount { what }),
        None => Ok(()),
    }
}
