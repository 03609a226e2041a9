//! What a fuzzer drives: whatever comes from a bridge, from the bytes of its connection to the
//! domain's rows.

use super::{
    bars,
    handshake::shake,
    past_ticks,
    rows::{self, Context, TerminalRow},
    symbol_map::SymbolMap,
    ticks,
    wire::{
        self, Answer, Fields, Incoming, RowsPush, TicksPush,
        frame::{self, ANSWER_LIMIT},
    },
};
use mymt5_chassis::secrets::Secret;
use mymt5_model::Symbol;
use mymt5_orders::RowKind;
use serde_json::value::RawValue;
use tokio::{
    io::{join, sink},
    runtime::Builder,
};

/// Reads the bytes as a connection's, which must not prove the secret; as the frames of a session;
/// and as the body of one frame, since lengths are hard to hit. No panic, and no row is lost.
pub fn bridge(bytes: &[u8]) {
    let Some(context) = context() else {
        return;
    };
    let Ok(runtime) = Builder::new_current_thread().build() else {
        return;
    };
    let secret = Secret::new("fuzz-".repeat(8));
    let shaken = runtime.block_on(shake(&mut join(bytes, sink()), &secret));
    assert!(shaken.is_err(), "a stranger proved the secret");
    let mut rest = bytes;
    while let Ok(body) = runtime.block_on(frame::read(&mut rest, ANSWER_LIMIT)) {
        read(&body, &context);
    }
    read(bytes, &context);
}

/// One symbol under a name of the broker's own.
fn context() -> Option<Context> {
    let symbol = Symbol::parse("EURUSD").ok()?;
    Some(Context {
        digits: [(symbol.clone(), 5)].into(),
        symbol_map: SymbolMap::new([(symbol, "EURUSD.m".to_owned())].into())?,
        money: 2,
    })
}

fn read(body: &[u8], context: &Context) {
    match wire::incoming(body) {
        Ok(Incoming::Answer(_, Answer::Ok(value) | Answer::Checked(value))) => {
            answer(&value, context);
        }
        Ok(Incoming::Rows(RowsPush::Rows(raw))) => pushed_rows(&raw, context),
        Ok(Incoming::Ticks(push)) => pushed_ticks(&push, context),
        Ok(Incoming::Answer(..) | Incoming::Rows(RowsPush::None(_))) | Err(_) => {}
    }
}

/// A value is read as whatever may have been asked for.
fn answer(value: &RawValue, context: &Context) {
    let _ = wire::answer(value);
    let _ = rows::receipt(value);
    drop(rows::early_deals(value, context));
    for symbol in context.digits.keys() {
        let _ = rows::symbol(value, symbol);
        let _ = rows::basics(value);
        let _ = bars::parse(value, symbol, 5);
        if let Ok(rows) = past_ticks::parse(value) {
            drop(ticks::of_rows(&rows, symbol, 5));
        }
    }
    pushed_rows(value, context);
    if let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(value.get()) {
        listed(&list, context);
    }
}

fn pushed_rows(raw: &RawValue, context: &Context) {
    let Ok(fields) = Fields::of("rows", raw) else {
        return;
    };
    if let (Ok(account), Ok(terminal)) = (fields.raw("account"), fields.raw("terminal")) {
        let _ = rows::call_level(account);
        let _ = TerminalRow::read(terminal).and_then(|terminal| rows::account(account, terminal));
    }
    for field in ["orders", "positions", "deals"] {
        listed(&fields.rows(field).unwrap_or_default(), context);
    }
}

fn listed(list: &[&RawValue], context: &Context) {
    let orders = rows::all(list, RowKind::Order, context, rows::order);
    let positions = rows::all(list, RowKind::Position, context, rows::position);
    let deals = rows::all(list, RowKind::Deal, context, rows::deal);
    for (read, unreadable) in [
        (orders.rows.len(), orders.unreadable.len()),
        (positions.rows.len(), positions.unreadable.len()),
        (deals.rows.len(), deals.unreadable.len()),
    ] {
        assert_eq!(read + unreadable, list.len(), "a row is lost");
    }
}

fn pushed_ticks(push: &TicksPush, context: &Context) {
    for symbol in context.digits.keys() {
        let (ticks, quoteless) = ticks::batch(push, symbol, 5);
        let told = ticks.len() as u64 + quoteless;
        assert_eq!(told, push.rows.len() as u64, "a tick is lost");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const PIECE: &str = r#"(\{|\}|\[|\]|,|:|"|\\|-?[0-9]{1,20}|1\.[0-9]{1,9}|1e[0-9]{1,3}|null|true|"role":"bridge"|"id":1|"ok":|"none":|"refused":"x"|"check":|"push":"ticks"|"push":"rows"|"symbol":"EURUSD\.m"|"rows":|"at":\[1,1\]|"orders":|"deals":|"ticket":|"time_msc":|"type":|"volume":|é){0,40}"#;

    fn frame_of(body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap();
        [length.to_be_bytes().as_slice(), body].concat()
    }

    fn number() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            (-3_i64..20).prop_map(Value::from),
            Just(Value::Null),
            Just(json!("EURUSD.m")),
        ]
    }

    /// A row with the names that rows have, and any numbers.
    fn row() -> impl Strategy<Value = Value> {
        prop::collection::vec(number(), 12).prop_map(|numbers| {
            let names = [
                "ticket",
                "time_msc",
                "time_setup_msc",
                "type",
                "entry",
                "reason",
                "volume",
                "price",
                "price_open",
                "magic",
                "digits",
                "retcode",
            ];
            let mut row = json!({
                "symbol": "EURUSD.m", "order": 7, "position_id": 8, "identifier": 8, "state": 1,
                "commission": 0.0, "swap": 0.0, "profit": 0.0, "fee": 0.0, "sl": 0.0, "tp": 0.0,
                "comment": "", "time_done_msc": 0, "time_expiration": 0, "type_time": 0,
                "type_filling": 2, "position_by_id": 0, "volume_initial": 0.1,
                "volume_current": 0.1, "price_stoplimit": 0.0,
            });
            for (name, number) in names.into_iter().zip(numbers) {
                row[name] = number;
            }
            row
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_of_a_bridge_are_read(
            bytes in prop::collection::vec(any::<u8>(), 0..200), text in PIECE,
            rows in prop::collection::vec(row(), 0..4), tick in prop::collection::vec(number(), 7),
        ) {
            bridge(&bytes);
            bridge(text.as_bytes());
            let role = "bridge";
            for body in [
                format!(r#"{{"role":"bridge",{text}}}"#),
                format!(r#"{{"role":"bridge","id":1,"ok":{text}}}"#),
                json!({ "role": role, "id": 1, "ok": &rows }).to_string(),
                json!({ "role": role, "id": 1, "ok": rows.first() }).to_string(),
                json!({ "role": role, "push": "rows", "orders": &rows, "positions": &rows, "deals": &rows }).to_string(),
                json!({ "role": role, "push": "ticks", "symbol": "EURUSD.m", "rows": [tick], "at": [1, 1] }).to_string(),
            ] {
                bridge(body.as_bytes());
                bridge(&[frame_of(body.as_bytes()), bytes.clone()].concat());
            }
        }
    }

    /// What a good bridge sends reaches the rows: otherwise nothing would be fuzzed.
    #[test]
    fn whole_frames_are_read_to_their_rows() {
        let context = context().unwrap();
        let account = rows::tests::raw_account();
        let terminal =
            json!({ "connected": true, "trade_allowed": true, "tradeapi_disabled": false });
        let push = json!({
            "role": "bridge", "push": "rows", "account": account, "terminal": terminal,
            "orders": [{}], "positions": [], "deals": [],
        });
        let body = push.to_string();
        let Ok(Incoming::Rows(RowsPush::Rows(raw))) = wire::incoming(body.as_bytes()) else {
            panic!("rows are none");
        };
        let fields = Fields::of("rows", &raw).unwrap();
        assert_eq!(fields.rows("orders").unwrap().len(), 1);
        pushed_rows(&raw, &context);
        bridge(&[frame_of(body.as_bytes()), frame_of(body.as_bytes())].concat());
    }
}
