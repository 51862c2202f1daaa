"""backups.py: what holds of every object store, as tests of a real server; a script adds where the
store is (store_test.py: a local folder; tests/s3/server_test.py: radosgw)."""

import datetime
import os
import random
import shutil
import tempfile
import time

import redis
from server import Server

DIM = 12
ELEMENTS = 300  # past flat-rows-max, so that there is a graph
OPTIONS = ('--flat-rows-max', '100', '--save', '', '--object-store-interval', '1')
WAIT_S = 60


def connect(server):
    return redis.Redis(port=server.port, socket_timeout=WAIT_S)


def vector(i):
    source = random.Random(i)
    return [round(source.uniform(-1, 1), 3) for _ in range(DIM)]


def add(client, key, i):
    client.execute_command('VADD', key, 'VALUES', DIM, *vector(i), f'e{i}', 'SETATTR',
                           f'{{"n":{i}}}')


def fill(client, key='words', count=ELEMENTS):
    for i in range(count):
        add(client, key, i)
    client.set('plain', 'text')
    client.set('large', bytes(range(256)) * 400)


def state(client):
    """All that a client can see, with searches."""
    seen = {}
    for key in sorted(client.keys('*')):
        if client.type(key) == b'string':
            seen[key] = client.get(key)
            continue
        seen[key] = [client.execute_command('VCARD', key)] + [
            client.execute_command('VSIM', key, 'VALUES', DIM, *vector(1000 + q), 'COUNT', 5,
                                   'WITHSCORES', 'WITHATTRIBS', 'TRUTH') for q in range(10)]
    return seen


def store_info(client):
    return {name: value for name, value in client.info('persistence').items()
            if name.startswith('object_store_')}


def wait_stored(client):
    """Until the store has every change; its last numbers."""
    until = time.monotonic() + WAIT_S
    info = store_info(client)
    while (info['object_store_lag_records'] != 0 or info['object_store_status'] != 'ok' or
           info['object_store_log_lsn'] < info['object_store_backup_lsn']):
        if time.monotonic() > until:
            raise AssertionError(f'the store does not get there: {info}')
        time.sleep(0.05)
        info = store_info(client)
    return info


def kill(server):
    server.process.kill()
    server.process.wait()


class Backups:
    """A mixin; the script's setUp sets self.store (options that name the store's place, a URL that
    is this test's alone) by store_options()."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='vdb-backups-')
        self.servers = []
        self.url = self.store_url()

    def tearDown(self):
        for server in self.servers:
            if server.process.poll() is None:
                kill(server)
        shutil.rmtree(self.folder, ignore_errors=True)

    def dir(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(path, exist_ok=True)
        return path

    def start(self, name, *options):
        """A server in a folder of that name, with a client."""
        server = Server(*OPTIONS, *self.store_options(), *options, folder=self.dir(name))
        self.servers.append(server)
        return server, connect(server)

    def start_stored(self, name, *options):
        return self.start(name, '--object-store', self.url, *options)

    def refuses(self, name, *options):
        """What a server says that does not start."""
        with self.assertRaises(RuntimeError) as caught:
            self.start(name, *options)
        return str(caught.exception)

    # -- there and back

    def test_a_lost_folder_comes_back(self):
        server, client = self.start_stored('first')
        fill(client)
        info = wait_stored(client)
        self.assertEqual(info['object_store_enabled'], 1)
        self.assertEqual(info['object_store_url'], self.url)
        self.assertEqual(info['object_store_errors'], 0)
        client.set('later', 'only the log has this')
        info = wait_stored(client)
        self.assertGreaterEqual(info['object_store_log_lsn'], ELEMENTS + 3)
        self.assertGreater(info['object_store_backup_lsn'], 0)
        self.assertGreater(info['object_store_uploaded_bytes'], 102400)
        before = state(client)
        kill(server)
        again, client = self.start_stored('second')
        self.assertIn('restored from the object store', again.said())
        self.assertEqual(state(client), before)
        client.set('more', 'goes on')
        wait_stored(client)
        kill(again)
        _, client = self.start_stored('third')
        self.assertEqual(client.get('more'), b'goes on')

    def test_unchanged_parts_are_not_sent_again(self):
        _, client = self.start_stored('first')
        fill(client)
        for i in range(100):
            client.set(f'part-{i}', os.urandom(20_000))
        client.execute_command('VBACKUP')
        sent = wait_stored(client)['object_store_uploaded_bytes']
        self.assertGreater(sent, 2_000_000)
        for i in range(3):
            client.set('small', i)
            client.execute_command('VBACKUP')
        more = wait_stored(client)['object_store_uploaded_bytes'] - sent
        self.assertLess(more, 400_000)

    # -- points in time

    def test_a_moment_before_a_drop(self):
        server, client = self.start_stored('first')
        fill(client)
        client.execute_command('VBACKUP')
        for i in range(ELEMENTS, ELEMENTS + 20):
            add(client, 'words', i)
        before = state(client)
        time.sleep(0.01)
        moment = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='milliseconds')
        moment = moment.replace('+00:00', 'Z')
        time.sleep(0.01)
        client.execute_command('VDROP', 'words')
        dropped = state(client)
        client.execute_command('VBACKUP')
        info = wait_stored(client)
        server.stop()
        self.assertNotEqual(before, dropped)
        for name, at in (('time', moment), ('lsn', str(info['object_store_log_lsn'] - 1))):
            other, client = self.start(name, '--restore-from', self.url, '--at', at)
            self.assertEqual(state(client), before)
            other.stop()
        other, client = self.start('all', '--restore-from', self.url)
        self.assertEqual(state(client), dropped)
        other.stop()
        other, client = self.start('time')  # a folder like any other
        self.assertEqual(state(client), before)
        said = self.refuses('lsn', '--restore-from', self.url)
        self.assertIn('has data', said)
        said = self.refuses('early', '--restore-from', self.url, '--at', '@1000')
        self.assertIn('goes back to', said)
        said = self.refuses('late', '--restore-from', self.url, '--at', '99999999')
        self.assertIn('reaches LSN', said)

    # -- VBACKUP

    def test_vbackup_to_another_place(self):
        other = self.store_url()
        server, client = self.start('first')
        with self.assertRaisesRegex(redis.ResponseError, 'there is no object store'):
            client.execute_command('VBACKUP')
        fill(client)
        lsn = client.execute_command('VBACKUP', 'TO', other)
        self.assertGreaterEqual(lsn, ELEMENTS + 2)
        before = state(client)
        client.set('later', 'not in the backup')
        self.assertEqual(store_info(client), {'object_store_enabled': 0})
        server.stop()
        _, again = self.start('second', '--restore-from', other)
        self.assertEqual(state(again), before)

    def test_another_servers_place_is_left_alone(self):
        _, client = self.start_stored('first')
        client.set('mine', '1')
        client.execute_command('VBACKUP')
        _, other = self.start('second')
        other.set('other', '2')
        with self.assertRaisesRegex(redis.ResponseError, 'another server'):
            other.execute_command('VBACKUP', 'TO', self.url)
        client.set('mine', '2')
        client.execute_command('VBACKUP')
        wait_stored(client)
        _, third = self.start('third', '--restore-from', self.url)
        self.assertEqual(state(third), {b'mine': b'2'})
