//! One connection to the stand-in: questions answered in their order, sends treated by the plan.

use super::{Fault, desk::Desk};
use crate::{
    role::die,
    scene::Scene,
    wire::{self, Answer, Ask, Question, Said},
};
use mymt5_model::{Receipt, Retcode, TradeRequest};
use std::{
    io::{BufReader, Write},
    os::unix::net::UnixStream,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// Who reads nothing for so long is given up.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The way back to a peer.
#[derive(Clone)]
pub(super) struct Writer(Arc<Mutex<UnixStream>>);

impl Writer {
    /// False: the peer is gone.
    pub(super) fn say(&self, said: &Said) -> bool {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stream.write_all(&wire::line(said)).is_ok()
    }
}

pub(super) fn serve(stream: UnixStream, desk: &Arc<Mutex<Desk>>, scene: &Scene) {
    stream.set_write_timeout(Some(TIMEOUT)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let session = Session {
        desk,
        scene,
        writer: Writer(Arc::new(Mutex::new(stream))),
    };
    while let Ok(Some(Question { id, ask })) = wire::read(&mut reader) {
        if let Some(answer) = session.answer(id, ask)
            && !session.writer.say(&Said::Answer(id, answer))
        {
            return;
        }
    }
}

struct Session<'a> {
    desk: &'a Arc<Mutex<Desk>>,
    scene: &'a Scene,
    writer: Writer,
}

impl Session<'_> {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to give now; none: later or never.
    fn answer(&self, id: u64, ask: Ask) -> Option<Answer> {
        let mut desk = self.desk();
        Some(match ask {
            Ask::Open => {
                desk.listeners.push(self.writer.clone());
                Answer::Done
            }
            Ask::Ping => Answer::Done,
            Ask::Identify => Answer::Account(desk.simulator.account()),
            Ask::Symbols => Answer::Symbols(desk.simulator.symbols()),
            Ask::Snapshot => Answer::Snapshot(desk.rows()),
            Ask::History(from, to) => {
                let (orders, deals) = desk.simulator.history(from, to);
                Answer::History(orders, deals)
            }
            Ask::Send(request) => return self.send(desk, id, request).map(Answer::Receipt),
        })
    }

    fn send(
        &self,
        mut desk: MutexGuard<'_, Desk>,
        id: u64,
        request: TradeRequest,
    ) -> Option<Receipt> {
        let (send, fault) = desk.receive(&request);
        match fault {
            Fault::Execute => return Some(desk.execute(&request)),
            Fault::Refuse(code) => return Some(refusal(Retcode(code))),
            Fault::Lose => {}
            Fault::Silence => {
                desk.execute(&request);
            }
            Fault::Delay => {
                let receipt = desk.execute(&request);
                let (writer, delay) = (self.writer.clone(), self.scene.delay());
                thread::spawn(move || {
                    thread::sleep(delay);
                    writer.say(&Said::Answer(id, Answer::Receipt(receipt)))
                });
            }
            Fault::Late => desk.hold(send, request),
            Fault::DieBefore => die(),
            Fault::DieAfter => {
                desk.listeners.clear();
                desk.execute(&request);
                die()
            }
        }
        None
    }
}

fn refusal(retcode: Retcode) -> Receipt {
    Receipt::bare(retcode)
}
