"""load.py: several connections that write at once, until told to stop; then the question what a
restarted server must hold."""

import select
import time

import model
import workload
from resp import Lost


PROBE = b'probe'  # a key that tests may write to; what it holds is not judged


class Load:
    """The clients and their models outlive the servers; connections do not."""

    def __init__(self, rng, count, known):
        self.rng = rng
        self.knows_expiry = 'PEXPIRETIME' in known
        self.clients = [workload.Client(i, rng, known, count) for i in range(count)]
        self.connections = []

    def take_acked(self):
        """How many writes were acknowledged since the last call."""
        return sum(client.take_acked() for client in self.clients)

    @property
    def writes_acked(self):
        return sum(client.writes_acked for client in self.clients)

    @property
    def writes_refused(self):
        return sum(client.writes_refused for client in self.clients)

    def connect(self, process):
        self.connections = [process.connect(client.hear) for client in self.clients]

    def disconnect(self):
        for connection in self.connections:
            connection.close()
        self.connections = []

    def run(self, seconds, depth, until=None):
        """Keeps up to depth commands under way on each connection, for so long or until until()
        holds. False: the server is gone."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end and not (until is not None and until()):
                for client, connection in zip(self.clients, self.connections):
                    while client.may_send(depth):
                        for words in client.next():
                            connection.send(words)
                    connection.pump_out()
                ready, _, _ = select.select(self.connections, [], [], 0.002)
                for connection in ready:
                    connection.pump_in()
        except Lost:
            return False
        return True

    def drain(self, seconds):
        """Waits for replies to all that was sent. Whether they all came."""
        end = time.monotonic() + seconds
        try:
            while any(client.pending for client in self.clients):
                left = end - time.monotonic()
                if left <= 0:
                    return False
                for connection in self.connections:
                    connection.pump_out()
                ready, _, _ = select.select(self.connections, [], [], min(left, 0.01))
                for connection in ready:
                    connection.pump_in()
        except Lost:
            return False
        return True

    def hear_the_last(self):
        """Replies that had arrived when the server was killed count as acknowledged."""
        for connection in self.connections:
            try:
                while select.select([connection], [], [], 0)[0]:
                    connection.pump_in()
            except Lost:
                pass

    def flush(self, connection):
        """FLUSHALL while nothing is under way; acknowledged, so nothing may come back."""
        reply = connection.ask('FLUSHALL')
        if reply != b'OK':
            raise AssertionError(f'FLUSHALL answers {reply}')
        for client in self.clients:
            client.restart_from({})

    def judge(self, connection, safe_until_ms=None):
        """Compares what the server holds with every client's model. Returns how many commands it
        had done that were not acknowledged, and how many it had lost that were: 0 but for those
        acknowledged after safe_until_ms. Raises AssertionError with what is wrong."""
        from_ms = workload.now_ms()
        held = model.read_state(connection, self.knows_expiry)
        to_ms = workload.now_ms()
        held.pop(PROBE, None)
        done = lost = 0
        for client in self.clients:
            own = {key: held.pop(key) for key in list(held) if key.startswith(client.prefix)}
            beyond = client.survivors(own, from_ms, to_ms, safe_until_ms)
            done += max(beyond, 0)
            lost += max(-beyond, 0)
            if client.wrong is not None:
                raise AssertionError(client.wrong)
        if held:
            raise AssertionError(f'keys that nobody wrote: {sorted(held)}')
        self.judge_order()
        return done, lost

    def judge_order(self):
        """A write that was made after a reply of another connection's counter stands behind it."""
        for client in self.clients:
            for peer in client.peers:
                saw = client.acked.get(b'%ssaw%d' % (client.prefix, peer))
                counter = self.clients[peer].acked.get(b'c%d:count' % peer)
                if saw is not None and int(saw.value) > int(counter.value if counter else 0):
                    raise AssertionError(f'{client.prefix} saw {saw} of connection {peer}, whose '
                                         f'counter is {counter}')
