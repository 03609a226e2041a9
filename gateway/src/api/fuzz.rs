//! What a fuzzer drives: every request message, from its bytes to the checked intent.

use super::{
    decisions, edits,
    page::Page,
    parse::{self, BrokerClock},
    past,
};
use crate::{
    access::{Caller, Client, Permission, Proof, Share},
    market::Instruments,
};
use mymt5_chassis::redact::Redactor;
use mymt5_guard::ScopeLimits;
use mymt5_model::{BrokerTime, BrokerZone, ClientName, RequestId, Symbol};
use mymt5_proto::v1;
use prost::Message;
use std::{collections::BTreeSet, sync::Arc};

/// Reads the bytes after the first as the message that the first one chooses, and judges it as
/// the services do: an intent or a refusal, never a panic.
pub fn request(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else {
        return;
    };
    let Some((instruments, caller)) = stage() else {
        return;
    };
    let zone = BrokerZone::parse("new_york+7").ok();
    let clock = BrokerClock {
        zone: zone.as_ref(),
        now: Some(BrokerTime(1_784_000_000_000)),
    };
    match choice % 12 {
        0 => judge(bytes, |m: &v1::SubmitOrderRequest| {
            name(&m.request_id);
            drop(parse::order(&instruments, &caller, clock, m));
        }),
        1 => judge(bytes, |m: &v1::ClosePositionRequest| drop(parse::exit(m))),
        2 => judge(bytes, |m: &v1::ModifyOrderRequest| {
            drop(edits::order(clock, m));
        }),
        3 => judge(bytes, |m: &v1::ModifyPositionRequest| {
            let _ = edits::position(m);
        }),
        4 => judge(bytes, |m: &v1::ListOrdersRequest| {
            let _ = Page::of(m.page_size, &m.page_token);
        }),
        5 => judge(bytes, |m: &v1::ListDealsRequest| {
            let _ = Page::of(m.page_size, &m.page_token);
        }),
        6 => judge(bytes, |m: &v1::StreamTicksRequest| {
            drop(parse::symbols(&instruments, &caller, &m.symbols));
        }),
        7 => judge(bytes, |m: &v1::SetTradingStateRequest| {
            decision(&m.client, &m.reason);
            let _ = decisions::trading_state(m.state());
        }),
        8 => judge(bytes, |m: &v1::ResolveOrderRequest| {
            decision("", &m.reason);
            let _ = decisions::resolution(m.resolution());
        }),
        9 => judge(bytes, |m: &v1::ListBarsRequest| {
            let _ = past::bars(&instruments, &caller, m);
        }),
        10 => judge(bytes, |m: &v1::ListTicksRequest| {
            let _ = past::ticks(&instruments, &caller, m);
        }),
        _ => judge(bytes, |m: &v1::AdoptRequest| decision(&m.client, &m.reason)),
    }
}

fn judge<M: Message + Default>(bytes: &[u8], judge: impl Fn(&M)) {
    if let Ok(message) = M::decode(bytes) {
        judge(&message);
    }
}

fn decision(client: &str, reason: &str) {
    let _ = (
        decisions::scope(client),
        decisions::why(&Redactor::new(), reason),
    );
}

fn name(id: &str) {
    let _ = RequestId::parse(id);
}

/// One symbol, and a client that may do everything.
pub(super) fn stage() -> Option<(Instruments, Caller)> {
    let symbol = Symbol::parse("EURUSD").ok()?;
    let instruments = Instruments::default();
    instruments.replace(vec![mymt5_simulator::catalogue::spec(&symbol)]);
    let client = Client {
        name: ClientName::parse("fuzz").ok()?,
        proof: Proof::ControlSocket,
        permissions: BTreeSet::from([Permission::Trade, Permission::Control]),
        symbols: None,
        limits: ScopeLimits::default(),
        dead_man: None,
        share: Share::default(),
        enabled: true,
        revoked: tokio_util::sync::CancellationToken::new(),
    };
    Some((instruments, Caller(Arc::new(client))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn double() -> impl Strategy<Value = f64> {
        prop_oneof![any::<f64>(), Just(0.1), Just(1.1), Just(f64::NAN)]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_message_is_judged(
            choice in 0_u8..12, bytes in prop::collection::vec(any::<u8>(), 0..200),
            text in "\\PC{0,40}", number in any::<i32>(), small in 0_i32..6,
            lots in double(), price in prop::option::of(double()),
        ) {
            request(&[&[choice], bytes.as_slice()].concat());
            for (side, r#type) in [(number, number), (small, small), (1, 1)] {
                let order = v1::SubmitOrderRequest {
                    request_id: text.clone(),
                    symbol: "EURUSD".into(),
                    side,
                    r#type,
                    lots,
                    price,
                    stop_loss: price,
                    time_in_force: Some(small),
                    tag: text.clone(),
                    comment: text.clone(),
                    ..Default::default()
                };
                request(&[&[0], order.encode_to_vec().as_slice()].concat());
            }
        }
    }

    #[test]
    fn the_stage_lets_a_plain_order_through() {
        let (instruments, caller) = stage().unwrap();
        let order = v1::SubmitOrderRequest {
            symbol: "EURUSD".into(),
            side: 1,
            r#type: 1,
            lots: 0.1,
            ..Default::default()
        };
        let clock = BrokerClock::default();
        assert!(parse::order(&instruments, &caller, clock, &order).is_ok());
    }
}
