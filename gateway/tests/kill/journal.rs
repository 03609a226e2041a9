//! The gateway's own journal, with points before and after each commit; or one that is wrong on
//! purpose.

use crate::{
    points::{Mutant, Point, Trap},
    scene::Scene,
};
use mymt5_gateway::journal::{Journal, JournalError, Sqlite};
use mymt5_orders::Record;
use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

pub(crate) struct Journaled<J> {
    journal: J,
    trap: Arc<Trap>,
}

impl Journaled<Sqlite> {
    pub(crate) fn wrap(journal: Sqlite, trap: Arc<Trap>, scene: &Scene) -> Box<dyn Journal> {
        match scene.mutant {
            Some(Mutant::Forgets) => Box::new(Forgetful),
            Some(Mutant::ForgetsStates) => Box::new(Stateless(Self { journal, trap })),
            Some(Mutant::SendsBeforeCommit) => Box::new(Lagging::behind(journal, scene.delay())),
            Some(Mutant::Resends | Mutant::Unruled) | None => Box::new(Self { journal, trap }),
        }
    }
}

impl<J: Journal> Journal for Journaled<J> {
    fn commit(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        self.trap.pass(Point::BeforeCommit);
        self.journal.commit(batch)?;
        self.trap.pass(Point::AfterCommit);
        Ok(())
    }
}

/// Says that everything is durable and keeps nothing.
struct Forgetful;

impl Journal for Forgetful {
    fn commit(&mut self, _: &[Record]) -> Result<(), JournalError> {
        Ok(())
    }
}

/// Says that everything is durable and keeps no trading state.
struct Stateless<J>(J);

impl<J: Journal> Journal for Stateless<J> {
    fn commit(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        let kept = batch.iter();
        let kept = kept.filter(|record| !matches!(record, Record::State(_)));
        self.0.commit(&kept.cloned().collect::<Vec<Record>>())
    }
}

/// Says that a batch is durable some time before it is.
struct Lagging(mpsc::Sender<Vec<Record>>);

impl Lagging {
    fn behind(mut journal: Sqlite, lag: Duration) -> Self {
        let (later, batches) = mpsc::channel::<Vec<Record>>();
        thread::spawn(move || {
            for batch in batches {
                thread::sleep(lag);
                journal.commit(&batch).unwrap();
            }
        });
        Self(later)
    }
}

impl Journal for Lagging {
    fn commit(&mut self, batch: &[Record]) -> Result<(), JournalError> {
        self.0.send(batch.to_vec()).map_err(|_| JournalError::Gone)
    }
}
