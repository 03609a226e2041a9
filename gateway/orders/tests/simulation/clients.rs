//! Clients with every kind of call, repeats and nonsense.

use super::{
    judge::{Verdict, ensure, trace_of},
    world::World,
};
use crate::bench::rows::id;
use mymt5_model::{
    ClientName, Comment, Edit, Levels, Lots, Moment, OrderId, OrderType, PositionId, Price, Reason,
    Side, Symbol, TimeInForce,
};
use mymt5_orders::{
    Answer, Asker, BrokerFigures, Call, Command, Exit, Input, NewOrder, OrderEdit, PositionEdit,
    RequestKey,
};

/// Calls that a client may repeat: the newest, and some of any time.
const NEWEST: usize = 40;
const OLD: usize = 80;

#[derive(Default)]
pub struct Clients {
    made: Vec<Call>,
}

impl Clients {
    /// Nobody repeats what the journal does not know.
    pub fn forget(&mut self, disk: &crate::bench::Disk) {
        self.made.retain(|call| {
            let key = RequestKey(call.client.clone(), call.request_id.clone());
            disk.requests.contains_key(&key)
        });
    }

    /// Somebody does something, perhaps.
    pub fn act(&mut self, world: &mut World) -> Verdict {
        let mut names = world.names.clone();
        names.retain(|name| !world.unknown.contains(name));
        for name in &names {
            // Some are silent for a while.
            let speaks = (world.now_ms / 20_000 + name.as_str().len() as i64) % 5 != 0;
            if speaks && world.dice.below(25) == 0 {
                Self::beat(world, name)?;
            }
        }
        if world.dice.below(100) < 35 {
            let name = world.dice.one_of(&names).cloned();
            name.map_or(Ok(()), |name| self.trade(world, &name))?;
        }
        Ok(())
    }

    /// A client says that it lives.
    pub fn beat(world: &mut World, name: &ClientName) -> Verdict {
        let asker = world.asker();
        let key = RequestKey(name.clone(), id("beat"));
        let leaving = world.temper.angry && world.dice.below(200) == 0;
        let second = world.temper.angry && world.dice.below(50) == 0;
        let session = id(if second { "two" } else { "one" });
        let client = name.clone();
        let process = session.clone();
        let beat = Input::Heartbeat {
            asker,
            client,
            session,
            leaving,
        };
        if !Self::is_refused(world, asker, |world| world.ask(asker, key, beat))? {
            let lease = world.shell.config.reconcile.lease.as_millis() as i64;
            let until = world.now_ms + lease;
            world
                .judge
                .leases(name, (!leaving).then_some((process, until)));
        }
        Ok(())
    }

    /// Whether a call is refused; one that dies with its process is.
    fn is_refused(
        world: &mut World,
        asker: Asker,
        make: impl FnOnce(&mut World) -> Verdict,
    ) -> Result<bool, String> {
        let life = world.life;
        world.judge.refused = None;
        make(world)?;
        let refused = world.judge.refused.is_some_and(|(of, _)| of == asker);
        Ok(refused || world.life != life)
    }

    fn trade(&mut self, world: &mut World, name: &ClientName) -> Verdict {
        if world.dice.below(12) == 0 {
            return self.repeat(world);
        }
        if world.dice.below(40) == 0 {
            return Self::trespass(world, name);
        }
        let command = match world.dice.below(100) {
            0..30 => Some(Self::market(world)),
            30..44 => Some(Self::pending(world)),
            44..72 => Self::close(world, name),
            72..80 => Self::cancel(world, name),
            80..88 => Self::modify(world, name),
            _ => Self::levels(world, name),
        };
        let Some(command) = command else {
            return Ok(());
        };
        let mut call = Self::call(world, name, command);
        match &call.command {
            Command::Submit(Ok(order)) if world.dice.below(6) == 0 => {
                let order = order.clone();
                self.check_and_submit(world, call, order)
            }
            _ => {
                if call.asker.0 % 16 == 0 {
                    call.not_after_ms = Some(world.shell.now.utc.0 - 1);
                }
                self.ask(world, call)
            }
        }
    }

    /// A client asks for what is another's: for it that is not there.
    fn trespass(world: &mut World, name: &ClientName) -> Verdict {
        let core = &world.shell.core;
        let others = |owner: Option<&ClientName>| owner.is_some_and(|owner| owner != name);
        let held = core.book().positions();
        let held = held.filter(|held| others(held.client.as_ref()));
        let closes = held.map(|held| Self::close_of(held.row.id, None));
        let working = core.open_orders();
        let working = working.filter(|order| order.price.is_some() && others(Some(&order.client)));
        let cancels = working.map(|order| Command::Cancel(order.id));
        let commands: Vec<Command> = closes.chain(cancels).collect();
        let Some(command) = world.dice.one_of(&commands).cloned() else {
            return Ok(());
        };
        let call = Self::call(world, name, command);
        let (asker, what) = (call.asker, format!("{:?}", call.command));
        let refused = Self::is_refused(world, asker, |world| Self::make(world, call))?;
        ensure!(refused, "{name} touched what is another's: {what}");
        Ok(())
    }

    /// A check tells just what refuses the order.
    fn check_and_submit(&mut self, world: &mut World, call: Call, order: Box<NewOrder>) -> Verdict {
        let asker = world.asker();
        let key = RequestKey(call.client.clone(), id("check"));
        let check = Input::Check {
            asker,
            client: call.client.clone(),
            order: Ok(order),
            figures: BrokerFigures::default(),
        };
        let life = world.life;
        world.shell.checked = None;
        world.ask(asker, key, check)?;
        let Some(Answer::Check(report)) = world.shell.checked.take() else {
            return Ok(());
        };
        world.judge.refused = None;
        let asker = call.asker;
        self.ask(world, call)?;
        if world.life != life {
            return Ok(());
        }
        let refused = world.judge.refused.take();
        let refused = refused.filter(|(of, _)| *of == asker);
        let refused = refused.map(|(_, reason)| reason);
        let told = report.refusals.first().map(|refusal| refusal.reason());
        let session = refused == Some(Reason::ClientAlreadyActive);
        let same = session || refused == told;
        ensure!(same, "checked {:?}, refused {refused:?}", report.refusals);
        Ok(())
    }

    pub fn call(world: &mut World, name: &ClientName, command: Command) -> Call {
        let asker = world.asker();
        let control = *name == ClientName::local();
        let session = match world.dice.below(25) {
            _ if control => None,
            0 => Some(id("two")),
            1 => None,
            _ => Some(id("one")),
        };
        let request_id = id(&format!("r{}", asker.0));
        let key = RequestKey(name.clone(), request_id.clone());
        Call {
            asker,
            client: name.clone(),
            control,
            session,
            request_id,
            method: "Simulated",
            content: [asker.0 as u8; 32],
            trace_id: trace_of(&key),
            send_before_ms: world.shell.now.utc.0 + 2_000,
            not_after_ms: (world.dice.below(4) == 0).then_some(world.shell.now.utc.0 + 100),
            command,
        }
    }

    pub fn ask(&mut self, world: &mut World, call: Call) -> Verdict {
        // A few of all that was ever asked are remembered for long.
        if self.made.len() >= NEWEST + OLD {
            let dropped = if world.dice.below(30) == 0 { 0 } else { OLD };
            self.made.remove(dropped);
        }
        self.made.push(call.clone());
        let after = call.not_after_ms;
        let late = after.is_some_and(|after| after < world.shell.now.utc.0);
        if let Command::Close(Ok(exit)) = &call.command
            && !late
        {
            world.judge.asks_exit(call.asker, exit.position, exit.lots);
        }
        let asker = call.asker;
        let intrudes = world.judge.intrudes(&call, world.now_ms);
        let refused = Self::is_refused(world, asker, |world| Self::make(world, call))?;
        ensure!(refused || !late, "taken after its time: {asker:?}");
        ensure!(refused || !intrudes, "taken beside a lease: {asker:?}");
        Ok(())
    }

    fn make(world: &mut World, call: Call) -> Verdict {
        let (asker, key) = (
            call.asker,
            RequestKey(call.client.clone(), call.request_id.clone()),
        );
        let cancels = matches!(call.command, Command::Cancel(_));
        world.ask_for(asker, key, cancels, Input::Call(Box::new(call)))
    }

    /// The same call again, or its id with another content.
    fn repeat(&mut self, world: &mut World) -> Verdict {
        let call = world.dice.one_of(&self.made).cloned();
        let Some(mut call) = call.filter(|call| !world.unknown.contains(&call.client)) else {
            return Ok(());
        };
        call.asker = world.asker();
        call.send_before_ms = world.shell.now.utc.0 + 2_000;
        call.not_after_ms = None;
        let key = RequestKey(call.client.clone(), call.request_id.clone());
        let bound = world.shell.disk.requests.contains_key(&key);
        if bound && world.dice.below(5) == 0 {
            call.content[0] = !call.content[0];
            let asker = call.asker;
            world.judge.refused = None;
            let life = world.life;
            Self::make(world, call)?;
            let refused = world.judge.refused.filter(|(of, _)| *of == asker);
            let mismatch = refused.map(|(_, reason)| reason) == Some(Reason::IdempotencyMismatch);
            ensure!(mismatch || world.life != life, "{key:?} took other content");
            return Ok(());
        }
        Self::make(world, call)
    }

    fn new_order(world: &mut World) -> NewOrder {
        let symbols: Vec<Symbol> = world.broker.specs.keys().cloned().collect();
        let symbol = world.dice.one_of(&symbols).unwrap();
        let spec = world.broker.specs[symbol].clone();
        let side = [Side::Buy, Side::Sell][world.dice.below(2) as usize];
        let centilots = world.dice.between(1, 20);
        NewOrder {
            spec,
            side,
            kind: OrderType::Market,
            lots: Lots::from_f64(centilots as f64 / 100.0).unwrap(),
            price: None,
            stop_limit_price: None,
            levels: Levels::default(),
            time_in_force: TimeInForce::Gtc,
            max_deviation_points: None,
            tag: String::new(),
            comment: Comment::default(),
        }
    }

    fn market(world: &mut World) -> Command {
        let mut order = Self::new_order(world);
        let price = world.broker.price(&order.spec.symbol);
        if world.dice.below(3) == 0 {
            let away = world.dice.between(20, 200) * order.side.sign();
            let digits = order.spec.digits;
            order.levels.stop_loss = Some(Price::from_points(price - away, digits));
            order.levels.take_profit = Some(Price::from_points(price + away, digits));
        }
        Command::Submit(Ok(Box::new(order)))
    }

    /// The smallest order there is, at the market.
    pub fn smallest(world: &mut World) -> Command {
        let mut order = Self::new_order(world);
        order.lots = order.spec.volume.min;
        Command::Submit(Ok(Box::new(order)))
    }

    fn pending(world: &mut World) -> Command {
        let mut order = Self::new_order(world);
        let price = world.broker.price(&order.spec.symbol);
        let digits = order.spec.digits;
        let sign = order.side.sign();
        let away = world.dice.between(15, 120) * sign;
        let kinds = [OrderType::Limit, OrderType::Stop, OrderType::StopLimit];
        order.kind = kinds[world.dice.below(3) as usize];
        let points = match order.kind {
            OrderType::Limit => price - away,
            _ => price + away,
        };
        order.price = Some(Price::from_points(points, digits));
        if order.kind == OrderType::StopLimit {
            order.stop_limit_price = Some(Price::from_points(points - 20 * sign, digits));
        }
        if world.dice.below(4) == 0 {
            let until = world.broker.time().0 + world.dice.between(5_000, 120_000);
            order.time_in_force = TimeInForce::Gtd(Moment {
                utc: None,
                broker: Some(mymt5_model::BrokerTime(until)),
            });
        }
        Command::Submit(Ok(Box::new(order)))
    }

    fn own_position(world: &mut World, name: &ClientName) -> Option<mymt5_model::PositionRow> {
        let held = world.shell.core.book().positions();
        let held = held.filter(|held| held.client.as_ref() == Some(name));
        let held: Vec<_> = held.collect();
        Some(world.dice.one_of(&held)?.row.clone())
    }

    fn close(world: &mut World, name: &ClientName) -> Option<Command> {
        let row = Self::own_position(world, name)?;
        let part = world.dice.below(3) == 0;
        let cents = (row.lots.to_f64() * 100.0).round() as i64;
        let lots = part.then(|| world.dice.between(1, cents.max(1)) as f64 / 100.0);
        Some(Self::close_of(row.id, lots))
    }

    fn close_of(position: PositionId, lots: Option<f64>) -> Command {
        Command::Close(Ok(Exit {
            position,
            lots,
            max_deviation_points: None,
            tag: String::new(),
            comment: Comment::default(),
        }))
    }

    fn own_order(world: &mut World, name: &ClientName) -> Option<(OrderId, Option<Price>)> {
        let own = world.shell.core.open_orders();
        let own = own.filter(|order| order.client == *name && order.price.is_some());
        let own: Vec<_> = own.map(|order| (order.id, order.price)).collect();
        world.dice.one_of(&own).copied()
    }

    fn cancel(world: &mut World, name: &ClientName) -> Option<Command> {
        Some(Command::Cancel(Self::own_order(world, name)?.0))
    }

    fn modify(world: &mut World, name: &ClientName) -> Option<Command> {
        let (order, price) = Self::own_order(world, name)?;
        let moved = price?.moved(world.dice.between(-20, 20));
        let edit = OrderEdit {
            price: (world.dice.below(3) > 0).then(|| moved.to_f64()),
            stop_limit_price: None,
            stop_loss: Edit::Keep,
            take_profit: if world.dice.below(2) == 0 {
                Edit::Remove
            } else {
                Edit::Keep
            },
            time_in_force: None,
        };
        Some(Command::ModifyOrder(order, Ok(edit)))
    }

    fn levels(world: &mut World, name: &ClientName) -> Option<Command> {
        let row = Self::own_position(world, name)?;
        let price = world.broker.price(&row.symbol);
        let away = world.dice.between(15, 150);
        let level = |points: i64| Price::from_points(points, row.open_price.digits()).to_f64();
        let edit = |choice: u64, level: f64| match choice {
            0 => Edit::Keep,
            1 => Edit::Remove,
            _ => Edit::Set(level),
        };
        let sign = row.side.sign();
        let edit = PositionEdit {
            stop_loss: edit(world.dice.below(4), level(price - away * sign)),
            take_profit: edit(world.dice.below(4), level(price + (away + 20) * sign)),
        };
        Some(Command::ModifyPosition(PositionId(row.id.0), Ok(edit)))
    }
}
