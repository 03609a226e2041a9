//! What must be durable before it leaves: an order, unless nothing comes of it when it is forgotten.

use super::wire::Request;
use crate::{intents::Intents, trader::Intent};
use mymt5_chassis::clock;

/// Why an intent does not leave: it could not be made durable.
pub(super) const NOT_DURABLE: &str = "NOT_DURABLE";

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
    let recorded = intents.record(
        intent.request_id().as_str(),
        request.method(),
        &request.encode(),
        (clock::utc_now_ms(), not_after_ms),
    );
    recorded.is_ok() || intent.may_be_forgotten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        strategy::At,
        trader::{Close, Move, Submit},
    };
    use mymt5_model::{Levels, LevelsEdit, Lots, PositionId, RequestId, Side, Symbol};

    fn id(text: &str) -> RequestId {
        RequestId::parse(text).unwrap()
    }

    fn close(request_id: &str, lots: Option<Lots>) -> Intent {
        Intent::Close(Close {
            request_id: id(request_id),
            position_id: PositionId(7),
            lots,
            tag: "jumps".into(),
        })
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
