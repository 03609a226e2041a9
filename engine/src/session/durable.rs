//! What must be durable before it leaves: an order, unless nothing comes of it when it is forgotten. And what
//! stays so until it is done: the close of a position of which a rest is left.

use super::wire::Request;
use crate::{
    intents::Intents,
    trader::{Event, Intent},
};
use mymt5_chassis::clock;

/// Why an intent does not leave: it could not be made durable.
pub(super) const NOT_DURABLE: &str = "NOT_DURABLE";
/// As which a close is recorded that an exit of all begins or goes on with.
pub(super) const EXITS: &str = "ClosePosition, exit";

/// Makes an order durable. False: that failed, and it must not be sent.
pub(super) fn may_leave(
    intents: &mut Intents,
    intent: &Intent,
    request: &Request,
    not_after_ms: i64,
) -> bool {
    if !intent.is_order() {
        return true;
    }
    let method = match intent {
        Intent::Close(close) if close.exits => EXITS,
        _ => request.method(),
    };
    let recorded = intents.record(
        intent.request_id().as_str(),
        method,
        &request.encode(),
        (clock::utc_now_ms(), not_after_ms),
    );
    if let Intent::Close(close) = intent
        && close.lots.is_none()
        && recorded.is_ok()
    {
        intents.end_rests(close.position_id);
    }
    recorded.is_ok() || intent.may_be_forgotten()
}

/// Of a position that is gone nothing is left to be closed.
pub(super) fn note_gone(intents: &mut Intents, event: &Event) {
    if let Event::PositionClosed(position_id, _) = event {
        intents.end_rests(*position_id);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        intents::Record,
        session::testing::close,
        strategy::At,
        trader::{Close, Move, Submit},
    };
    use mymt5_model::{Levels, LevelsEdit, Lots, PositionId, RequestId, Side, Symbol};

    fn id(text: &str) -> RequestId {
        RequestId::parse(text).unwrap()
    }

    #[test]
    fn a_rest_is_over_once_its_close_is_recorded_or_its_position_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut intents = Intents::open(&folder.path().join("intents.db")).unwrap();
        let lots = Lots::from_f64(0.1).unwrap();
        let (part, whole) = (close("part", Some(lots)), close("whole", None));
        let leave = |intents: &mut Intents, intent: &Intent| {
            let request = Request::of(intent, "process", 17);
            assert!(may_leave(intents, intent, &request, 17));
        };
        let gone = |id: u64| Event::PositionClosed(PositionId(id), None);
        type Told<'a> = &'a dyn Fn(&mut Intents);
        let steps: [(Told<'_>, bool); 5] = [
            (&|intents| leave(intents, &part), false),
            (&|intents| note_gone(intents, &gone(8)), false),
            (&|intents| leave(intents, &whole), true),
            (&|intents| leave(intents, &whole), false),
            (&|intents| note_gone(intents, &gone(7)), true),
        ];
        for (at, (tell, ends)) in steps.into_iter().enumerate() {
            let old = format!("old-{at}");
            intents.record(&old, "ClosePosition", b"", (1, 7)).unwrap();
            intents.settle_after(PositionId(7), &old, "CANCELED");
            tell(&mut intents);
            let is_settled = intents.record_of(&old).unwrap() == Record::Settled;
            assert_eq!(is_settled, ends, "{at}");
        }
    }

    #[test]
    fn a_close_of_an_exit_is_recorded_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let mut intents = Intents::open(&folder.path().join("intents.db")).unwrap();
        let Intent::Close(exit) = close("exit", None) else {
            panic!("a close is one")
        };
        let exit = Intent::Close(Close {
            exits: true,
            ..exit
        });
        for intent in [exit, close("one", None)] {
            let request = Request::of(&intent, "process", 17);
            assert!(may_leave(&mut intents, &intent, &request, 17));
        }
        let unsettled = intents.unsettled().unwrap().into_iter();
        let methods: Vec<String> = unsettled.map(|intent| intent.method).collect();
        assert_eq!(methods, [EXITS, "ClosePosition"]);
    }

    #[test]
    fn where_nothing_can_be_written_only_what_opens_nothing_leaves() {
        let lots = Lots::from_f64(0.1).unwrap();
        let submit = Intent::Submit(Submit {
            request_id: id("entry"),
            symbol: Symbol::parse("EURUSD").unwrap(),
            side: Side::Buy,
            at: At::Market,
            lots,
            levels: Levels::default(),
            tag: "jumps".into(),
        });
        let change = Intent::Move(Move {
            request_id: id("move"),
            position_id: PositionId(7),
            levels: LevelsEdit::default(),
        });
        let all = [
            (submit, false),
            (close("part", Some(lots)), false),
            (close("exit", None), true),
            (change, true),
        ];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("intents.db");
        let mut intents = Intents::open(&path).unwrap();
        let other = rusqlite::Connection::open(&path).unwrap();
        let full = "CREATE TRIGGER no_room BEFORE INSERT ON intents
            BEGIN SELECT RAISE(FAIL, 'no room'); END";
        other.execute_batch(full).unwrap();
        let mut leaves = |intent: &Intent| {
            let request = Request::of(intent, "process", 17);
            may_leave(&mut intents, intent, &request, 17)
        };
        for (intent, expected) in &all {
            assert_eq!(leaves(intent), *expected, "{intent:?}");
        }
        other.execute_batch("DROP TRIGGER no_room").unwrap();
        for (intent, _) in &all {
            assert!(leaves(intent), "{intent:?}");
        }
    }
}
