#!/usr/bin/python3
"""What monitoring sees of persistence and loading: redis-cli --stat, WAITAOF, and Debian's
prometheus-redis-exporter, which must find what it finds in Redis."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'lib'))
import redis
import suite
from server import SERVER, Server, free_port

EXPORTER = shutil.which('prometheus-redis-exporter')
KEYS = 200_000  # so many changes in the log take a while to load
STAT_S = 0.2

# What exporter 1.45 reads of redis-server 7.0.15 with appendonly yes about persistence.
OF_REDIS = """aof_base_size_bytes aof_buffer_length aof_current_rewrite_duration_sec
aof_current_size_bytes aof_delayed_fsync aof_enabled aof_last_bgrewrite_status
aof_last_cow_size_bytes aof_last_rewrite_duration_sec aof_last_write_status aof_pending_bio_fsync
aof_pending_rewrite aof_rewrite_in_progress aof_rewrite_scheduled loading_dump_file
rdb_bgsave_in_progress rdb_changes_since_last_save rdb_current_bgsave_duration_sec
rdb_last_bgsave_duration_sec rdb_last_bgsave_status rdb_last_cow_size_bytes
rdb_last_save_timestamp_seconds""".split()


class Exporter:
    """prometheus-redis-exporter beside one server."""

    def __init__(self, port):
        self.port = free_port()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [EXPORTER, '-redis.addr', f'redis://127.0.0.1:{port}', '-web.listen-address',
             f'127.0.0.1:{self.port}'], stdout=self.log, stderr=self.log)

    def metrics(self):
        """{name without "redis_": value}; labels are left out."""
        url = f'http://127.0.0.1:{self.port}/metrics'
        for _ in range(100):
            try:
                with urllib.request.urlopen(url) as reply:
                    text = reply.read().decode()
                break
            except OSError:
                time.sleep(0.05)
        return {name: float(value)
                for name, value in re.findall(r'(?m)^redis_(\w+)(?:\{.*\})? (\S+)$', text)}

    def stop(self):
        """What it said."""
        self.process.terminate()
        self.process.wait()
        self.log.seek(0)
        said = self.log.read().decode()
        self.log.close()
        return said


def fill(client, count):
    for at in range(0, count, 10_000):
        with client.pipeline(transaction=False) as p:
            for i in range(at, at + 10_000):
                p.set(f'key:{i}', 'x' * 64)
            p.execute()


class MonitoringTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix='vdb-test-')
        cls.server = Server('--save', '', folder=cls.folder)
        cls.client = redis.Redis(port=cls.server.port)
        fill(cls.client, KEYS)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        status = cls.server.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)
        if status != 0:
            raise AssertionError(f'vdb-server ended with {status}:\n{cls.server.output}')

    def exporter(self, port=None):
        if EXPORTER is None:
            self.skipTest('prometheus-redis-exporter is not installed: what Prometheus would '
                          'see of persistence IS NOT TESTED (apt-get install '
                          'prometheus-redis-exporter)')
        return Exporter(port or self.server.port)

    def restarted_under_load(self, look):
        """Kills the server, starts it again and calls look() until it returns something or the
        server has loaded. Another port, so that nobody else waits for it."""
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait()
        with open(self.server.log, 'ab') as log:
            self.server.process = subprocess.Popen(
                [SERVER, '--port', str(self.server.port), '--dir', self.folder, '--save', ''],
                stdout=log, stderr=log)
        found, client = None, redis.Redis(port=self.server.port)
        for _ in range(10_000):
            try:
                info = client.info('persistence')
            except redis.exceptions.ConnectionError:
                time.sleep(0.001)
                continue
            if info['loading'] == 0:
                break
            found = found or look(client, info)
        client.close()
        self.assertEqual(self.client.dbsize(), KEYS)
        return found

    def test_waitaof_waits_for_the_disk(self):
        self.client.set('key:0', 'y')
        self.assertEqual(self.client.execute_command('WAITAOF', 1, 0, 0), [1, 0])
        info = self.client.info('persistence')
        self.assertEqual(info['log_durable_lsn'], info['log_last_lsn'])
        self.client.config_set('appendonly', 'no')
        with self.assertRaisesRegex(redis.ResponseError, 'appendonly is disabled'):
            self.client.execute_command('WAITAOF', 1, 0, 0)
        self.client.config_set('appendonly', 'yes')
        while self.client.info('persistence')['aof_rewrite_scheduled']:
            time.sleep(0.01)

    def test_exporter_finds_what_it_finds_in_redis(self):
        exporter = self.exporter()
        self.client.execute_command('SAVE')
        self.client.set('key:0', 'z')
        self.client.set('key:1', 'z')
        seen = exporter.metrics()
        said = exporter.stop()
        self.assertEqual([name for name in OF_REDIS if name not in seen], [])
        self.assertEqual(seen['up'], 1)
        self.assertEqual(seen['exporter_last_scrape_error'], 0)
        self.assertEqual(seen['loading_dump_file'], 0)
        self.assertEqual(seen['rdb_last_save_timestamp_seconds'],
                         self.client.lastsave().timestamp())
        self.assertLess(abs(seen['rdb_last_save_timestamp_seconds'] - time.time()), 60)
        self.assertEqual(seen['rdb_changes_since_last_save'], 2)
        self.assertEqual(seen['rdb_last_bgsave_status'], 1)
        self.assertGreaterEqual(seen['rdb_last_bgsave_duration_sec'], 0)
        self.assertEqual(seen['rdb_bgsave_in_progress'], 0)
        self.assertEqual(seen['aof_enabled'], 1)
        self.assertEqual(seen['aof_last_write_status'], 1)
        self.assertEqual(seen['aof_last_bgrewrite_status'], 1)
        self.assertGreater(seen['aof_current_size_bytes'], 0)
        self.assertNotIn('level=err', said)
        self.assertNotIn('level=warn', said)

    def test_exporter_sees_a_server_that_loads(self):
        exporter = self.exporter()
        exporter.metrics()

        def look(_, info):
            self.assertGreater(info['loading_start_time'], 0)
            self.assertLessEqual(info['loading_loaded_bytes'], info['loading_total_bytes'])
            seen = exporter.metrics()
            return seen if seen.get('loading_dump_file') == 1 else None

        seen = self.restarted_under_load(look)
        after = exporter.metrics()
        exporter.stop()
        self.assertIsNotNone(seen, 'it never saw the server load')
        self.assertEqual(seen['up'], 1)
        self.assertEqual(after['loading_dump_file'], 0)

    def test_while_it_loads_commands_are_told_so(self):
        def look(client, _):
            with self.assertRaises(redis.exceptions.BusyLoadingError):
                client.get('key:0')
            return True

        self.assertTrue(self.restarted_under_load(look))

    def stat(self, until):
        """What redis-cli --stat prints until a line matches."""
        with subprocess.Popen(['redis-cli', '-p', str(self.server.port), '--stat', '-i', '0.01'],
                              stdout=subprocess.PIPE, text=True) as run:
            lines = []
            for line in run.stdout:
                lines.append(line)
                if re.search(until, line) or len(lines) > 2000:
                    break
            run.terminate()
        return lines

    def test_redis_cli_stat_shows_keys_and_snapshots(self):
        lines = self.stat(rf'^{KEYS} ')  # another test may have left it loading
        self.assertIn('keys', lines[1])
        self.assertTrue(lines[-1].startswith(f'{KEYS} '), lines[-1])
        for i in range(0, KEYS, 128):  # a key in every chunk, so that all of it is written again
            self.client.set(f'key:{i}', 'w')
        with subprocess.Popen(['redis-cli', '-p', str(self.server.port), '--stat', '-i', '0.001'],
                              stdout=subprocess.PIPE, text=True) as run:
            run.stdout.readline()
            self.client.bgsave()
            while self.client.info('persistence')['rdb_bgsave_in_progress']:
                time.sleep(0.005)
            time.sleep(STAT_S)
            run.terminate()
            self.assertIn('SAVE', run.stdout.read())


if __name__ == '__main__':
    suite.main()
