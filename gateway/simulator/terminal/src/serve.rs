//! The sockets and the clock around the core.

use crate::{
    commands::{function, number},
    frame::{Fate, Reply, read_frame},
    keep::Store,
    tempers::Temper,
    terminal::Terminal,
};
use mymt5_model::{Tick, UtcTime};
use std::{
    collections::HashMap,
    io::{self, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// A terminal's pipe takes so many clients at a time.
const CLIENTS: usize = 2;
/// How often the market moves on while nobody asks.
const CLOCK: Duration = Duration::from_millis(10);

/// A terminal that serves clients.
pub struct Server {
    inner: Mutex<Inner>,
    clients: Mutex<Clients>,
}

struct Inner {
    terminal: Terminal,
    store: Option<Store>,
    /// A change could not be kept: nothing is told any more.
    broken: bool,
}

#[derive(Default)]
struct Clients {
    streams: HashMap<u64, TcpStream>,
    next: u64,
    closed_until: Option<Instant>,
}

/// The time by the machine's clock.
#[must_use]
pub fn now() -> UtcTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UtcTime(since.map_or(0, |since| since.as_millis() as i64))
}

impl Server {
    /// Serves that terminal, and keeps its account there.
    #[must_use]
    pub fn new(terminal: Terminal, store: Option<Store>) -> Self {
        let tempers = terminal.tempers();
        let server = Self {
            inner: Mutex::new(Inner {
                terminal,
                store,
                broken: false,
            }),
            clients: Mutex::default(),
        };
        for temper in tempers {
            server.restart_by(&temper);
        }
        server
    }

    /// Moves the market on, until the account cannot be kept.
    pub fn tick(&self) {
        loop {
            let mut inner = lock(&self.inner);
            inner.terminal.advance(now());
            let kept = inner.keep();
            drop(inner);
            if let Err(error) = kept {
                tracing::error!(%error, "the account is not kept");
                return;
            }
            thread::sleep(CLOCK);
        }
    }

    /// Moves the market to a tick by hand.
    ///
    /// # Errors
    /// The account cannot be kept.
    pub fn quote(&self, tick: &Tick) -> io::Result<()> {
        let mut inner = lock(&self.inner);
        inner.terminal.on_tick(tick);
        inner.keep()
    }

    /// Puts another terminal in this one's place. Clients keep their connections.
    pub fn replace(&self, terminal: Terminal) {
        lock(&self.inner).terminal = terminal;
    }

    /// Takes clients, each on a thread of its own; one too many is turned away.
    ///
    /// # Errors
    /// The listener breaks.
    pub fn listen(self: &Arc<Self>, listener: &TcpListener) -> io::Result<()> {
        for stream in listener.incoming() {
            let stream = stream?;
            let Some(id) = self.admit(&stream) else {
                tracing::info!("a client is turned away");
                continue;
            };
            let server = self.clone();
            thread::spawn(move || {
                if let Err(error) = server.converse(stream) {
                    tracing::info!(id, %error, "a client's connection ends");
                }
                lock(&server.clients).streams.remove(&id);
            });
        }
        Ok(())
    }

    fn admit(&self, stream: &TcpStream) -> Option<u64> {
        let mut clients = lock(&self.clients);
        let closed = clients.closed_until.is_some_and(|end| Instant::now() < end);
        if closed || clients.streams.len() >= CLIENTS {
            return None;
        }
        stream.set_nodelay(true).ok()?;
        let id = clients.next;
        clients.next += 1;
        clients.streams.insert(id, stream.try_clone().ok()?);
        Some(id)
    }

    /// Answers a client until it goes.
    fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        while let Some((command, body)) = read_frame(&mut stream)? {
            let reply = self.answer(command, &body)?;
            thread::sleep(reply.delay);
            let frame = reply.frame();
            match reply.fate {
                Fate::Whole => stream.write_all(&frame)?,
                Fate::Torn => {
                    stream.write_all(&frame[..frame.len() / 2])?;
                    return stream.shutdown(Shutdown::Both);
                }
                Fate::Never => {
                    io::copy(&mut stream, &mut io::sink())?;
                }
            }
        }
        Ok(())
    }

    fn answer(&self, command: u32, body: &[u8]) -> io::Result<Reply> {
        let mut inner = lock(&self.inner);
        let reply = inner.terminal.answer(command, body, now());
        inner.keep()?;
        drop(inner);
        // A login's body has a password.
        let asked = if command == number::LOGIN { &[] } else { body };
        let (status, length) = (reply.status.0, reply.body.len());
        tracing::debug!(
            command,
            function = function(command),
            ?asked,
            status,
            length
        );
        Ok(reply)
    }

    /// Sets a temper.
    pub(crate) fn set_temper(&self, temper: Temper) {
        self.restart_by(&temper);
        lock(&self.inner).terminal.set_temper(temper);
    }

    pub(crate) fn clear_tempers(&self, name: Option<&str>) {
        lock(&self.inner).terminal.clear_tempers(name);
    }

    pub(crate) fn tempers(&self) -> Vec<Temper> {
        lock(&self.inner).terminal.tempers()
    }

    fn restart_by(&self, temper: &Temper) {
        let Temper::Restart(seconds) = temper else {
            return;
        };
        let mut clients = lock(&self.clients);
        clients.closed_until = Instant::now().checked_add(Duration::from_secs(*seconds));
        for stream in clients.streams.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Inner {
    /// Keeps what changed before anyone is told of it.
    fn keep(&mut self) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("the account is not kept any more"));
        }
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        if let Some(state) = self.terminal.take_changes()
            && let Err(error) = store.append(&state)
        {
            self.broken = true;
            return Err(error);
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
