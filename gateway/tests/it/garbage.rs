//! Nonsense in every request message: no panic, no change.

use crate::harness::Gateway;
use bytes::{Buf, BufMut};
use mymt5_gateway::access::CALLS;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use tonic::{
    Request, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// Sends bytes as they are and takes any answer.
#[derive(Clone, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        Self
    }
    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;
    fn encode(&mut self, item: Vec<u8>, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = ();
    type Error = Status;
    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        source.advance(source.remaining());
        Ok(Some(()))
    }
}

/// Fields with the tags of real messages and values of any kind: most of it decodes.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let text =
        prop_oneof!["[a-zA-Z0-9_-]{1,12}", Just("EURUSD".to_owned()), ".{0,80}"].prop_map(|text| {
            let mut bytes = vec![u8::try_from(text.len().min(120)).unwrap()];
            bytes.extend(text.bytes().take(120));
            (2, bytes)
        });
    let number = (0u8..120).prop_map(|number| (0, vec![number]));
    let double = prop_oneof![any::<f64>(), Just(0.1), Just(f64::NAN), Just(-1.0)]
        .prop_map(|v| (1, v.to_le_bytes().to_vec()));
    let field = (1u8..15, prop_oneof![text, number, double]).prop_map(|(tag, (kind, bytes))| {
        let mut field = vec![tag << 3 | kind];
        field.extend(bytes);
        field
    });
    let structured = prop::collection::vec(field, 0..10).prop_map(|fields| fields.concat());
    prop_oneof![3 => structured, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

#[tokio::test]
async fn nonsense_panics_nothing_and_changes_nothing() {
    const CASES: usize = 40;
    let gateway = Gateway::start("").await;
    gateway.quoted("EURUSD").await;
    let mut runner = TestRunner::deterministic();
    let mut grpc = tonic::client::Grpc::new(gateway.channel(Some("all")).await);
    let endless = ["/Stream", "/Watch", "Reflection"];
    let streams = |path: &str| endless.iter().any(|part| path.contains(part));
    for (path, _) in CALLS.iter().filter(|(path, _)| !streams(path)) {
        for _ in 0..CASES {
            let bytes = message().new_tree(&mut runner).unwrap().current();
            grpc.ready().await.unwrap();
            let answer = grpc
                .unary(Request::new(bytes.clone()), path.parse().unwrap(), Raw)
                .await;
            if let Err(status) = answer {
                assert!(
                    mymt5_proto::reason_of(&status).is_some(),
                    "{path} {bytes:?}: {status:?}"
                );
            }
        }
    }
    let counters = gateway.status().await.counters.unwrap();
    assert_eq!((counters.orders, counters.fills), (0, 0));
    assert!(
        !gateway.stderr().contains("panicked"),
        "{}",
        gateway.stderr()
    );
}
