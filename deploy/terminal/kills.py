"""Kills parts of the chain while orders flow, and judges what has become of each order."""

import json
import random
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from parts import PARTS, SYMBOLS, Chain, Trader, bench
from windows_python import Fault, say

TRADERS = 3
FLOW = 3  # orders that are filled between two kills
PAUSE_S = 0.5  # at most, before the next kill
AGAIN_S = 0.05  # before a request is repeated
ANSWER_S = 15  # of one call
OUTCOME_S = 3  # until a trader goes on without an order's outcome
HURRY_S = 1  # without what is waited for until the gateway is to try the broker at once
FLOWS_S = 120  # until orders flow again, with the grace of those whose outcome is unknown
SETTLED_S = 300  # until each order is settled, at the end
LOOKS = "[orders]\nreconcile_pass_ms = 500\n"  # three of them and the grace time settle an order
OPEN = ["ACCEPTED", "SENT", "WORKING", "PARTIALLY_FILLED", "UNKNOWN"]


class Asked:
    """What has become of the traders' requests, as they know it."""

    def __init__(self):
        self.accepted, self.refused, self.filled = set(), set(), 0


class Customer(Trader):
    """Buys and closes, and repeats each request until it is answered, as a good client does."""

    options = (
        *bench.OWN,
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 500),
    )

    def __init__(self, chain, asked, stop, seed):
        super().__init__(chain, chain.api)
        self._asked, self._stop, self._dice = asked, stop, random.Random(seed)
        codes = bench.import_module("grpc").StatusCode
        self._lost = {codes.UNAVAILABLE, codes.DEADLINE_EXCEEDED, codes.CANCELLED, codes.UNKNOWN}
        states = self.types.OrderState
        self.open = {states.Value("ORDER_STATE_" + name) for name in OPEN}

    def trade(self):
        while not self._stop.is_set():
            request = self.order()
            request.symbol = self._dice.choice(SYMBOLS)
            bought = self._settled(self._ask(self.service.SubmitOrder, request))
            if bought:
                what = {"request_id": uuid.uuid4().hex, "position_id": bought.position_id}
                close = self.proto.ClosePositionRequest(**what)
                self._settled(self._ask(self.service.ClosePosition, close))

    def _ask(self, call, request):
        """Asks until there is an answer: the order; none where it is refused, or at the end."""
        while True:
            try:
                order = call(request, timeout=ANSWER_S).order
            except self.fault as fault:
                if fault.code() not in self._lost:
                    self._asked.refused.add(request.request_id)
                    self._stop.wait(AGAIN_S)
                    return None
                if self._stop.wait(AGAIN_S):
                    return None
            else:
                self._asked.accepted.add(request.request_id)
                return order

    def _settled(self, order):
        """The order once it is filled; none where it is not, or not soon."""
        end = time.monotonic() + OUTCOME_S
        while order and order.state in self.open and time.monotonic() < end:
            if self._stop.wait(AGAIN_S):
                return None
            ask = self.proto.GetOrderRequest(order_id=order.order_id)
            try:
                order = self.service.GetOrder(ask, timeout=ANSWER_S).order
            except self.fault:
                pass
        if not order or order.state != self.types.ORDER_STATE_FILLED:
            return None
        self._asked.filled += 1
        return order


@contextmanager
def trading(chain, asked, seed):
    """Traders at work, until the block ends."""
    stop = threading.Event()
    traders = [Customer(chain, asked, stop, seed + number) for number in range(TRADERS)]
    with ThreadPoolExecutor(TRADERS) as pool:
        running = [pool.submit(trader.trade) for trader in traders]
        try:
            yield running
        finally:
            stop.set()
        for trader in running:
            trader.result()


class Hurry:
    """A `reload` each second: logins that kills interrupt count as unanswered, and after four of them
    the gateway pauses for two minutes."""

    def __init__(self, chain):
        self._chain, self._at = chain, time.monotonic() + HURRY_S

    def __call__(self):
        if time.monotonic() > self._at:
            self._chain.hurry()
            self._at = time.monotonic() + HURRY_S


def flow(chain, asked, running):
    """Waits until orders are filled: the seconds that it took."""
    enough, begun, hurry = asked.filled + FLOW, time.monotonic(), Hurry(chain)
    while asked.filled < enough:
        hurry()
        for trader in running:
            if trader.done():
                trader.result()
        if time.monotonic() - begun > FLOWS_S:
            raise Fault(f"no orders are filled for {FLOWS_S} s")
        time.sleep(0.02)
    return time.monotonic() - begun


def play(chain, asked, rounds, seed):
    """Kills a part in each round, once orders flow: how many of each, and the longest wait."""
    dice, killed, longest = random.Random(seed), Counter(), 0.0
    with trading(chain, asked, seed) as running:
        for _ in range(rounds):
            longest = max(longest, flow(chain, asked, running))
            part = dice.choice(PARTS)
            time.sleep(dice.uniform(0, PAUSE_S))
            say(f"{asked.filled} orders filled: {part} killed")
            chain.kill(part)
            chain.restart(part)
            killed[part] += 1
    return killed, longest


def settled(chain):
    """Orders and deals of the gateway, once no order is open any more."""
    reader = Customer(chain, Asked(), threading.Event(), 0)
    limit, hurry = time.monotonic() + SETTLED_S, Hurry(chain)
    while True:
        hurry()
        try:
            orders = reader.orders()
            if not any(order.state in reader.open for order in orders):
                return reader, orders, reader.deals()
        except reader.fault:
            orders = []
        if time.monotonic() > limit:
            left = [str(order) for order in orders if order.state in reader.open]
            raise Fault(f"not settled in {SETTLED_S} s: {left[:5]}")
        time.sleep(0.2)


def kept_deals(file):
    """The trades in the terminal's own record; a last line that is not whole was never told."""
    deals = []
    for line in file.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            deals += json.loads(line)["deals"]
    return [deal for deal in deals if isinstance(deal["kind"], dict)]


def several(items):
    return [item for item, count in Counter(items).items() if count > 1]


def faults(asked, filled, orders, deals, kept):
    """What is doubled, lost or invented, each with a few examples."""
    ours = {deal.deal_id for deal in deals}
    theirs = {deal["ticket"] for deal in kept}
    known = {order.client_order_id for order in orders}
    done = {order.order_id for order in orders if order.state == filled}
    dealt = {deal.order_id for deal in deals}
    names = {order.client_order_id for order in orders if order.order_id in done}
    return {
        "several deals at the terminal under one magic": several(deal["magic"] for deal in kept),
        "an order with several deals": several(deal.order_id for deal in deals),
        "a deal that is told twice": several(deal.deal_id for deal in deals),
        "a deal that the gateway does not know": theirs - ours,
        "a deal that the terminal does not know": ours - theirs,
        "a filled order without a deal": done - dealt,
        "a deal of no filled order": dealt - done,
        "an accepted request without an order": asked.accepted - known,
        "a refused request that was filled": (asked.refused - asked.accepted) & names,
    }


def run(rounds, seed):
    """Plays so many rounds, and judges them by the terminal's record and the gateway's lists."""
    seed = random.randrange(2**32) if seed is None else seed
    say(f"seed {seed}")
    asked = Asked()
    with Chain("--state={folder}/account", more=LOOKS) as chain:
        try:
            chain.until_trading()
            killed, longest = play(chain, asked, rounds, seed)
            reader, orders, deals = settled(chain)
        except Exception:
            say(chain.logs())
            raise
        kept = kept_deals(chain.folder / "account")
    wrong = faults(asked, reader.types.ORDER_STATE_FILLED, orders, deals, kept)
    counts = Counter(reader.types.OrderState.Name(order.state)[12:] for order in orders)
    kills = ", ".join(f"{killed[part]} {part}" for part in PARTS)
    print(f"{rounds} kills: {kills}; {longest:.0f} s at most until orders flowed again")
    print(f"{len(orders)} orders: {dict(counts)}; {len(kept)} deals at the terminal")
    print(f"{len(asked.accepted)} requests accepted, {len(asked.refused)} refused")
    found = [f"{what}: {sorted(items)[:5]}" for what, items in wrong.items() if items]
    if found:
        raise Fault("\n".join(found))
    print("0 doubled, 0 lost")
