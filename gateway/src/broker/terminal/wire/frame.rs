//! One frame: four bytes of length, big-endian, and so many bytes of JSON.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};
use zeroize::Zeroizing;

/// Longest body, in bytes, before the handshake ends.
pub(crate) const HANDSHAKE_LIMIT: usize = 1 << 10;
/// Longest body to the bridge.
pub(crate) const CALL_LIMIT: usize = 64 << 10;
/// Longest body from the bridge.
pub(crate) const ANSWER_LIMIT: usize = 8 << 20;

/// Bytes of the length.
const HEAD: usize = 4;

/// A frame on its way out. Wiped once it is written: one of them holds the password.
pub(crate) type Frame = Zeroizing<Vec<u8>>;

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    /// The other side closed the connection, or the network did.
    #[error("the connection to the bridge ended; look at its log")]
    Ended(#[source] io::Error),
    /// An empty frame, or one beyond its limit.
    #[error("the bridge sent a frame of {0} bytes; install both from one release")]
    Length(usize),
    /// The body cannot be written as JSON.
    #[error("a frame cannot be written")]
    Unwritable(#[source] serde_json::Error),
}

/// Writes a value as a frame. `room` is the expected size: a frame that holds a secret must not
/// grow, since what it outgrows is not wiped.
///
/// # Errors
/// A body beyond the limit.
pub(crate) fn write(
    value: &impl serde::Serialize,
    limit: usize,
    room: usize,
) -> Result<Frame, FrameError> {
    let mut frame = Zeroizing::new(Vec::with_capacity(HEAD + room));
    frame.extend_from_slice(&[0; HEAD]);
    serde_json::to_writer(&mut *frame, value).map_err(FrameError::Unwritable)?;
    let length = frame.len() - HEAD;
    let head = u32::try_from(length)
        .ok()
        .filter(|_| length <= limit)
        .ok_or(FrameError::Length(length))?;
    frame[..HEAD].copy_from_slice(&head.to_be_bytes());
    Ok(frame)
}

/// Reads the next body. Memory follows what really comes, not what the length promises.
///
/// # Errors
/// The connection ended, or the length is not allowed.
pub(crate) async fn read(
    reader: &mut (impl AsyncRead + Unpin),
    limit: usize,
) -> Result<Vec<u8>, FrameError> {
    let length = reader.read_u32().await.map_err(FrameError::Ended)?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length == 0 || length > limit {
        return Err(FrameError::Length(length));
    }
    let mut body = Vec::new();
    let mut bounded = reader.take(length as u64);
    bounded
        .read_to_end(&mut body)
        .await
        .map_err(FrameError::Ended)?;
    if body.len() < length {
        return Err(FrameError::Ended(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn read_all(bytes: &[u8], limit: usize) -> Result<Vec<u8>, FrameError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut bytes = bytes;
        runtime.block_on(read(&mut bytes, limit))
    }

    #[test]
    fn what_is_written_is_read() {
        let frame = write(&"text", 100, 10).unwrap();
        assert_eq!(frame[..4], [0, 0, 0, 6]);
        assert_eq!(read_all(&frame, 6).unwrap(), b"\"text\"");
        assert!(matches!(read_all(&frame, 5), Err(FrameError::Length(6))));
        assert!(matches!(write(&"text", 5, 0), Err(FrameError::Length(6))));
    }

    #[test]
    fn lying_lengths_are_refused() {
        assert!(matches!(
            read_all(&[0, 0, 0, 0], 9),
            Err(FrameError::Length(0))
        ));
        assert!(matches!(
            read_all(&[255; 4], ANSWER_LIMIT),
            Err(FrameError::Length(_))
        ));
        assert!(matches!(
            read_all(&[0, 0, 0, 5, b'1'], 9),
            Err(FrameError::Ended(_))
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(body) = read_all(&bytes, HANDSHAKE_LIMIT) {
                prop_assert_eq!(&bytes[4..4 + body.len()], &body[..]);
            }
        }
    }
}
