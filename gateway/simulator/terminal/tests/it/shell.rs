//! The sockets around the terminal.

use crate::support::{market, settings};
use mymt5_model::AccountMode;
use mymt5_simulated_terminal::{Server, Store, Temper, Terminal, layout::Wire, now, number};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

const SOON: Duration = Duration::from_secs(10);

struct Shell {
    port: u16,
    control: u16,
}

fn listening() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn open(tempers: &[&str], state: Option<&Path>) -> Shell {
    let (store, kept) = state.map(|path| Store::open(path).unwrap()).unzip();
    let tempers: Vec<Temper> = tempers.iter().map(|t| t.parse().unwrap()).collect();
    let settings = settings(AccountMode::Hedging);
    let terminal = Terminal::start(settings, tempers, kept.flatten(), now()).unwrap();
    let server = Arc::new(Server::new(terminal, store));
    let ((listener, port), (orders, control)) = (listening(), listening());
    let (clock, controlled) = (server.clone(), server.clone());
    thread::spawn(move || clock.tick());
    thread::spawn(move || controlled.take_control(&orders));
    thread::spawn(move || server.listen(&listener));
    Shell { port, control }
}

struct Client(TcpStream);

impl Shell {
    fn client(&self) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        Client(stream)
    }

    /// A client that is served, once there is room for it.
    fn served(&self) -> Client {
        let end = Instant::now() + SOON;
        while Instant::now() < end {
            let mut client = self.client();
            if client.ask(number::READY, &[]).is_some() {
                return client;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("not served");
    }

    fn control(&self, line: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.control)).unwrap();
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }
}

impl Client {
    /// The body of the reply; none where the connection ends before its end.
    fn ask(&mut self, command: u32, body: &[u8]) -> Option<Vec<u8>> {
        let length = 4 + body.len() as u32;
        let frame = [&length.to_bytes(), &command.to_bytes(), body].concat();
        self.0.write_all(&frame).ok()?;
        let mut length = [0; 4];
        self.0.read_exact(&mut length).ok()?;
        let mut reply = vec![0; u32::from_le_bytes(length) as usize];
        self.0.read_exact(&mut reply).ok()?;
        Some(reply.split_off(8))
    }
}

#[test]
fn two_clients_are_served_and_a_third_is_turned_away() {
    let shell = open(&[], None);
    let mut first = shell.served();
    let mut second = shell.served();
    assert!(shell.client().ask(number::READY, &[]).is_none());
    assert!(first.ask(number::ACCOUNT, &[]).is_some());
    first.ask(number::SEND, &market(0, 0.1).to_bytes()).unwrap();
    let seen = second.ask(number::POSITIONS_TOTAL, &[]);
    assert_eq!(seen, Some(1u32.to_bytes()));
    drop(first);
    shell.served().ask(number::ACCOUNT, &[]).unwrap();
    assert!(second.ask(number::ACCOUNT, &[]).is_some());
}

#[test]
fn what_is_no_request_ends_the_connection() {
    let shell = open(&[], None);
    let mut client = shell.served();
    client.0.write_all(&[0xff; 8]).unwrap();
    assert_eq!(client.0.read(&mut [0; 1]).unwrap_or(0), 0);
    shell.served();
}

#[test]
fn answers_come_late_torn_or_never() {
    let shell = open(
        &[
            "slow=173:300",
            "close-mid-answer=order_send",
            "hang=account_info",
        ],
        None,
    );
    let mut client = shell.served();
    let begun = Instant::now();
    client.ask(number::SYMBOLS_TOTAL, &[]).unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(
        client
            .ask(number::SEND, &market(0, 0.1).to_bytes())
            .is_none()
    );
    let mut client = shell.served();
    assert_eq!(
        client.ask(number::POSITIONS_TOTAL, &[]),
        Some(1u32.to_bytes())
    );
    client
        .0
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    assert!(client.ask(number::ACCOUNT, &[]).is_none());
}

#[test]
fn tempers_change_while_it_runs() {
    let shell = open(&["algo-trading-off"], None);
    let mut client = shell.served();
    assert_eq!(shell.control("list"), "ok algo-trading-off");
    assert_eq!(shell.control("set other-length=account_info"), "ok");
    let length = client.ask(number::ACCOUNT, &[]).unwrap().len();
    assert_eq!(shell.control("clear other-length"), "ok");
    assert_eq!(client.ask(number::ACCOUNT, &[]).unwrap().len(), length - 8);
    assert_eq!(shell.control("clear"), "ok");
    assert_eq!(shell.control("list"), "ok");
    for wrong in ["", "set", "set slow", "set symbols=9", "list all"] {
        assert!(shell.control(wrong).starts_with("refused: "), "{wrong}");
    }
}

#[test]
fn a_restart_ends_all_connections_for_a_while() {
    let shell = open(&[], None);
    let mut client = shell.served();
    let begun = Instant::now();
    assert_eq!(shell.control("set restart=1"), "ok");
    assert!(client.ask(number::READY, &[]).is_none());
    assert!(shell.client().ask(number::READY, &[]).is_none());
    shell.served();
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[test]
fn what_was_told_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("account");
    let mut client = open(&[], Some(&path)).served();
    client
        .ask(number::SEND, &market(0, 0.1).to_bytes())
        .unwrap();
    let (_, kept) = Store::open(&path).unwrap();
    assert_eq!(kept.unwrap().deals.len(), 2);
}
