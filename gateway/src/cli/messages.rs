//! What a start that fails tells an operator: a sample of each error.
#![allow(clippy::unwrap_used)]

use super::{doctor, export, opened::OpenError, operator::Refused};
use crate::{
    audit::{AuditError, VerifyError},
    broker::KeptError,
    journal::JournalError,
};
use mymt5_chassis::{every_variant, testing::messages::Messages};
use mymt5_proto::{Reason, Refusal};
use mymt5_simulator::{RestoreError, SetupError};
use std::{
    io,
    path::{Path, PathBuf},
};
use tonic::Status;

const PATH: &str = "/srv/data/file";

#[test]
fn every_error_names_its_subject_and_what_to_do() {
    let mut messages = Messages::default();
    of_the_folder(&mut messages);
    of_the_journal(&mut messages);
    of_refusals(&mut messages);
    of_the_trail(&mut messages);
    messages.config_error(&export::without_zone(), Path::new(PATH));
    for finding in doctor::messages::samples() {
        messages.text(finding.check, &finding.to_string());
    }
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    messages.contexts(&sources).unwrap();
    messages.judge(&sources).unwrap();
}

fn path() -> PathBuf {
    PATH.into()
}

fn denied() -> io::Error {
    io::ErrorKind::PermissionDenied.into()
}

fn of_the_folder(messages: &mut Messages) {
    for error in every_variant!(OpenError:
        OpenError::OldSocket(..) => OpenError::OldSocket(path(), denied()),
        OpenError::Socket(..) => OpenError::Socket(path(), denied()),
        OpenError::OldReplay(..) => OpenError::OldReplay(path(), denied()),
    ) {
        messages.error(PATH, &error);
    }
    let symbol = mymt5_model::Symbol::parse("EURUSD").unwrap();
    let setup = SetupError::Duplicate { symbol };
    let restore = RestoreError::Format { found: 9 };
    for error in every_variant!(KeptError:
        KeptError::Setup(_) => KeptError::Setup(setup),
        KeptError::Restore(..) => KeptError::Restore(restore, path()),
        KeptError::Earlier(_) => KeptError::Earlier(path()),
        KeptError::Unreadable(..) => KeptError::Unreadable(denied().into(), path()),
    ) {
        let subject = match &error {
            KeptError::Setup(_) => "broker.simulator",
            _ => PATH,
        };
        messages.error(subject, &error);
    }
}

fn of_the_journal(messages: &mut Messages) {
    let sql = || rusqlite::Error::InvalidQuery;
    let json = serde_json::from_str::<u8>("").unwrap_err();
    for error in every_variant!(JournalError:
        JournalError::Open(..) => JournalError::Open(path(), sql()),
        JournalError::Foreign(_) => JournalError::Foreign(path()),
        JournalError::Newer => JournalError::Newer,
        JournalError::Older => JournalError::Older,
        JournalError::OtherAccount { .. } => JournalError::OtherAccount { kept: "demo, ****4321".into() },
        JournalError::Damaged { .. } => JournalError::Damaged { what: "orders, row 7".into() },
        JournalError::RolledBack { .. } => JournalError::RolledBack { found: 7, seen: 9 },
        JournalError::Unrelated => JournalError::Unrelated,
        JournalError::Lost(_) => JournalError::Lost(path()),
        JournalError::SlotsUsedUp => JournalError::SlotsUsedUp,
        JournalError::Read(_) => JournalError::Read(sql()),
        JournalError::Write(_) => JournalError::Write(sql()),
        JournalError::Unbound => JournalError::Unbound,
        JournalError::Encode(_) => JournalError::Encode(json),
        JournalError::File(_) => JournalError::File(denied()),
        JournalError::Gone => JournalError::Gone,
    ) {
        let subject = match &error {
            JournalError::Open(..) | JournalError::Foreign(_) | JournalError::Lost(_) => PATH,
            // Faults of the program: nothing that an operator can do.
            JournalError::Unbound | JournalError::Encode(_) | JournalError::Gone => continue,
            _ => "journal",
        };
        messages.error(subject, &error);
    }
}

fn of_refusals(messages: &mut Messages) {
    for reason in Reason::ALL {
        let refused = Refused::from(Status::from(Refusal::new(*reason)));
        messages.error(reason.name(), &refused);
    }
}

fn of_the_trail(messages: &mut Messages) {
    let opened = AuditError {
        path: path(),
        source: denied(),
    };
    messages.error(PATH, &opened);
    for error in every_variant!(VerifyError:
        VerifyError::Nothing(_) => VerifyError::Nothing(path()),
        VerifyError::Read { .. } => VerifyError::Read { path: path(), source: denied() },
        VerifyError::Head { .. } => VerifyError::Head { path: path(), source: denied() },
    ) {
        messages.error(PATH, &error);
    }
}
