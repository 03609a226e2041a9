//! An operator: decides now and then while things go wrong, and opens everything once they are over.

use super::{
    clients::Clients,
    judge::{Verdict, ensure},
    temper::Fault,
    world::World,
};
use mymt5_guard::TradingState;
use mymt5_model::{BrokerTime, ClientName, OrderState};
use mymt5_orders::{Acceptance, Adoption, Command, Obstacle, ObstacleKind, Order, Resolution};

fn reason() -> String {
    "simulated".to_owned()
}

impl Clients {
    fn scope(world: &mut World) -> Option<ClientName> {
        let anybody = world.dice.below(2) == 0;
        let name = world.dice.one_of(&world.names);
        name.filter(|_| anybody).cloned()
    }

    fn command(&mut self, world: &mut World, command: Command) -> Verdict {
        let call = Self::call(world, &ClientName::local(), command);
        self.ask(world, call)
    }

    /// What an operator does who sees only now and then what is going on.
    pub fn operate(&mut self, world: &mut World) -> Verdict {
        let scope = Self::scope(world);
        let state = |state| Command::SetState {
            scope: scope.clone(),
            state,
            reason: reason(),
        };
        let command = match world.dice.below(40) {
            0 => state(TradingState::Halted),
            1 => state(TradingState::Reducing),
            2 => Command::Flatten {
                scope,
                include_foreign: world.dice.below(2) == 0,
                reason: reason(),
            },
            3..18 => state(TradingState::Active),
            18..30 => return self.open_one(world),
            _ => match Self::decision(world) {
                Some(command) => command,
                None => return Ok(()),
            },
        };
        self.command(world, command)
    }

    /// Ends one closed state by the way out that it names, whatever else is going on.
    fn open_one(&mut self, world: &mut World) -> Verdict {
        let obstacles = world.shell.core.obstacles();
        let listed = obstacles.iter().filter(|obstacle| {
            use ObstacleKind as Kind;
            matches!(
                obstacle.kind,
                Kind::HistoryIncomplete
                    | Kind::ForeignTrade
                    | Kind::RowsDisagree
                    | Kind::UnreadableRows
                    | Kind::OrphanDeals
                    | Kind::OrphanRows
            )
        });
        let listed: Vec<&Obstacle> = listed.collect();
        match world.dice.one_of(&listed).copied() {
            Some(obstacle) => {
                let command = Self::way_out(world, obstacle)?;
                self.command(world, command)
            }
            None => Ok(()),
        }
    }

    /// What an operator decides who has looked at the broker, or should have.
    fn decision(world: &mut World) -> Option<Command> {
        let unknown = world.shell.core.open_orders();
        let unknown = unknown.filter(|order| order.state == OrderState::Unknown);
        let unknown: Vec<Order> = unknown.cloned().collect();
        let order = world.dice.one_of(&unknown)?.clone();
        let mistaken = world
            .temper
            .strikes(Fault::Mistakes, 1_000, &mut world.dice);
        let resolution = if mistaken {
            world.judge.resolved.insert(order.id, order.magic);
            [Resolution::Done, Resolution::NotDone][world.dice.below(2) as usize]
        } else if happened(world, &order) {
            Resolution::Reconcile
        } else {
            Resolution::NotDone
        };
        Some(Command::Resolve {
            order: order.id,
            resolution,
            reason: reason(),
        })
    }

    /// An operator ends each closed and frozen state by the way out that it names.
    pub fn open_everything(&mut self, world: &mut World) -> Verdict {
        // A scope that goes on losing reaches its limit again.
        let mut limits = 0;
        for _ in 0..2_000 {
            let obstacles = world.shell.core.obstacles();
            let Some(obstacle) = obstacles
                .iter()
                .find(|obstacle| needs_operator(obstacle) && (limits < 5 || !is_limit(obstacle)))
            else {
                return Ok(());
            };
            limits += u32::from(is_limit(obstacle));
            let command = Self::way_out(world, obstacle)?;
            self.command(world, command)?;
            if obstacle.kind == ObstacleKind::DailyLoss {
                // The day's loss ends with the day.
                world.jump(86_400_000);
            }
            world.rest(5_000)?;
        }
        let left = world.shell.core.obstacles();
        Err(format!("no way out of {left:?}"))
    }

    /// The command that ends a closed or frozen state.
    fn way_out(world: &mut World, obstacle: &Obstacle) -> Result<Command, String> {
        let reason = reason();
        let accept = |what| Command::Accept {
            what,
            reason: reason.clone(),
        };
        Ok(match obstacle.kind {
            ObstacleKind::HistoryIncomplete => accept(Acceptance::MissingDeals),
            ObstacleKind::ForeignTrade | ObstacleKind::RowsDisagree => {
                accept(Acceptance::Symbol(obstacle.symbol.clone().unwrap()))
            }
            ObstacleKind::UnreadableRows => {
                Self::give_up_deals(world);
                accept(Acceptance::UnreadableRows)
            }
            ObstacleKind::OrphanRows => Self::adoption(world)?,
            ObstacleKind::OrphanDeals => {
                let why = obstacle.why.split(' ').nth(1);
                let ticket = why.and_then(|ticket| ticket.parse().ok());
                Command::Adopt {
                    client: obstacle.client.clone().unwrap(),
                    what: Adoption::Deal(mymt5_model::Ticket(ticket.unwrap_or(0))),
                    reason,
                }
            }
            ObstacleKind::OrderUnknown | ObstacleKind::CloseUnknown => Self::resolution(world),
            _ => Command::SetState {
                scope: obstacle.client.clone(),
                state: TradingState::Active,
                reason,
            },
        })
    }

    /// Deals that are accepted as they are, unreadable, are not learnt any more.
    fn give_up_deals(world: &mut World) {
        for obstacle in world.shell.core.obstacles() {
            let deal = obstacle.why.strip_prefix("Deal ");
            let ticket = deal.and_then(|deal| deal.split(':').next()?.parse().ok());
            if let Some(ticket) = ticket.map(mymt5_model::Ticket) {
                world.broker.archive(ticket);
            }
        }
    }

    /// An operator has looked at the broker, and says what happened.
    fn resolution(world: &mut World) -> Command {
        let mut unknown = world.shell.core.open_orders();
        let order = unknown.find(|order| order.state == OrderState::Unknown);
        let order = order.expect("an unknown order");
        let happened = world.broker.filled.contains_key(&order.magic);
        world.judge.resolved.insert(order.id, order.magic);
        Command::Resolve {
            order: order.id,
            resolution: if happened {
                Resolution::Done
            } else {
                Resolution::NotDone
            },
            reason: reason(),
        }
    }

    fn adoption(world: &mut World) -> Result<Command, String> {
        let mut held = world.shell.core.book().positions();
        if let Some(held) = held.find(|held| held.orphan) {
            let client = held
                .client
                .clone()
                .unwrap_or_else(|| world.names[0].clone());
            let adopted = (held.row.magic, client.clone());
            world.judge.adopted.insert(held.row.id, adopted);
            return Ok(Command::Adopt {
                client,
                what: Adoption::Position(held.row.id),
                reason: reason(),
            });
        }
        let obstacles = world.shell.core.obstacles().into_iter();
        let mut listed = obstacles.filter(|obstacle| obstacle.kind == ObstacleKind::OrphanRows);
        let ticket = listed.find_map(|obstacle| {
            let ticket = obstacle.why.strip_prefix("working order ")?;
            ticket.split(' ').next()?.parse().ok()
        });
        ensure!(ticket.is_some(), "orphans without a row");
        let ticket = mymt5_model::Ticket(ticket.unwrap());
        let simulator = &world.broker.simulator;
        let (ended, _) = simulator.history(BrokerTime(i64::MIN), BrokerTime(i64::MAX));
        let rows = simulator.orders().into_iter().chain(ended);
        let row = rows.into_iter().find(|row| row.ticket == ticket);
        let slot = row.map_or(0, |row| row.magic.slot());
        let slots = world.shell.disk.slots.iter();
        let mut owner = slots.filter(|(_, of)| u64::from(**of) == slot);
        let owner = owner.next().map(|(name, _)| name.clone());
        Ok(Command::Adopt {
            client: owner.unwrap_or_else(ClientName::local),
            what: Adoption::Order(ticket),
            reason: reason(),
        })
    }

    pub fn flatten(&mut self, world: &mut World) -> Verdict {
        self.command(
            world,
            Command::Flatten {
                scope: None,
                include_foreign: true,
                reason: reason(),
            },
        )
    }
}

/// True for an order that was executed, or may still be.
pub fn happened(world: &World, order: &Order) -> bool {
    let broker = &world.broker;
    let magic = order.magic;
    let works = broker.simulator.orders();
    broker.filled.contains_key(&magic)
        || broker.may_execute(|request| request.magic() == Some(magic))
        || works.iter().any(|row| row.magic == magic)
}

/// True for a limit of losses, and for what it led to.
pub fn is_limit(obstacle: &Obstacle) -> bool {
    let limit = matches!(
        obstacle.kind,
        ObstacleKind::DailyLoss | ObstacleKind::Drawdown
    );
    limit || obstacle.why.starts_with("LIMIT_")
}

fn needs_operator(obstacle: &Obstacle) -> bool {
    !matches!(
        obstacle.kind,
        ObstacleKind::LossUnmeasured
            | ObstacleKind::SymbolClosed
            | ObstacleKind::NotCompared
            | ObstacleKind::SymbolShared
    )
}
