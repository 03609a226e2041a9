//! What counts towards a limit: reservations, and whose they are.

use super::*;
use crate::broker::SendFailure;
use mymt5_model::{ClientName, OrderId, Retcode};

#[test]
fn what_is_in_flight_or_unknown_counts_as_filled() {
    let limits: [(Change<Limits>, Reason); 5] = [
        (
            |l| l.max_lots_per_symbol = lots(1.0),
            Reason::LimitLotsPerSymbol,
        ),
        (|l| l.max_lots_total = lots(1.0), Reason::LimitLotsTotal),
        (
            |l| l.max_open_positions = Some(2),
            Reason::LimitOpenPositions,
        ),
        (|l| l.max_open_orders = Some(1), Reason::LimitOpenOrders),
        (|l| l.max_margin_use = percent(11.0), Reason::LimitMargin),
    ];
    for (set, reason) in limits {
        for rejected in [false, true] {
            let mut of_client = Limits::default();
            set(&mut of_client);
            let mut core = holding(of_client, Limits::default(), account());
            let Scene { entry, quote, .. } = scene();
            assert_eq!(submit(&mut core, "flying", entry.clone(), &quote), Ok(()));
            if rejected {
                let id = OrderId(2);
                assert!(core.sending(id, Some(&quote)));
                core.on_sent(id, Err(SendFailure::Rejected(Retcode::NO_MONEY)));
            }
            let expected = if rejected { Ok(()) } else { Err(reason) };
            assert_eq!(submit(&mut core, "next", entry, &quote), expected);
        }
    }
}

#[test]
fn an_unknown_outcome_counts_in_other_symbols_too() {
    let limits = Limits {
        max_lots_total: lots(1.0),
        ..Limits::default()
    };
    let mut core = holding(limits, Limits::default(), account());
    let Scene {
        mut entry, quote, ..
    } = scene();
    assert_eq!(submit(&mut core, "lost", entry.clone(), &quote), Ok(()));
    let id = OrderId(2);
    assert!(core.sending(id, Some(&quote)));
    core.on_sent(id, Err(SendFailure::Unknown("lost".into())));
    let mut other = (*entry.spec).clone();
    other.symbol = Symbol::parse("GBPUSD").unwrap();
    entry.spec = Arc::new(other);
    assert_eq!(
        submit(&mut core, "next", entry, &quote),
        Err(Reason::LimitLotsTotal)
    );
}

#[test]
fn a_fill_keeps_its_margin_reserved_until_the_account_was_read() {
    let limits = Limits {
        max_margin_use: percent(11.0),
        ..Limits::default()
    };
    let mut core = holding(limits, Limits::default(), account());
    let Scene {
        entry,
        quote,
        mut account,
    } = scene();
    assert_eq!(submit(&mut core, "first", entry.clone(), &quote), Ok(()));
    let id = OrderId(2);
    assert!(core.sending(id, Some(&quote)));
    let mut fill = deal(2, 2, Side::Buy, mymt5_model::Entry::In, 50_000_000, 110_010);
    fill.magic = core.order(id).unwrap().magic;
    core.on_deal(fill);
    assert!(core.order(id).unwrap().state.is_final());
    assert_eq!(
        submit(&mut core, "second", entry.clone(), &quote),
        Err(Reason::LimitMargin)
    );
    account.margin = Money::from_f64(500.0).unwrap();
    let snapshot = Snapshot {
        account,
        positions: core.book().positions().map(|p| p.row.clone()).collect(),
        orders: vec![],
        last_deal: Ticket(2),
        time: None,
    };
    assert!(core.on_snapshot(snapshot));
    assert_eq!(submit(&mut core, "third", entry, &quote), Ok(()));
}

#[test]
fn a_client_s_limits_count_its_own_and_the_account_s_count_all() {
    let limits = Limits {
        max_lots_total: lots(0.6),
        max_orders_per_minute: Some(1),
        ..Limits::default()
    };
    for (of_client, of_account, expected) in [
        (limits.clone(), Limits::default(), Ok(())),
        (Limits::default(), limits, Err(Reason::LimitLotsTotal)),
    ] {
        let mut core = holding(of_client, of_account, account());
        let mut other = call("b");
        other.client = ClientName::parse("beta").unwrap();
        let outcome = core.submit(other, Ok(scene().entry), Some(&quote()));
        assert_eq!(
            outcome.map(drop).map_err(|refusal| refusal.reason()),
            expected
        );
    }
}
