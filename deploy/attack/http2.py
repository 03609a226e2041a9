"""HTTP/2 as an attacker writes it: frames by hand, so that nothing keeps the rules for it."""

import asyncio
import ssl

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 2, 4, 6, 8
ACK = END_STREAM = 1
END_HEADERS = 4
NO_MESSAGE = bytes(5)  # gRPC's prefix of a message without fields
FIRST_INDEX = 62  # the first entry of HPACK's dynamic table


def frame(kind, flags, stream, payload=b""):
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def _text(text):
    """HPACK: a length with a prefix of seven bits, and the bytes as they are."""
    rest = len(text) - 127
    if rest < 0:
        return bytes([len(text)]) + text
    length = b"\x7f"
    while rest > 127:
        length += bytes([rest & 127 | 128])
        rest >>= 7
    return length + bytes([rest]) + text


def field(name, value, kept=False):
    """A header; the peer keeps it in its table where it is told to."""
    return (b"\x40" if kept else b"\x00") + _text(name) + _text(value)


def call(stream, path, message=NO_MESSAGE):
    """A whole unary call. The path is the path's text, or what stands for it in HPACK."""
    path = field(b":path", path.encode()) if isinstance(path, str) else path
    words = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"localhost")]
    block = b"".join(field(*word) for word in words) + path
    block += field(b"content-type", b"application/grpc") + field(b"te", b"trailers")
    return frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, END_STREAM, stream, message)


def trust(authority, proof=None):
    """TLS towards the gateway, with a client's folder of key and certificate where there is one."""
    context = ssl.create_default_context(cafile=str(authority))
    context.set_alpn_protocols(["h2"])
    if proof:
        context.load_cert_chain(str(proof / "certificate.pem"), str(proof / "key.pem"))
    return context


def blind_trust():
    """TLS towards whoever it is: a stranger does not care."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Connection:
    """One connection, which keeps up the manners that keep it open: it answers PING and SETTINGS."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.next, self.blocks = reader, writer, 1, []

    @classmethod
    async def open(cls, port, tls=None, source="127.0.0.1"):
        options = {"local_addr": (source, 0)}
        if tls:
            options.update(ssl=tls, server_hostname="localhost", ssl_handshake_timeout=10)
        this = cls(*await asyncio.open_connection("127.0.0.1", port, **options))
        this.writer.write(PREFACE + frame(SETTINGS, 0, 0))
        return this

    def close(self):
        self.writer.transport.abort()

    def ask(self, path, message=NO_MESSAGE):
        self.writer.write(call(self.next, path, message))
        self.next += 2

    async def read(self):
        """The next frame: its kind, whether its stream ends with it, and its payload."""
        head = await self.reader.readexactly(9)
        kind, flags = head[3], head[4]
        payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
        if kind in (PING, SETTINGS) and not flags & ACK:
            self.writer.write(frame(kind, ACK, 0, payload if kind == PING else b""))
        if kind == DATA and payload:
            more = len(payload).to_bytes(4, "big")
            self.writer.write(frame(WINDOW_UPDATE, 0, 0, more))
        return kind, kind in (DATA, HEADERS) and bool(flags & END_STREAM), payload

    async def answers(self, count):
        """Waits until so many calls have ended; all that they were answered with."""
        said = b""
        while count:
            kind, ended, payload = await self.read()
            said += payload if kind in (DATA, HEADERS) else b""
            count -= ended
        return said

    async def until_closed(self):
        try:
            while True:
                await self.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
