//! How fast a connection is read whose peer has proven nothing: its frames cost more to read than to
//! send, and those of many such peers would keep clients waiting.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

const BYTES_PER_SECOND: u32 = 64 * 1024;
/// A peer may save up so much of its time, and then be read without a rest: 128 KiB.
const BURST: Duration = Duration::from_secs(2);

/// Whether a connection is read slowly, 64 KiB per second after 128 KiB at once: so it is until
/// [`lift`](Self::lift). Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Pace(Arc<AtomicBool>);

impl Pace {
    /// From now on the connection is read as fast as its peer sends.
    pub fn lift(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// That stream, read at this pace and written as before.
    #[must_use]
    pub fn apply<T>(&self, stream: T) -> Paced<T> {
        Paced {
            stream,
            pace: self.clone(),
            paid: Instant::now(),
            rest: None,
        }
    }
}

/// A stream that is read at a [`Pace`].
#[derive(Debug)]
pub struct Paced<T> {
    stream: T,
    pace: Pace,
    /// When the time for all that was read has passed.
    paid: Instant,
    /// Until no more than the burst is unpaid.
    rest: Option<Pin<Box<Sleep>>>,
}

impl<T> Paced<T> {
    fn pay(&mut self, read: usize) {
        let now = Instant::now();
        let bytes = u32::try_from(read).unwrap_or(u32::MAX);
        self.paid = self.paid.max(now) + Duration::from_secs(1) * bytes / BYTES_PER_SECOND;
        if self.paid > now + BURST {
            self.rest = Some(Box::pin(sleep_until(self.paid - BURST)));
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Paced<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.pace.0.load(Ordering::Relaxed) {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        if let Some(rest) = &mut this.rest {
            ready!(rest.as_mut().poll(context));
            this.rest = None;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        this.pay(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Paced<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, buffer)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        time::sleep,
    };

    const KIB: usize = 1024;
    const PIECE: usize = 4 * KIB;
    const SENT: usize = 2048 * KIB;

    /// How long it takes to read so many bytes, as a TLS session reads them.
    async fn read(paced: &mut Paced<DuplexStream>, bytes: usize) -> Duration {
        let start = Instant::now();
        for _ in 0..bytes / PIECE {
            paced.read_exact(&mut [0; PIECE]).await.unwrap();
        }
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_is_read_slowly_after_a_burst_and_a_client_is_not() {
        let (mut peer, ours) = duplex(SENT);
        peer.write_all(&vec![0; SENT]).await.unwrap();
        let pace = Pace::default();
        let mut paced = pace.apply(ours);
        let about = |seconds: u64| {
            let slack = Duration::from_millis(100);
            Duration::from_secs(seconds) - slack..Duration::from_secs(seconds) + slack
        };

        assert_eq!(read(&mut paced, 128 * KIB).await, Duration::ZERO);
        let taken = read(&mut paced, 256 * KIB).await;
        assert!(about(4).contains(&taken), "{taken:?}");

        // However long it was silent, it has saved up no more than the burst.
        sleep(Duration::from_secs(60)).await;
        let taken = read(&mut paced, (128 + 64) * KIB).await;
        assert!(about(1).contains(&taken), "{taken:?}");

        pace.lift();
        assert_eq!(read(&mut paced, 1024 * KIB).await, Duration::ZERO);
    }
}
