//! The account over a restart.

use crate::support::{Asked, hedging, limit, market, settings};
use mymt5_model::AccountMode;
use mymt5_simulated_terminal::{Store, Terminal, layout::Account, number};

#[test]
fn an_account_is_taken_up_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("account");
    let (mut store, kept) = Store::open(&path).unwrap();
    assert!(kept.is_none());
    let mut asked = hedging();
    for request in [market(0, 0.1), limit(0.9), market(1, 0.2)] {
        asked.send(&request);
        store
            .append(&asked.terminal.take_changes().unwrap())
            .unwrap();
        assert!(asked.terminal.take_changes().is_none());
    }
    let (_, kept) = Store::open(&path).unwrap();
    let settings = settings(AccountMode::Hedging);
    let mut again = Asked {
        terminal: Terminal::start(settings, Vec::new(), kept, asked.now).unwrap(),
        now: asked.now,
    };
    assert_eq!(again.positions(), asked.positions());
    assert_eq!(again.deals(), asked.deals());
    assert_eq!(again.past_orders().len(), asked.past_orders().len());
    assert_eq!(again.orders(), asked.orders());
    let account = |asked: &mut Asked| asked.one::<Account>(number::ACCOUNT, &[]);
    assert_eq!(account(&mut again), account(&mut asked));
    assert!(again.terminal.take_changes().is_none());
}
