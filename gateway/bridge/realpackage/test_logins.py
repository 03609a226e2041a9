"""How the gateway bears a terminal that takes a wrong password, and one that has much to tell."""

import unittest

from official import parts
from tempers import TemperTest


class Logins(TemperTest):
    """With many symbols and deals, since each is of the start as well."""

    tempers = ("symbols=2000", "deals=20000", "wrong-password-acknowledged")
    password = "a wrong password"

    def test_an_acknowledged_and_a_refused_one_and_then_the_right_one(self):
        self.closed("did not reach the trade server in time; check its network, MT5_SERVER and")
        self.chain.release()
        self.until(lambda: self.word("REFUSED"), "REFUSED")
        self.closed("authorization failed (-6); correct MT5_LOGIN, MT5_PASSWORD", "REFUSED")
        self.chain.give_password(parts.PASSWORD)
        self.recovers()

    def word(self, link):
        state = self.chain.status()["link"]
        if state == "BACKING_OFF":
            self.chain.hurry()
        return state == link


if __name__ == "__main__":
    unittest.main()
