#!/usr/bin/python3
"""wire.py: says to vdb what frameworks say that cannot run here, in RESP2 and RESP3, and checks
what they read of the replies; ends with a table of them.

    wire.py [WORD ...]    all of wire/*.txt, or those whose name has one of the words
"""

import sys
import time

import programs
import wire_script
from resp import Connection
from server import Server
from wire_reply import BadReply, tree, views

AGAIN_S = 5
ENOUGH = 20 # complaints about one script


class Player:
    """One script in one protocol: how many checks held, and what did not."""

    def __init__(self, port, proto):
        self.port, self.proto = port, proto
        self.passed, self.commands = 0, 0
        self.complaints = []
        self.missing = {} # section that waits -> for what
        self.kept = {}
        self.connection = None

    def fresh(self):
        if self.connection:
            self.connection.close()
        self.kept = {}
        self.connection = Connection(self.port, self.proto)
        self.connection.ask([b'FLUSHALL'])

    def play(self, section):
        """What section.missing is about counts for nothing until it is there."""
        self.fresh()
        before, known = self.passed, len(self.complaints)
        for command in section.commands:
            self.commands += 1
            self.say(command)
        if section.missing and len(self.complaints) > known:
            self.passed, self.complaints[known:] = before, []
            self.missing[section.title] = section.missing
        elif section.missing:
            self.complaints.append(f'"{section.title}" is no longer missing: take the line away')

    def say(self, command):
        until = time.monotonic() + (AGAIN_S if command.again else 0)
        while True:
            wrong, node = self.ask(command)
            if not wrong or time.monotonic() >= until:
                break
            time.sleep(0.01)
        self.passed += max(1, len(self.checks_of(command))) - len(wrong)
        self.complaints += [f'{command.place} (RESP{self.proto}): {command.text[:200]}\n'
                            f'  wanted  {what}\n  got     {str(node)[:1000]}' for what in wrong]

    def ask(self, command):
        """The checks that do not hold, and the reply."""
        args = command.args(self.kept)
        node = tree(self.connection.ask(args))
        try:
            found = views(node, args)
        except BadReply as bad:
            return [f'another shape: {bad}'], node
        checks = self.checks_of(command)
        if not command.checks:
            held = node.kind == '+' and node.text() in (b'OK', b'QUEUED')
            return [] if held else ['OK or QUEUED'], node
        if 'error' in found and not any(check.root == 'error' for check in checks):
            return ['no error'], node
        return [check.text for check in checks if not self.holds(check, found)], node

    def checks_of(self, command):
        return [check for check in command.checks if str(self.proto) in check.protos]

    def holds(self, check, found):
        node = found.get(check.root)
        for step in check.steps:
            node = node.find(step) if node is not None else None
        if check.what == 'keep' and node is not None:
            self.kept[f'<{check.wanted}>'.encode()] = node.text()
        return wire_script.holds(check, node)


def replay(script, port):
    """Returns commands, checks that held and that did not in both protocols, and what waits."""
    players = [Player(port, proto) for proto in (2, 3)]
    for player in players:
        for section in script.sections:
            player.play(section)
        player.connection.close()
    complaints = [text for player in players for text in player.complaints]
    for text in complaints[:ENOUGH]:
        print('FAIL ' + text)
    missing = players[0].missing | players[1].missing
    for title, what in missing.items():
        print(f'SKIP {script.name}: "{title}" waits for {what}')
    return players[0].commands, sum(player.passed for player in players), len(complaints), missing


def main():
    scripts = wire_script.load(sys.argv[1:])
    server = Server('--save', '', '--appendonly', 'no')
    rows, total = [], [0, 0, 0]
    try:
        for script in scripts:
            commands, passed, failed, missing = replay(script, server.port)
            total = [a + b for a, b in zip(total, (passed, failed, len(missing)))]
            rows.append((script.framework, str(commands), f'{passed}/{passed + failed}',
                         'FAILS' if failed else 'passes' if passed else 'waits',
                         ', '.join(sorted(set(missing.values())))))
    finally:
        status = server.stop()
    if status != 0:
        print(f'FAIL the server ended with {status}:\n{server.output}')
        total[1] += 1
    heads = ('framework', 'commands', 'checks in RESP2 and RESP3', 'result', 'missing')
    programs.print_table(heads, rows)
    print(f'{total[0]} passed, {total[1]} failed, {total[2]} skipped')
    sys.exit(0 if total[1] == 0 and total[0] > 0 else 1)


if __name__ == '__main__':
    main()
