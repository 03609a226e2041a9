//! The screen of `mymt5-engine top` beside a running pair, as text and on a real pseudo-terminal.

use crate::{
    foreign::said,
    stage::{Stage, eventually},
};
use std::process::{Command, Output};

/// Runs `top` on a terminal of its own, ends it as it is asked to, and prints what is wrong.
const ON_A_TERMINAL: &str = "
import fcntl, os, pty, select, signal, struct, subprocess, sys, termios, time

ending, program = sys.argv[1], sys.argv[2:]
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 100, 0, 0))
before = termios.tcgetattr(slave)
child = subprocess.Popen(program, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
drawn, end = b'', time.monotonic() + 60

def draw():
    global drawn
    if select.select([master], [], [], 0.05)[0]:
        drawn += os.read(master, 65536)

while not (b'POSITIONS' in drawn and b'SIMULATED' in drawn):
    assert time.monotonic() < end and child.poll() is None, drawn
    draw()
assert b'\\x1b[?1049h' in drawn, 'the screen is not one of its own'
assert termios.tcgetattr(slave) != before, 'keys are not read one by one'
if ending == 'SIGTERM':
    child.send_signal(signal.SIGTERM)
else:
    os.write(master, {'q': b'q', 'Esc': b'\\x1b', 'Ctrl-C': b'\\x03'}[ending])
while child.poll() is None:
    assert time.monotonic() < end, 'it does not end'
    draw()
while select.select([master], [], [], 0)[0]:
    draw()
assert child.returncode == 0, (child.returncode, drawn)
assert b'\\x1b[?1049l' in drawn, 'the screen was not left'
assert drawn.rfind(b'\\x1b[?25h') > drawn.rfind(b'\\x1b[?25l'), 'the cursor is hidden'
assert termios.tcgetattr(slave) == before, 'the terminal is not as before'
";

async fn pair() -> Stage {
    let mut stage = Stage::set("info", &[]);
    for name in ["gateway", "engine"] {
        stage.start(name);
        stage.serving(name, true).await;
    }
    stage
}

fn top(stage: &Stage, arguments: &[&str]) -> Output {
    Command::new(stage.program("engine"))
        .args(["top", "--config", "engine.toml"])
        .args(arguments)
        .current_dir(stage.path(""))
        .output()
        .unwrap()
}

/// How often the engine's session with the gateway broke or did not begin.
async fn reconnects(stage: &Stage) -> Option<String> {
    let metrics = stage.metrics_of("engine").await;
    let mut lines = metrics.lines();
    let found = lines.find(|line| line.starts_with("mymt5_engine_reconnects_total "));
    found.map(str::to_owned)
}

/// The row below a heading.
fn row_below<'a>(text: &'a str, heading: &str) -> Option<&'a str> {
    let mut lines = text.lines();
    lines.find(|line| line.starts_with(heading))?;
    lines.next()
}

#[tokio::test]
async fn one_picture_shows_the_pair_and_disturbs_no_engine() {
    let stage = pair().await;
    let before = reconnects(&stage).await;
    let text = eventually("a position on the picture", async || {
        let output = top(&stage, &["--once", "--ascii"]);
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        let has_position = !text.contains("POSITIONS 0");
        has_position.then_some(text)
    })
    .await;
    assert!(text.is_ascii(), "{text}");
    for part in [
        "SIMULATED ****",
        "link READY",
        "trading ACTIVE",
        "engine connected",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let position = row_below(&text, "POSITIONS ").unwrap();
    assert!(
        position.starts_with("EURUSD") || position.starts_with("GBPUSD"),
        "{text}"
    );
    let quote = row_below(&text, "QUOTES 2").unwrap();
    assert!(quote.starts_with("EURUSD"), "{text}");
    assert!(stage.is_serving("engine").await);
    assert_eq!(reconnects(&stage).await, before);
}

#[tokio::test]
async fn the_screen_ends_when_asked_and_puts_the_terminal_back() {
    let stage = pair().await;
    for ending in ["q", "Esc", "Ctrl-C", "SIGTERM"] {
        let output = Command::new("python3")
            .args(["-c", ON_A_TERMINAL, ending])
            .arg(stage.program("engine"))
            .args(["top", "--config", "engine.toml"])
            .current_dir(stage.path(""))
            .output()
            .unwrap();
        assert!(output.status.success(), "{ending}: {}", said(&output));
    }
}

#[test]
fn without_a_terminal_or_a_gateway_it_says_what_to_do() {
    let stage = Stage::set("info", &[]);
    let output = top(&stage, &[]);
    assert!(!output.status.success());
    assert!(said(&output).contains("add --once"), "{}", said(&output));
    let output = top(&stage, &["--once"]);
    assert_eq!(output.status.code(), Some(69));
    assert!(
        said(&output).contains("gateway.address"),
        "{}",
        said(&output)
    );
}
