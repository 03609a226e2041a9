//! Requests and replies as they go over the wire. A request is its length, its command and a body; a
//! reply the same with a status before the body. Lengths count what follows them.

use crate::layout::Wire;
use std::{
    io::{self, Read},
    time::Duration,
};

/// A longer request is no request: the package's longest has less than a kilobyte.
const LONGEST: u32 = 1 << 20;

/// How a call ended, as the package's `last_error` tells it: above zero it did what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub i32);

impl Status {
    /// Done.
    pub const OK: Self = Self(1);
    /// The call failed.
    pub const FAIL: Self = Self(-1);
    /// The arguments are none.
    pub const INVALID_PARAMS: Self = Self(-2);
    /// There is no such thing.
    pub const NOT_FOUND: Self = Self(-4);
    /// The login is wrong.
    pub const AUTH_FAILED: Self = Self(-6);
    /// The terminal knows no such command.
    pub const UNSUPPORTED: Self = Self(-7);
}

/// What becomes of a reply on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Whole,
    /// Half of it arrives, then the connection ends.
    Torn,
    /// Nothing comes, and the connection stays.
    Never,
}

/// What a command is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The command.
    pub command: u32,
    /// How it ended.
    pub status: Status,
    /// What it brought; empty where it failed.
    pub body: Vec<u8>,
    /// How long it is held back.
    pub delay: Duration,
    /// What becomes of it.
    pub fate: Fate,
}

impl Reply {
    pub(crate) fn new(command: u32, outcome: Result<Vec<u8>, Status>) -> Self {
        let (status, body) = match outcome {
            Ok(body) => (Status::OK, body),
            Err(status) => (status, Vec::new()),
        };
        Self {
            command,
            status,
            body,
            delay: Duration::ZERO,
            fate: Fate::Whole,
        }
    }

    /// The bytes of the whole reply.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = Vec::with_capacity(12 + self.body.len());
        (8 + self.body.len() as u32).put(&mut frame);
        self.command.put(&mut frame);
        self.status.0.put(&mut frame);
        frame.extend_from_slice(&self.body);
        frame
    }
}

/// Reads a request: its command and its body; none at the end of the stream.
///
/// # Errors
/// The stream breaks, or what it brings is no request.
pub fn read_frame(stream: &mut impl Read) -> io::Result<Option<(u32, Vec<u8>)>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = u32::from_le_bytes(length);
    if !(4..=LONGEST).contains(&length) {
        let message = format!("invalid length {length}: expected 4 to {LONGEST}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    let mut command = [0; 4];
    stream.read_exact(&mut command)?;
    let mut body = vec![0; length as usize - 4];
    stream.read_exact(&mut body)?;
    Ok(Some((u32::from_le_bytes(command), body)))
}

/// A text of any length: the count of its UTF-16 units, then the units.
#[must_use]
pub fn text(text: &str) -> Vec<u8> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut body = (units.len() as u32).to_bytes();
    units.iter().for_each(|unit| unit.put(&mut body));
    body
}

/// A command's body, read from its front.
pub(crate) struct Arguments<'a>(pub(crate) &'a [u8]);

impl Arguments<'_> {
    pub(crate) fn next<T: Wire>(&mut self) -> Result<T, Status> {
        T::take(&mut self.0).ok_or(Status::INVALID_PARAMS)
    }

    pub(crate) fn text(&mut self) -> Result<String, Status> {
        let count = self.next::<u32>()? as usize;
        let bytes = count
            .checked_mul(2)
            .and_then(|n| self.0.split_at_checked(n));
        let (bytes, rest) = bytes.ok_or(Status::INVALID_PARAMS)?;
        self.0 = rest;
        let (pairs, _) = bytes.as_chunks();
        let units: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
        let text = String::from_utf16_lossy(&units);
        Ok(text.trim_end_matches('\0').to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_reply_is_length_command_status_and_body() {
        let reply = Reply::new(190, Ok(vec![7]));
        assert_eq!(reply.frame(), [9, 0, 0, 0, 190, 0, 0, 0, 1, 0, 0, 0, 7]);
        let refused = Reply::new(1, Err(Status::NOT_FOUND)).frame();
        assert_eq!(refused, [8, 0, 0, 0, 1, 0, 0, 0, 0xfc, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn requests_are_read_one_after_the_other() {
        let bytes = [6, 0, 0, 0, 172, 0, 0, 0, 1, 2, 4, 0, 0, 0, 1, 0, 0, 0];
        let mut stream = bytes.as_slice();
        assert_eq!(read_frame(&mut stream).unwrap(), Some((172, vec![1, 2])));
        assert_eq!(read_frame(&mut stream).unwrap(), Some((1, Vec::new())));
        assert_eq!(read_frame(&mut stream).unwrap(), None);
        for wrong in [[3, 0, 0, 0], [0xff; 4]] {
            assert!(read_frame(&mut wrong.as_slice()).is_err());
        }
    }

    #[test]
    fn arguments_end_where_the_body_does() {
        let body = [text("EURUSD"), text("é")].concat();
        let mut arguments = Arguments(&body);
        assert_eq!(arguments.text().as_deref(), Ok("EURUSD"));
        assert_eq!(arguments.text().as_deref(), Ok("é"));
        assert_eq!(arguments.text(), Err(Status::INVALID_PARAMS));
        let lying = [0xff; 8];
        assert_eq!(Arguments(&lying).text(), Err(Status::INVALID_PARAMS));
    }
}
