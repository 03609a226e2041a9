//! What the stand-in's own death must not undo.

use super::{Fault, Menu, calm, desk::Desk, feed};
use crate::{
    ledger::{self, BY_HAND, Line},
    scene::{self, LOTS_MAX, Scene},
};
use mymt5_model::{
    AccountMode, BrokerTime, Comment, Levels, Magic, Retcode, Side, Symbol, TradeRequest,
};
use std::path::Path;
use tempfile::TempDir;

fn scene(menu: Menu) -> Scene {
    Scene {
        seed: 1,
        factor: 1.0,
        mode: AccountMode::Hedging,
        menu,
        mutant: None,
        by_hand: false,
        api: ([127, 0, 0, 1], 1).into(),
        bridge: None,
    }
}

fn buy() -> TradeRequest {
    TradeRequest::Market {
        symbol: Symbol::parse("EURUSD").unwrap(),
        side: Side::Buy,
        lots: LOTS_MAX,
        levels: Levels::default(),
        max_deviation_points: None,
        magic: Magic::from_raw(9),
        comment: Comment::fitting("a-1"),
    }
}

/// A desk whose clock stands there.
fn desk(folder: &Path, scene: &Scene, ms: i64) -> Desk {
    let mut desk = Desk::open(folder, scene);
    for tick in feed::ticks(0, BrokerTime(ms)) {
        desk.on_tick(&tick);
    }
    desk
}

#[test]
fn a_restarted_desk_goes_on_where_it_was() {
    let (folder, scene) = (TempDir::new().unwrap(), scene(Menu::everything()));
    let mut first = desk(folder.path(), &scene, 1);
    let plan: Vec<_> = (0..20).map(|send| scene.menu.fault(1, send)).collect();
    assert_eq!(first.receive(&buy()), (0, plan[0]));
    assert_eq!(first.execute(&buy()).retcode, Retcode::DONE);
    drop(first);
    let mut second = desk(folder.path(), &scene, 2);
    assert_eq!(second.simulator.positions().len(), 1);
    assert_eq!(second.receive(&buy()), (1, plan[1]));
    assert!(second.execute(&buy()).order > Some(second.simulator.positions()[0].ticket));
    let written = ledger::read(&scene::ledger(folder.path())).unwrap();
    let count = |wanted: fn(&Line) -> bool| written.iter().filter(|line| wanted(line)).count();
    assert_eq!(count(|line| matches!(line, Line::Order { .. })), 2);
    assert_eq!(count(|line| matches!(line, Line::Deal { .. })), 2);
    assert_eq!(count(|line| matches!(line, Line::Ended { .. })), 2);
}

#[test]
fn what_is_held_back_is_done_later_and_once_also_after_a_death() {
    let (folder, scene) = (TempDir::new().unwrap(), scene(Menu::only(&[Fault::Late])));
    let late = i64::try_from(scene.late().as_millis()).unwrap();
    let mut first = desk(folder.path(), &scene, 1);
    let (send, fault) = first.receive(&buy());
    assert_eq!(fault, Fault::Late);
    first.hold(send, buy());
    drop(first);
    let second = desk(folder.path(), &scene, late);
    assert_eq!(second.simulator.positions().len(), 0);
    drop(second);
    for ms in [late + 1, late + 2] {
        let third = desk(folder.path(), &scene, ms);
        assert_eq!(third.simulator.positions().len(), 1);
    }
    let written = ledger::read(&scene::ledger(folder.path())).unwrap();
    assert_eq!(written.last(), Some(&Line::Released { send }));
}

#[test]
fn a_calm_desk_does_no_harm() {
    let (folder, scene) = (TempDir::new().unwrap(), scene(Menu::only(&[Fault::Lose])));
    let mut desk = desk(folder.path(), &scene, 1);
    assert_eq!(desk.receive(&buy()).1, Fault::Lose);
    calm(folder.path());
    assert_eq!(desk.receive(&buy()).1, Fault::Execute);
}

#[test]
fn what_is_done_by_hand_begins_with_the_sends_and_ends_with_the_calm() {
    let folder = TempDir::new().unwrap();
    let scene = Scene {
        by_hand: true,
        ..scene(Menu::CALM)
    };
    let mut desk = desk(folder.path(), &scene, 1);
    let held = |desk: &mut Desk| {
        desk.act_by_hand();
        desk.simulator.positions().len()
    };
    assert_eq!(held(&mut desk), 0);
    desk.receive(&buy());
    assert_eq!([held(&mut desk), held(&mut desk)], [1, 0]);
    calm(folder.path());
    assert_eq!(held(&mut desk), 0);
    let written = ledger::read(&scene::ledger(folder.path())).unwrap();
    let count = |wanted: fn(&Line) -> bool| written.iter().filter(|line| wanted(line)).count();
    assert_eq!(count(|line| matches!(line, Line::Booked { .. })), 2);
    let orders = count(|line| matches!(line, Line::Order { id, .. } if id == BY_HAND));
    assert_eq!(orders, 2);
}
