#!/usr/bin/python3
"""The judge of kill9.py and power.py lets every honest crash pass and catches dishonest ones."""

import copy
import os
import random
import sys
import tempfile
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))), 'lib'))
import effects
import model
import process
import suite
import workload

KNOWN = {name for name, _ in workload.MAKERS} | {'MULTI', 'PEXPIRETIME'}
SENT = 120


class Recorded:
    """A client that has sent SENT commands, of which some were answered, and what an honest server
    held after each."""

    def __init__(self, seed, acked):
        self.client = workload.Client(0, random.Random(seed), KNOWN, 1)
        server = {}
        self.states = [{}]
        for _ in range(SENT):
            self.client.next()
        for number, command in enumerate(list(self.client.pending)):
            window = (command.sent_ms, command.sent_ms)
            reply = command.effect(server, window)
            self.states.append(model.clone(server))
            if number < acked:
                for _ in command.wire[1:]:
                    self.client.hear(b'QUEUED')
                self.client.hear(reply)
        self.now = workload.now_ms()

    def judge(self, held, **options):
        client = copy.deepcopy(self.client)
        return client.survivors(model.clone(held), self.now, self.now, **options)


def comes_back(states, number):
    """Is the state after so many commands the same as a later one?"""
    now = workload.now_ms()
    return any(model.mismatch(states[number], later, now, now) is None
               for later in states[number + 1:])


class ModelTest(unittest.TestCase):
    def test_every_prefix_from_the_last_acknowledged_on_is_allowed(self):
        for seed in range(10):
            recorded = Recorded(seed, 60)
            self.assertIsNone(recorded.client.wrong)
            for done in range(60, SENT + 1):
                self.assertLessEqual(recorded.judge(recorded.states[done]), done - 60)

    def test_losing_the_last_acknowledged_write_is_caught(self):
        caught = 0
        for seed in range(40):
            recorded = Recorded(seed, 60)
            if not comes_back(recorded.states, 59):
                with self.assertRaises(AssertionError):
                    recorded.judge(recorded.states[59])
                caught += 1
        self.assertGreater(caught, 15)

    def test_it_may_be_lost_where_that_is_allowed_and_is_counted(self):
        recorded = Recorded(3, 60)
        self.assertEqual(recorded.judge({}, safe_until_ms=0), -60)
        with self.assertRaises(AssertionError):
            recorded.judge({}, safe_until_ms=recorded.now + 1)

    def test_a_command_left_out_of_the_middle_is_caught(self):
        """All that was sent is there, but for one that was under way."""
        caught = 0
        for seed in range(20):
            recorded = Recorded(seed, 60)
            held = model.clone(recorded.states[60])
            for number, command in enumerate(recorded.client.pending):
                if number != 50:
                    command.effect(held, (command.sent_ms, command.sent_ms))
            try:
                recorded.judge(held)
            except AssertionError:
                caught += 1
        self.assertGreater(caught, 5)  # others are overwritten, or change nothing

    def one_more(self, command):
        """A client with one acknowledged set of vectors and this command under way."""
        recorded = Recorded(1, SENT)
        client = recorded.client
        client.restart_from({b'c0:v0': model.Vectors(4, 'L2', True), b'c0:n0': model.Text(b'5')})
        client.pending.append(command)
        return recorded

    def test_half_of_a_vmadd_is_caught(self):
        elements = [(b'a', (1.0,) * 4, None), (b'b', (2.0,) * 4, None)]
        recorded = self.one_more(workload.Command([('VMADD',)],
                                                  effects.put(b'c0:v0', 4, elements)))
        for count, allowed in ((0, True), (1, False), (2, True)):
            held = model.clone(recorded.client.acked)
            effects.put(b'c0:v0', 4, elements[:count])(held, None)
            if allowed:
                self.assertEqual(recorded.judge(held), count // 2)
            else:
                self.assertRaises(AssertionError, recorded.judge, held)

    def test_half_of_an_exec_and_a_doubled_incr_are_caught(self):
        parts = [effects.add(b'c0:n0', 1), effects.set_text(b'c0:s0', b'x')]
        recorded = self.one_more(workload.Command([('EXEC',)], effects.all_of(parts)))
        for applied in (parts[:1], parts[1:], [parts[0], *parts]):
            held = model.clone(recorded.client.acked)
            effects.all_of(applied)(held, (0, 0))
            self.assertRaises(AssertionError, recorded.judge, held)

    def test_a_key_that_came_back_or_lost_its_expiry_is_caught(self):
        recorded = Recorded(1, SENT)
        client = recorded.client
        far = (recorded.now + 10**6, recorded.now + 10**6)
        client.restart_from({b'c0:s0': model.Text(b'x', far)})
        for held in ({b'c0:s0': model.Text(b'x')}, {b'c0:s0': model.Text(b'x', (1, 1))},
                     {**client.acked, b'c0:s1': model.Text(b'y')}, {}):
            self.assertRaises(AssertionError, recorded.judge, held)
        self.assertEqual(recorded.judge(client.acked), 0)

    def test_an_expired_key_that_is_still_there_is_caught(self):
        recorded = Recorded(1, SENT)
        past = (recorded.now - 10**5, recorded.now - 10**5)
        recorded.client.restart_from({b'c0:s0': model.Text(b'x', past)})
        self.assertEqual(recorded.judge({}), 0)
        self.assertRaises(AssertionError, recorded.judge, {b'c0:s0': model.Text(b'x', past)})


class CoverageTest(unittest.TestCase):
    def test_every_command_that_writes_is_sent_by_the_clients(self):
        with tempfile.TemporaryDirectory() as folder:
            server = process.Process(os.path.join(folder, 'data'))
            try:
                self.assertEqual(workload.uncovered(server.wait()), [])
            finally:
                server.kill()


if __name__ == '__main__':
    suite.main()
