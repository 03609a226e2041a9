//! Tempers while the terminal runs: a socket that takes a line and answers a line.
//!
//! * `set NAME[=VALUE]` sets a temper, `clear NAME` takes it away, `clear` takes all away: `ok`.
//! * `list` answers `ok` and the tempers that are set.
//! * Whatever is wrong: `refused: ` and why.

use crate::{serve::Server, tempers::Temper};
use std::{
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

impl Server {
    /// Takes lines that set tempers.
    ///
    /// # Errors
    /// The listener breaks.
    pub fn take_control(self: &Arc<Self>, listener: &TcpListener) -> io::Result<()> {
        for stream in listener.incoming() {
            let (server, stream) = (self.clone(), stream?);
            thread::spawn(move || server.obey(&stream));
        }
        Ok(())
    }

    fn obey(&self, stream: &TcpStream) -> io::Result<()> {
        let mut answers = stream;
        for line in BufReader::new(stream).lines() {
            let answer = match self.command(line?.trim()) {
                Ok(answer) => format!("ok {answer}"),
                Err(reason) => format!("refused: {reason}"),
            };
            answers.write_all(format!("{}\n", answer.trim_end()).as_bytes())?;
        }
        Ok(())
    }

    /// Does what a line says.
    fn command(&self, line: &str) -> Result<String, String> {
        let (word, rest) = match line.split_once(' ') {
            Some((word, rest)) => (word, Some(rest.trim())),
            None => (line, None),
        };
        match (word, rest) {
            ("set", Some(temper)) => {
                let temper: Temper = temper.parse().map_err(|error| format!("{error}"))?;
                if temper.is_of_the_start() {
                    return Err(format!("{} can be set at the start only", temper.name()));
                }
                self.set_temper(temper);
                Ok(String::new())
            }
            ("clear", name) => {
                self.clear_tempers(name);
                Ok(String::new())
            }
            ("list", None) => {
                let tempers = self.tempers();
                let shown: Vec<String> = tempers.iter().map(Temper::to_string).collect();
                Ok(shown.join(" "))
            }
            _ => Err("invalid line: expected set NAME[=VALUE], clear [NAME] or list".to_owned()),
        }
    }
}
