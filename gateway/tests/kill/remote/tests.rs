//! What the adapter makes of a broker that goes away: before a send, and after it.

use super::Remote;
use crate::wire::{self, Answer, Ask, Question, Said};
use mymt5_gateway::broker::{Broker, Dispatch, SendFailure};
use mymt5_model::{Receipt, Retcode, Symbol, Ticket, TradeRequest};
use std::{
    io::{BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

fn request() -> TradeRequest {
    TradeRequest::Cancel {
        order: Ticket(7),
        symbol: Symbol::parse("EURUSD").unwrap(),
    }
}
const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(20);

/// A peer that answers everything but sends; those as told. It ends with the first send.
fn peer(path: &Path, on_send: fn(&mut UnixStream, u64) -> bool) -> JoinHandle<Option<UnixStream>> {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(Question { id, ask }) = wire::read(&mut reader).unwrap() {
            if matches!(ask, Ask::Send(_)) {
                return on_send(&mut stream, id).then_some(stream);
            }
            let done = wire::line(&Said::Answer(id, Answer::Done));
            stream.write_all(&done).unwrap();
        }
        None
    })
}

fn answer(stream: &mut UnixStream, id: u64, retcode: Retcode) -> bool {
    let receipt = Answer::Receipt(Receipt::bare(retcode));
    let line = wire::line(&Said::Answer(id, receipt));
    stream.write_all(&line).is_ok()
}

fn dispatch() -> Dispatch {
    Dispatch {
        before: Instant::now() + LONG,
        trace_id: String::new(),
    }
}

async fn sent(
    timeout: Duration,
    on_send: fn(&mut UnixStream, u64) -> bool,
) -> Result<Receipt, SendFailure> {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("socket");
    let peer = peer(&path, on_send);
    let remote = Remote::at(path, timeout);
    let _events = remote.open().await.unwrap();
    let outcome = remote.send(&request(), &dispatch()).await;
    drop(peer.join().unwrap());
    outcome
}

#[tokio::test]
async fn what_never_left_is_not_sent() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("socket");
    let remote = Remote::at(path.clone(), LONG);
    let never = remote.send(&request(), &dispatch()).await;
    assert!(matches!(never, Err(SendFailure::NotSent(_))), "{never:?}");
    let peer = peer(&path, |_, _| false);
    let mut events = remote.open().await.unwrap();
    let lost = remote.send(&request(), &dispatch()).await;
    assert_eq!(lost, Err(SendFailure::Unknown("the link broke".into())));
    assert!(peer.join().unwrap().is_none());
    assert!(events.changes.recv().await.is_none(), "the link ends");
    let after = remote.send(&request(), &dispatch()).await;
    assert!(matches!(after, Err(SendFailure::NotSent(_))), "{after:?}");
}

#[tokio::test]
async fn no_answer_in_time_is_unknown() {
    let silent = sent(SHORT, |_, _| true).await;
    assert!(matches!(silent, Err(SendFailure::Unknown(_))), "{silent:?}");
}

#[tokio::test]
async fn answers_are_judged() {
    let done = sent(LONG, |stream, id| answer(stream, id, Retcode::DONE)).await;
    assert_eq!(done.map(|receipt| receipt.retcode), Ok(Retcode::DONE));
    let refused = sent(LONG, |stream, id| answer(stream, id, Retcode::NO_MONEY)).await;
    assert_eq!(refused, Err(SendFailure::Rejected(Retcode::NO_MONEY)));
    let nothing = sent(LONG, |stream, id| answer(stream, id, Retcode::TIMEOUT)).await;
    assert!(matches!(nothing, Err(SendFailure::Unknown(_))));
}
