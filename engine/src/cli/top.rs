//! `top`: a terminal screen of how a gateway and this engine stand. It reads, and claims nothing.

use super::{port, usage::Usage};
use crate::{
    settings::Settings,
    top::{Look, State, Update, Watch, view},
};
use anyhow::bail;
use clap::Args;
use mymt5_chassis::{
    cli::{Configured, block_on, configure, say},
    clock,
    exit::Unavailable,
    shutdown,
    supervisor::Supervisor,
};
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};
use std::{
    collections::BTreeSet,
    io::{self, IsTerminal},
    path::PathBuf,
    process::ExitCode,
    thread,
    time::Duration,
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

/// Between two pictures.
const PICTURE: Duration = Duration::from_millis(250);
/// How long one picture alone is gathered.
const GATHER: Duration = Duration::from_secs(5);
/// Letters of a line of one picture alone.
const WIDTH: u16 = 160;
/// What may wait to be taken.
const WAITING: usize = 64;

/// What `top` is asked for.
#[derive(Debug, Args)]
pub(super) struct TopArgs {
    /// The configuration: gateway, identity, the engine's operations port, symbols.
    #[arg(long, value_name = "FILE", default_value = "config/engine.toml")]
    config: PathBuf,
    /// Print one picture as plain text, and end.
    #[arg(long)]
    once: bool,
    /// Draw with nothing but ASCII.
    #[arg(long)]
    ascii: bool,
}

pub(super) fn top(asked: &TopArgs) -> anyhow::Result<ExitCode> {
    if !asked.once && !io::stdout().is_terminal() {
        bail!(Usage(
            "standard output is not a terminal; run this in one, or add --once"
        ));
    }
    let configured = configure::<Settings>(&asked.config)?;
    let watch = watch(configured);
    block_on(async {
        let (told, updates) = mpsc::channel(WAITING);
        let shown = async {
            if asked.once {
                once(asked.ascii, updates, watch.symbols.len()).await
            } else {
                screen(asked.ascii, updates).await
            }
        };
        tokio::select! {
            () = watch.run(told) => Ok(()),
            shown = shown => shown,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// What the configuration names: the symbols are those of its strategies.
fn watch(configured: Configured<Settings>) -> Watch {
    let settings = configured.settings;
    let strategies = settings.strategies.iter();
    let symbols: BTreeSet<String> = strategies.map(|it| it.symbol.to_string()).collect();
    Watch {
        gateway: settings.gateway,
        redactor: configured.redactor,
        engine: port(settings.operations.listen),
        symbols: symbols.into_iter().collect(),
    }
}

/// Gathers one picture and prints it.
async fn once(
    ascii: bool,
    mut updates: mpsc::Receiver<Update>,
    symbols: usize,
) -> anyhow::Result<()> {
    let mut state = State::default();
    let gathering = async {
        while !state.is_whole(symbols.max(1)) {
            match updates.recv().await {
                Some(Update::Lost(why)) => return Err(Unavailable(why)),
                Some(update) => state.apply(update, clock::utc_now_ms()),
                None => break,
            }
        }
        Ok(())
    };
    // What is not told by then is shown as such.
    if let Ok(gathered) = timeout(GATHER, gathering).await {
        gathered?;
    }
    if !state.has_figures() {
        let why = "the gateway does not answer; check that it runs";
        return Err(Unavailable(why.to_owned()).into());
    }
    say(&view::text(&state, look(ascii), WIDTH));
    Ok(())
}

fn look(ascii: bool) -> Look {
    Look {
        now_ms: clock::utc_now_ms(),
        ascii,
    }
}

/// Shows the screen until it is asked to end. The terminal is put back whatever happens: after a panic
/// by the hook that `try_init` sets.
async fn screen(ascii: bool, updates: mpsc::Receiver<Update>) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signals(&Supervisor::default());
    let shown = match ratatui::try_init() {
        Ok(mut terminal) => show(&mut terminal, ascii, updates, &shutdown).await,
        Err(error) => Err(error),
    };
    ratatui::try_restore()?;
    Ok(shown?)
}

async fn show(
    terminal: &mut DefaultTerminal,
    ascii: bool,
    mut updates: mpsc::Receiver<Update>,
    shutdown: &CancellationToken,
) -> io::Result<()> {
    let mut state = State::default();
    let mut wishes = wishes();
    let mut pictures = interval(PICTURE);
    pictures.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            Some(()) = wishes.recv() => return Ok(()),
            Some(update) = updates.recv() => state.apply(update, clock::utc_now_ms()),
            _ = pictures.tick() => {
                terminal.draw(|frame| {
                    view::draw(&state, look(ascii), frame.area(), frame.buffer_mut());
                })?;
            }
        }
    }
}

/// Tells when the keyboard asks to end. Its thread waits for a key until the process ends.
fn wishes() -> mpsc::Receiver<()> {
    let (wish, wishes) = mpsc::channel(1);
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            let is_wish = matches!(event, Event::Key(key) if ends(key));
            if is_wish && wish.blocking_send(()).is_err() {
                return;
            }
        }
    });
    wishes
}

/// True for `q`, Esc and Ctrl-C.
fn ends(key: KeyEvent) -> bool {
    if key.kind == KeyEventKind::Release {
        return false;
    }
    match key.code {
        KeyCode::Esc | KeyCode::Char('q') => true,
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_escape_and_control_c_end_the_screen_and_nothing_else() {
        let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
        assert!(ends(plain(KeyCode::Char('q'))));
        assert!(ends(plain(KeyCode::Esc)));
        let control = |letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
        assert!(ends(control('c')));
        assert!(!ends(control('d')));
        for code in [KeyCode::Char('c'), KeyCode::Enter, KeyCode::Char('Q')] {
            assert!(!ends(plain(code)));
        }
        let released = KeyEvent {
            kind: KeyEventKind::Release,
            ..plain(KeyCode::Char('q'))
        };
        assert!(!ends(released));
    }
}
