//! What the broker closed: nothing is opened there until something moves, and exits go.

use super::support::{call, core, entry, exit, quote, sent, spec};
use crate::{Core, broker::SendFailure, testing::deal};
use mymt5_model::Reason;
use mymt5_model::{BrokerTime, Entry, PositionId, Retcode, Side, Tick, UtcTime};

/// A position of 0.1 lots, and then an entry that the broker refuses like that.
fn refused(retcode: u32) -> Core {
    let mut core = core();
    let (_, magic) = sent(&mut core, "held", 0.1);
    let mut fill = deal(1, 1, Side::Buy, Entry::In, 10_000_000, 110_010);
    fill.magic = magic;
    core.on_deal(fill);
    let (id, _) = sent(&mut core, "refused", 0.1);
    core.on_sent(id, Err(SendFailure::Rejected(Retcode(retcode))));
    core
}

fn tried(core: &mut Core, id: &str, quote: &Tick) -> Option<Reason> {
    let taken = core.submit(call(id), Ok(entry(0.1)), Some(quote));
    taken.err().map(|refusal| refusal.reason())
}

fn later() -> Tick {
    Tick {
        time: BrokerTime(quote().time.0 + 1),
        ..quote()
    }
}

#[test]
fn a_closed_symbol_opens_with_its_next_tick_or_another_specification() {
    for retcode in [10_017, 10_018, 10_042, 10_043, 10_044] {
        let mut core = refused(retcode);
        assert_eq!(tried(&mut core, "a", &quote()), Some(Reason::MarketClosed));
        assert!(core.closed().is_empty(), "others trade on");
        let exit = core.close(call("exit"), Ok(exit(None)), |_| Some(spec()));
        assert!(exit.is_ok(), "{exit:?}");
        assert_eq!(tried(&mut core, "b", &later()), None);
        let mut core = refused(retcode);
        core.reopen(&spec().symbol);
        assert_eq!(tried(&mut core, "c", &quote()), None);
    }
    let mut core = refused(10_019);
    assert_eq!(tried(&mut core, "a", &quote()), None);
}

#[test]
fn a_closed_account_is_left_alone_for_a_while() {
    for retcode in [10_026, 10_027] {
        let mut core = refused(retcode);
        assert_eq!(core.closed(), [Reason::TradeNotAllowed]);
        assert!(core.book().position(PositionId(1)).is_some());
        let exit = core.close(call("exit"), Ok(exit(None)), |_| Some(spec()));
        assert!(exit.is_ok(), "{exit:?}");
        core.at(UtcTime(core.now().0 + 60_000));
        assert!(core.closed().is_empty());
    }
}
