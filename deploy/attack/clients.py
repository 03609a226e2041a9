"""Attacks of known clients: with too many calls, and with a right that has ended."""

import collections
import socket
import ssl
import subprocess
import threading
import time
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta, timezone

import grpc
import http2
from report import Row, milliseconds
from stage import CLIENTS, Failure, measured, round_trip

TRADING = "/mymt5.v1.TradingService/"
STATUS = "/mymt5.v1.ControlService/GetStatus"
EXIT_BOUND_S = 5
SHARE = 16  # `max_streams` of a client, where it is not set
ENTRY_S = 1  # the goal for another's entry, beyond which it once waited
GONE_S = 5
# An authority's register that forgets at once, as openssl wants one.
AUTHORITY = """
[ca]
default_ca = here
[here]
database = {folder}/index
rand_serial = yes
new_certs_dir = {folder}
certificate = {ca}
private_key = {key}
default_md = sha256
policy = any
copy_extensions = none
[any]
commonName = optional
[client]
subjectAltName = URI:spiffe://mymt5/client/brief
extendedKeyUsage = clientAuth
keyUsage = digitalSignature
"""


def call_flood(scene, name, path, message=""):
    """A client's flood of calls, from a process of its own."""
    gateway = scene.gateway
    asked = {"port": gateway.port, "authority": gateway.authority, "proof": gateway.proof(name)}
    asked.update(path=TRADING + path, message=message, seconds=3 if scene.short else 20)
    return scene.crowd("call_on_and_on", **asked)


def list_flood(scene):
    """A client that only reads asks for lists; another one must get out of its positions."""
    positions = [scene.trader.buy() for _ in range(20)]
    exits = []
    with call_flood(scene, "reader", "ListOrders") as crowd:
        for position in positions:
            began = time.monotonic()
            scene.trader.close(position)
            exits.append(time.monotonic() - began)
        began = time.monotonic()
        scene.operator.set_state(scene.halted, "flooded", client="other")
        halted = time.monotonic() - began
    scene.operator.set_state(scene.active, "over", client="other")
    told = (
        f"{len(exits)} exits, the slowest {milliseconds(max(exits))}; halt {milliseconds(halted)}"
    )
    told += f"; {crowd.told['answered']} lists" + crowd.absence()
    held = crowd.all_came() and max(exits + [halted]) <= EXIT_BOUND_S
    yield Row(
        "a `read` client's flood of ListOrders", "an exit missed 30 s, a halt took 13 s", told, held
    )


def trades_under(scene, crowd):
    """What another client's trades took during a flood, and those that failed."""
    with ExitStack() as at_once:
        at_once.enter_context(crowd)
        taken, failed = at_once.enter_context(measured(lambda: round_trip(scene.trader)))
        while crowd.is_at_it():
            time.sleep(0.05)
    return crowd, taken, failed


def no_op_flood(scene):
    """Changes that change nothing, each with an id of its own, without an end."""
    position = scene.other.buy()
    change = scene.other.trading_types.ModifyPositionRequest
    message = change(request_id="no-op-##########", position_id=position).SerializeToString()
    message = (b"\0" + len(message).to_bytes(4, "big") + message).hex()
    memory = scene.gateway.memory_mib()
    crowd, orders, failed = trades_under(
        scene, call_flood(scene, "other", "ModifyPosition", message)
    )
    grown = max(0, scene.gateway.memory_mib() - memory)
    told = (
        f"{len(orders) - len(failed)} of {len(orders)} of another's trades meanwhile, the slowest"
    )
    told += f" {milliseconds(max(orders))}; {crowd.told['answered']} calls, {grown:.0f} MiB"
    told += crowd.absence()
    held = crowd.all_came() and not failed and scene.trader.may_trade()
    before = "entries of everybody closed for good"
    yield Row("a `trade` client's changes of nothing", before, told, held)


def entry_flood(scene):
    """Entries without an end; another client's must be executed, not only accepted."""
    order = scene.other.order("entry-##########").SerializeToString()
    message = (b"\0" + len(order).to_bytes(4, "big") + order).hex()
    crowd, orders, failed = trades_under(scene, call_flood(scene, "other", "SubmitOrder", message))
    told = f"{len(orders) - len(failed)} of {len(orders)} of another's filled, the slowest"
    told += f" {milliseconds(max(orders))}; {crowd.told['answered']} entries of the flooder"
    told += crowd.absence()
    held = crowd.all_came() and not failed and max(orders) <= EXIT_BOUND_S
    before = "another's entries waited beyond a second"
    goal = max(orders) <= ENTRY_S
    yield Row("a `trade` client's flood of entries", before, told, held, goal)


def stream_hoard(scene):
    """A client that only reads takes every stream there is."""
    gateway = scene.gateway
    asked = {"port": gateway.port, "authority": gateway.authority, "proof": gateway.proof("reader")}
    asked.update(path="/mymt5.v1.MarketDataService/StreamTicks", count=256, seconds=2)
    before = scene.operator.status().counters.tick_subscribers
    with scene.crowd("hold_streams", **asked) as crowd:
        scene.stage.until(lambda: open_streams(scene) >= before + SHARE, "share of streams taken")
        stream = scene.trader.ticks()
        ticks = bool(next(stream).ticks)
        held = open_streams(scene) - before - 1
        stream.cancel()
    told = f"another's stream {'opens' if ticks else 'does not open'}, the client has {held}"
    told += f" of its {SHARE}" + crowd.absence()
    held = crowd.all_came() and ticks and held == SHARE
    yield Row("a `read` client that takes 256 streams", "nobody else had one", told, held)


def open_streams(scene):
    return scene.operator.status().counters.tick_subscribers


def brief_certificate(scene, seconds):
    """Signs the client anew, for so long; when that ends, as time.time() has it."""
    home = scene.stage.home
    folder, ends = home / "authority", datetime.now(timezone.utc) + timedelta(seconds=seconds)
    ends = ends.replace(microsecond=0)
    folder.mkdir(mode=0o700)
    (folder / "index").touch()
    tls = home / "config/tls"
    names = {"folder": folder, "ca": tls / "ca.pem", "key": home / "ca.key.pem"}
    (folder / "openssl.cnf").write_text(AUTHORITY.format(**names))
    request, brief = folder / "request.pem", tls / "brief"
    openssl("req", "-new", "-key", brief / "key.pem", "-subj", "/CN=brief", "-out", request)
    times = [ends - timedelta(days=1), ends]
    first, last = (at.strftime("%Y%m%d%H%M%SZ") for at in times)
    options = ["-batch", "-notext", "-config", folder / "openssl.cnf", "-extensions", "client"]
    options += ["-startdate", first, "-enddate", last, "-in", request]
    openssl("ca", *options, "-out", brief / "certificate.pem")
    return ends.timestamp()


def openssl(*words):
    words = ["openssl", *map(str, words)]
    done = subprocess.run(words, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Failure(f"{words[1]}: {done.stdout.decode(errors='replace')[-500:]}")


def asks_status(scene, context, session=None):
    """Whether a new connection, which resumes that session, may ask; and what resumes this one."""
    said, begin = b"", http2.PREFACE + http2.frame(http2.SETTINGS, 0, 0)
    plain = socket.create_connection(("127.0.0.1", scene.gateway.port), GONE_S)
    with context.wrap_socket(plain, server_hostname="localhost", session=session) as tls:
        tls.sendall(begin + http2.call(1, STATUS))
        while scene.version not in said and b"grpc-message" not in said:
            piece = tls.recv(1 << 16)
            if not piece:
                break
            said += piece
        return scene.version in said, tls.session


def still_asks(scene, context, session):
    try:
        return asks_status(scene, context, session)[0]
    except OSError:
        return False


def followed(client):
    """Follows a client's stream of ticks; the list has the time when it ended, once it has."""
    stream, ended = client.ticks(), []
    next(stream)

    def follow():
        with suppress(grpc.RpcError):
            collections.deque(stream, maxlen=0)
        ended.append(time.time())

    threading.Thread(target=follow, daemon=True).start()
    return ended


def expired(scene):
    """A certificate that ends while its client is connected, and has sessions to resume."""
    ends = brief_certificate(scene, 6)
    sessions = []
    for version in [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]:
        context = http2.trust(scene.gateway.authority, scene.stage.home / "config/tls/brief")
        context.minimum_version = context.maximum_version = version
        asked, session = asks_status(scene, context)
        if not asked:
            raise Failure("the client whose certificate ends soon is refused before that")
        sessions.append((context, session))
    with scene.gateway.client("brief") as brief:
        ended = followed(brief)
        scene.stage.until(lambda: ended or time.time() > ends + GONE_S + 1, "end", 20)
        late = ended[0] - ends if ended else None
    told = "still open" if late is None else f"ended {late:.1f} s after it"
    held = late is not None and -1 <= late <= GONE_S
    yield Row("an open connection past its certificate's end", "open for good", told, held)
    resumed = [still_asks(scene, *session) for session in sessions for _ in range(5)]
    told = f"{sum(resumed)} of {len(resumed)} attempts, TLS 1.2 and 1.3"
    before = "5 of 5, and halted the account"
    yield Row("sessions resumed past it", before, told, not any(resumed))


def revoked(scene):
    """A client is taken out by a reload, after `.env` was replaced by a rename."""
    stage, local = scene.stage, "config/gateway.local.toml"
    stage.write(".env", "LOG_LEVEL=info\n", "gateway")
    with scene.gateway.client("leaver") as leaver:
        ended = followed(leaver)
        stage.write(local, "clients.leaver.enabled = false\n", "gateway")
        began = time.time()
        status, said = scene.gateway.run("reload")
        told = "taken up" if status == 0 else said.strip()[:100]
        yield Row(
            "`.env` replaced by a rename, then `reload`",
            "RELOAD_REFUSED until a restart",
            told,
            status == 0,
        )
        stage.until(lambda: ended or time.time() > began + GONE_S + 1, "end", 20)
        late = ended[0] - began if ended else None
    told = "still open" if late is None else f"its stream ended after {late:.1f} s"
    back = comes_back(scene)
    told += "; it comes back" if back else "; it does not come back"
    held = late is not None and late <= GONE_S and not back
    yield Row("a client revoked by that reload", "could not be revoked", told, held)


def comes_back(scene):
    with scene.gateway.client("leaver") as leaver, suppress(grpc.RpcError):
        leaver.status(timeout=GONE_S)
        return True
    return False


def telling(scene):
    """What a client that only reads learns of the others."""
    scene.operator.set_state(scene.halted, "a private matter", client="other")
    said = str(scene.reader.status())
    scene.operator.set_state(scene.active, "over", client="other")
    others = [name for name in CLIENTS if name != "reader" and f'"{name}"' in said]
    others += ["the reason"] if "a private matter" in said else []
    told = "tells " + ", ".join(others) if others else "tells nothing of others"
    yield Row("GetStatus of a `read` client", "others' names and reasons", told, not others)
