#!/usr/bin/python3
"""Backups of a real server in a local folder, and what every object store has to do with them:
secrets that stay secret, options that are wrong, a store that cannot be reached."""

import os
import sys
import time
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'lib'))
import redis
import suite
from backups import Backups, store_info
from server import SERVER, free_port, run

SECRETS = ('AKIDHIDDEN0001', 'sEcReT/NobodyMayReadThis', 'tOkEn+NobodyMayReadThis')


class LocalFolder(Backups, unittest.TestCase):
    places = 0

    def store_url(self):
        LocalFolder.places += 1
        return f'file://{self.folder}/store/{LocalFolder.places}'

    def store_options(self):
        return ()

    def test_who_may_name_a_place(self):
        _, client = self.start('first', '--vbackup-to', 'no')
        with self.assertRaisesRegex(redis.ResponseError, 'VBACKUP TO is not allowed'):
            client.execute_command('VBACKUP', 'TO', self.url)
        _, client = self.start('second')
        client.set('a', 1)
        self.assertEqual(client.execute_command('VBACKUP', 'TO', self.url), 1)
        for wrong in ('', 'ftp://x', 'file://relative', 's3://B', 'x' * 2000):
            with self.assertRaisesRegex(redis.ResponseError, 'URL|absolute|bucket'):
                client.execute_command('VBACKUP', 'TO', wrong)

    def test_half_a_restore_begins_again(self):
        server, client = self.start_stored('first')
        client.set('a', 'x' * 100_000)
        client.execute_command('VBACKUP')
        server.stop()
        store = self.url[len('file://'):]
        pack = next(name for name in os.listdir(store) if name.endswith('.vpk'))
        os.rename(f'{store}/{pack}', f'{store}/gone')
        said = self.refuses('second', '--restore-from', self.url)
        self.assertIn(pack, said)
        self.assertIn('missing', said)
        said = self.refuses('second')
        self.assertIn('half of a restore', said)
        os.rename(f'{store}/gone', f'{store}/{pack}')
        _, client = self.start('second', '--restore-from', self.url)
        self.assertEqual(len(client.get('a')), 100_000)

    def test_a_damaged_object_is_named(self):
        server, client = self.start_stored('first')
        client.set('a', 'x' * 1000)
        client.execute_command('VBACKUP')
        server.stop()
        store = self.url[len('file://'):]
        for name in sorted(os.listdir(store)):
            with open(f'{store}/{name}', 'r+b') as file:
                size = os.path.getsize(f'{store}/{name}')
                file.seek(size // 2)
                byte = file.read(1)
                file.seek(size // 2)
                file.write(bytes([byte[0] ^ 4]))
            if not name.endswith('.vlog'):  # what the snapshot has, the log need not say
                said = self.refuses(f'restored-{name}', '--restore-from', self.url)
                self.assertRegex(said, 'CURRENT|backup|manifest|pack', name)
            with open(f'{store}/{name}', 'r+b') as file:
                file.seek(size // 2)
                file.write(byte)


class Options(Backups, unittest.TestCase):
    def store_url(self):
        return 's3://some-bucket/prefix'

    def store_options(self):
        return ('--object-store-endpoint', f'http://127.0.0.1:{free_port()}',
                '--object-store-retries', '0', '--object-store-access-key', SECRETS[0],
                '--object-store-secret-key', SECRETS[1], '--object-store-session-token', SECRETS[2])

    # Those of the mixin need a store that answers.
    test_a_lost_folder_comes_back = None
    test_unchanged_parts_are_not_sent_again = None
    test_a_moment_before_a_drop = None
    test_vbackup_to_another_place = None
    test_another_servers_place_is_left_alone = None

    def start_used(self, *options):
        """A server whose folder is not empty: without its store an empty one does not start."""
        server, client = self.start('used')
        client.set('a', 1)
        server.stop()
        return self.start_stored('used', *options)

    def test_a_store_that_is_away_is_told_of_and_costs_nothing(self):
        _, client = self.start_used()
        until = time.monotonic() + 30
        while store_info(client)['object_store_errors'] == 0 and time.monotonic() < until:
            time.sleep(0.05)
        info = store_info(client)
        self.assertEqual(info['object_store_status'], 'err')
        self.assertIn('connect', info['object_store_last_error'])
        self.assertEqual(info['object_store_lag_records'], 1)
        client.set('b', 2)
        self.assertEqual(client.get('b'), b'2')
        with self.assertRaisesRegex(redis.ResponseError, 'connect'):
            client.execute_command('VBACKUP')
        self.assertIn('connect', self.refuses('empty', '--object-store', self.url))

    def test_nobody_is_shown_the_keys(self):
        server, client = self.start_used()
        with self.assertRaises(redis.ResponseError):
            client.execute_command('VBACKUP')
        shown = [str(client.config_get('*')), str(client.info('all')), str(client.client_list()),
                 run(SERVER, '--help').stdout, run(SERVER, '--print-config').stdout]
        for words in (('DEBUG', 'OBJECT', 'a'), ('MEMORY', 'DOCTOR'), ('SLOWLOG', 'GET', '128'),
                      ('CONFIG', 'REWRITE'), ('INFO', 'everything'), ('INFO', 'debug')):
            try:
                shown.append(str(client.execute_command(*words)))
            except redis.ResponseError as e:
                shown.append(str(e))
        shown.append(server.said())
        for wrong in (('--object-store-secret-key', SECRETS[1] * 30),
                      ('--object-store-secret-key', SECRETS[1], '--port', 'x')):
            done = run(SERVER, *wrong)
            self.assertNotEqual(done.returncode, 0)
            shown += [done.stderr]
        for text in shown:
            for secret in SECRETS[1:]:
                self.assertNotIn(secret, text)
        self.assertEqual(client.config_get('object-store-secret-key'),
                         {'object-store-secret-key': '***'})
        with self.assertRaises(redis.ResponseError):
            client.config_set('object-store-secret-key', 'other')

    def test_options_that_are_wrong_are_told_at_the_start(self):
        server, client = self.start('used')
        client.set('a', 1)
        server.stop()
        self.assertIn('file:///folder or s3://bucket/prefix',
                      self.refuses('used', '--object-store', 'http://what'))
        self.assertIn('http://host:port', self.refuses(
            'used', '--object-store', self.url, '--object-store-endpoint', 'host'))
        self.assertIn('LSN', self.refuses(
            'new', '--restore-from', 'file:///nowhere/at/all', '--at', 'yesterday'))


if __name__ == '__main__':
    suite.main()
