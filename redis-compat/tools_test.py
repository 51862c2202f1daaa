#!/usr/bin/python3
"""What comes with Redis, against vdb: redis-cli with its hints and modes, redis-benchmark, and
Debian's prometheus-redis-exporter. Each is skipped where it is not installed."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
import urllib.request

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'tests',
                             'lib'))
import suite
from server import Server, free_port, run

KEYS = 300
PIPED = 20_000
# What redis-benchmark's default list has that needs no lists, sets, hashes or sorted sets.
BENCHMARKS = 'ping,set,get,incr,mset'
VECTOR = 'VALUES 3 0.25 0.5 0.75'
ESCAPES = re.compile(r'\x1b\[[0-9;]*[A-Za-z]')


def needs(program):
    return unittest.skipUnless(shutil.which(program), f'{program} is not installed')


class Terminal:
    """A program at a terminal of its own."""

    def __init__(self, *command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ['TERM'] = 'xterm'
            os.environ['HOME'] = '/nonexistent'
            os.execvp(command[0], command)
        # Hints need to know how wide the terminal is.
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack('HHHH', 40, 400, 0, 0))

    def said_until(self, words, seconds=10):
        """What it prints until the pattern comes, or all it printed in that time."""
        said, end = '', time.monotonic() + seconds
        while not re.search(words, said) and time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    said += os.read(self.fd, 65536).decode(errors='replace')
                except OSError:
                    break
        return ESCAPES.sub('', said)

    def type(self, text):
        os.write(self.fd, text.encode())

    def close(self):
        os.kill(self.pid, signal.SIGTERM)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


class ToolsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server('--save', '', '--appendonly', 'no')
        cls.port = str(cls.server.port)

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        if status != 0:
            raise AssertionError(f'vdb-server ended with {status}:\n{cls.server.output}')

    def cli(self, *words, stdin=None, seconds=30):
        return subprocess.run(['redis-cli', '-p', self.port, *words], input=stdin, text=True,
                              capture_output=True, timeout=seconds, check=False)

    def endless(self, mode, words):
        """What a mode that never ends prints at a terminal until the words come."""
        terminal = Terminal('redis-cli', '-p', self.port, *mode)
        said = terminal.said_until(words)
        terminal.close()
        return said

    def fill(self):
        self.cli('CONFIG', 'RESETSTAT')
        lines = [f'SET key:{i:03} {"x" * (i + 1)}\n' for i in range(KEYS)]
        lines.append(f'VADD vectors {VECTOR} a\n')
        self.cli('FLUSHALL')
        done = self.cli('--pipe', stdin=''.join(lines))
        self.assertIn(f'errors: 0, replies: {KEYS + 1}', done.stdout)


@needs('redis-cli')
class RedisCli(ToolsTest):
    def test_pipe_loads_and_counts_errors(self):
        self.cli('FLUSHALL')
        lines = ''.join(f'SET piped:{i} {i}\r\n' for i in range(PIPED))
        done = self.cli('--pipe', stdin=lines)
        self.assertIn(f'errors: 0, replies: {PIPED}', done.stdout)
        self.assertEqual(self.cli('DBSIZE').stdout.strip(), str(PIPED))
        done = self.cli('--pipe', stdin='SET a 1\r\nNOSUCH\r\nGET a\r\n')
        self.assertIn('errors: 1, replies: 3', done.stdout)

    def test_bigkeys(self):
        self.fill()
        said = self.cli('--bigkeys').stdout
        self.assertIn(f'Sampled {KEYS + 1} keys in the keyspace!', said)
        self.assertIn(f'Biggest string found \'"key:{KEYS - 1}"\' has {KEYS} bytes', said)
        self.assertRegex(said, r'1 vectorsets with')

    def test_memkeys(self):
        self.fill()
        said = self.cli('--memkeys').stdout
        self.assertRegex(said, r'Biggest vectorset found \'"vectors"\' has \d+ bytes')
        self.assertRegex(said, f'{KEYS} strings with \\d+ bytes')

    def test_hotkeys(self):
        self.fill()
        self.cli('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lfu')
        self.cli('-r', '500', 'GET', 'key:007')
        said = self.cli('--hotkeys').stdout
        self.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
        self.assertRegex(said, r'hot key found with counter: \d+\s+keyname: "?key:007')

    def test_scan(self):
        self.fill()
        said = self.cli('--scan', '--pattern', 'key:1*').stdout.split()
        self.assertEqual(sorted(said), [f'key:{i}' for i in range(100, 200)])

    def test_stat(self):
        self.fill()
        said = self.endless(['--stat', '-i', '0.05'], r'(?m)^\d+ .*\n\d+ .*\n')
        lines = said.replace('\r', '').split('\n')
        self.assertRegex(lines[0], r'^-+ data -+')
        self.assertIn('clients', lines[1])
        self.assertRegex(lines[2], rf'^{KEYS + 1} +\d')

    def test_latency(self):
        said = self.endless(['--latency'], r'avg: [\d.]+ \(\d{2,} samples\)')
        low, high, average = re.findall(r'min: (\d+), max: (\d+), avg: ([\d.]+)', said)[-1]
        self.assertLessEqual(float(low), float(average))
        self.assertLessEqual(float(average), float(high))

    def test_latency_history(self):
        said = self.endless(['--latency-history', '-i', '0.3'], r'(?s)(seconds range.*){2}')
        self.assertRegex(said, r'samples\) -- 0\.\d+ seconds range')

    def test_csv_json_and_resp3(self):
        self.fill()
        self.assertEqual(self.cli('--csv', 'MGET', 'key:000', 'none').stdout, '"x",NULL\n')
        said = self.cli('-3', '--json', 'VSIM', 'vectors', 'ELE', 'a', 'WITHSCORES').stdout
        self.assertEqual(said, '{"a":1}\n')

    def test_reads_a_vector_from_its_input(self):
        blob = b'\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x00\x40'
        done = subprocess.run(['redis-cli', '-p', self.port, '-X', 'tag', 'VADD', 'piped', 'FP32',
                               'tag', 'a'], input=blob, capture_output=True, check=False)
        self.assertEqual(done.stdout, b'1\n')
        self.assertEqual(self.cli('VEMB', 'piped', 'a').stdout, '1\n2\n2\n')

    def test_repeats(self):
        self.assertEqual(self.cli('-r', '3', 'PING').stdout, 'PONG\n' * 3)

    def test_a_transaction_at_the_prompt(self):
        said = self.cli(stdin='MULTI\nSET a 1\nINCR a\nEXEC\n').stdout
        self.assertEqual(said, 'OK\nQUEUED\nQUEUED\nOK\n2\n')

    def test_hints_come_from_the_table_of_commands(self):
        terminal = Terminal('redis-cli', '-p', self.port)
        terminal.said_until('>')
        for typed, hint in (('SET k', 'value'), ('VADD k VALUES', 'element'), ('VSEARCH', 'key'),
                            ('CONFIG SET', 'parameter'), ('CLIENT SETNAME', 'connection-name')):
            terminal.type(typed + ' ')
            said = terminal.said_until(hint)
            self.assertRegex(said, hint, f'redis-cli shows no hint after {typed}')
            terminal.type('\x15') # the line is emptied
        terminal.type('PING\r')
        self.assertIn('PONG', terminal.said_until('PONG'))
        terminal.type('exit\r')
        terminal.close()

    def test_help_knows_our_commands(self):
        said = self.cli(stdin='HELP VSEARCH\n').stdout
        said = ESCAPES.sub('', said)
        self.assertIn('VSEARCH key', said)
        self.assertIn('summary:', said)


@needs('redis-benchmark')
class RedisBenchmark(ToolsTest):
    def benchmark(self, *options):
        done = run('redis-benchmark', '-p', self.port, '-n', 2000, '--csv', *options)
        self.assertNotIn('Error', done.stdout + done.stderr)
        self.assertNotIn('WARNING', done.stdout + done.stderr)
        return [line.split(',')[0].strip('"') for line in done.stdout.strip().split('\n')[1:]]

    def test_default_list_as_far_as_it_applies(self):
        names = ['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', 'MSET (10 keys)']
        self.assertEqual(self.benchmark('-t', BENCHMARKS), names)
        self.assertEqual(self.benchmark('-t', BENCHMARKS, '-P', '16', '-c', '20'), names)

    def test_random_keys_threads_and_resp3(self):
        self.assertEqual(self.benchmark('-t', 'set,get', '-r', '1000', '--threads', '2', '-3'),
                         ['SET', 'GET'])

    def test_commands_of_its_own(self):
        said = self.benchmark('VADD', 'bench', 'VALUES', '2', '1', '2', 'x')
        self.assertEqual(len(said), 1)
        self.assertEqual(self.cli('VCARD', 'bench').stdout, '1\n')


@needs('prometheus-redis-exporter')
class Exporter(ToolsTest):
    def scrape(self, *options):
        """The metrics, and what the exporter has logged."""
        port = free_port()
        with tempfile.TemporaryFile() as log:
            exporter = subprocess.Popen(
                ['prometheus-redis-exporter', '-redis.addr', f'redis://127.0.0.1:{self.port}',
                 '-web.listen-address', f'127.0.0.1:{port}', *options], stdout=log, stderr=log)
            try:
                text = self.fetch(port)
            finally:
                exporter.terminate()
                exporter.wait()
            log.seek(0)
            return text, log.read().decode()

    def fetch(self, port):
        for _ in range(100):
            try:
                with urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics') as reply:
                    return reply.read().decode()
            except OSError:
                time.sleep(0.05)
        raise AssertionError('the exporter does not answer')

    def test_scrapes_everything_without_an_error(self):
        self.fill()
        for _ in range(20):
            self.cli('VSIM', 'vectors', 'ELE', 'a')
        text, said = self.scrape('-debug', '-check-single-keys', 'key:000',
                                 '-export-client-list', '-include-system-metrics')
        self.assertNotRegex(said, r'level=(err|warn)')
        found = dict(re.findall(r'(?m)^redis_(\w+(?:\{[^}]*\})?) (\S+)$', text))
        self.assertEqual(found['up'], '1')
        self.assertEqual(found['exporter_last_scrape_error{err=""}'], '0')
        self.assertEqual(found['db_keys{db="db0"}'], str(KEYS + 1))
        self.assertEqual(found['connected_slaves'], '0')
        self.assertIn('config_maxclients', found)
        self.assertEqual(found['commands_total{cmd="VSIM"}'], '20')
        self.assertIn('key_size{db="db0",key="key:000"}', found)

    def test_slow_log_and_latency(self):
        self.cli('CONFIG', 'SET', 'slowlog-log-slower-than', '0')
        self.cli('CONFIG', 'SET', 'latency-monitor-threshold', '1')
        self.fill()
        text, said = self.scrape('-debug')
        self.cli('CONFIG', 'SET', 'slowlog-log-slower-than', '10000')
        self.assertNotRegex(said, r'level=(err|warn)')
        found = dict(re.findall(r'(?m)^redis_(\w+) (\S+)$', text))
        self.assertGreater(int(found['slowlog_length']), 0)
        self.assertGreater(int(found['slowlog_last_id']), 0)


if __name__ == '__main__':
    suite.main()
