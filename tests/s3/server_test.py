#!/usr/bin/python3
"""A real server with a real S3 store, Ceph's radosgw, which tests/s3/run.sh starts: what holds of
every store (tests/lib/backups.py), parts of large files, and who may. VDB_S3_BACKEND: libs3, when
VDB_SERVER has it."""

import glob
import os
import sys
import time
import unittest

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'lib'))
import redis
import suite
from backups import Backups, kill, store_info, wait_stored

ENDPOINT = os.environ.get('VDB_S3_ENDPOINT', '')
BUCKET = 'vdb-server-test'


class Radosgw(Backups, unittest.TestCase):
    places = 0
    backend = os.environ.get('VDB_S3_BACKEND', 'curl')

    def store_url(self):
        Radosgw.places += 1
        return f's3://{BUCKET}/{self.backend}-{os.getpid()}/{Radosgw.places}'

    def store_options(self):
        return ('--object-store-endpoint', ENDPOINT, '--object-store-backend', self.backend,
                '--object-store-part-size', '5mb')

    def test_files_of_many_parts_come_back(self):
        server, client = self.start_stored('first')
        texts = {f'k{i}': os.urandom(700_000) for i in range(18)}
        client.mset(texts)
        client.execute_command('VBACKUP')
        wait_stored(client)
        packs = glob.glob(f'{self.folder}/first/*.vpk')
        self.assertGreater(max(os.path.getsize(pack) for pack in packs), 10_000_000)
        kill(server)
        _, client = self.start_stored('second')
        for key, text in texts.items():
            self.assertEqual(client.get(key), text)


class Credentials(Radosgw):
    """Who may, and what is said to those who may not."""

    test_a_lost_folder_comes_back = None
    test_unchanged_parts_are_not_sent_again = None
    test_a_moment_before_a_drop = None
    test_vbackup_to_another_place = None
    test_another_servers_place_is_left_alone = None
    test_files_of_many_parts_come_back = None

    def wait_error(self, client):
        until = time.monotonic() + 30
        while store_info(client)['object_store_errors'] == 0 and time.monotonic() < until:
            time.sleep(0.05)
        return store_info(client)['object_store_last_error']

    def with_environment(self, **values):
        for name, value in values.items():
            before = os.environ.get(name)
            os.environ[name] = value
            if before is None:
                self.addCleanup(os.environ.pop, name)
            else:
                self.addCleanup(os.environ.__setitem__, name, before)

    def test_a_file_of_credentials_will_do(self):
        path = os.path.join(self.folder, 'credentials')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(f'[backup]\naws_access_key_id = {os.environ["VDB_S3_ACCESS_KEY"]}\n'
                       f'aws_secret_access_key = {os.environ["VDB_S3_SECRET_KEY"]}\n')
        self.with_environment(AWS_ACCESS_KEY_ID='', AWS_SECRET_ACCESS_KEY='')
        server, client = self.start_stored('first', '--object-store-credentials-file', path,
                                           '--object-store-profile', 'backup')
        client.set('a', 1)
        self.assertEqual(client.execute_command('VBACKUP'), 1)
        self.assertNotIn(os.environ['VDB_S3_SECRET_KEY'], server.said())

    def test_a_wrong_secret_is_told_in_words(self):
        wrong = 'notTheSecretOfAnybody0123456789'
        server, client = self.start('used')
        client.set('a', 1)
        server.stop()
        self.with_environment(AWS_SECRET_ACCESS_KEY=wrong)
        server, client = self.start_stored('used')
        self.assertIn('SignatureDoesNotMatch', self.wait_error(client))
        with self.assertRaisesRegex(redis.ResponseError, 'SignatureDoesNotMatch') as caught:
            client.execute_command('VBACKUP')
        self.assertNotIsInstance(caught.exception, redis.AuthenticationError)
        self.assertEqual(client.get('a'), b'1')
        self.assertNotIn(wrong, server.said() + str(client.info('all')))
        said = self.refuses('empty', '--object-store', self.url)
        self.assertIn('SignatureDoesNotMatch', said)
        self.assertNotIn(wrong, said)

    def test_no_credentials_and_no_bucket_are_told_in_words(self):
        said = self.refuses('first', '--object-store', 's3://no-such-bucket/x')
        self.assertIn('bucket', said.lower())
        self.with_environment(AWS_ACCESS_KEY_ID='', AWS_SECRET_ACCESS_KEY='',
                              HOME=self.folder,
                              AWS_EC2_METADATA_DISABLED='true')
        said = self.refuses('second', '--object-store', self.url)
        self.assertIn('credentials', said)
        said = self.refuses('third', '--restore-from', self.url)
        self.assertIn('credentials', said)


def main():
    if not ENDPOINT:
        print('no server: run tests/s3/run.sh')
        sys.exit(1)
    os.environ['AWS_ACCESS_KEY_ID'] = os.environ['VDB_S3_ACCESS_KEY']
    os.environ['AWS_SECRET_ACCESS_KEY'] = os.environ['VDB_S3_SECRET_KEY']
    suite.main()


if __name__ == '__main__':
    main()
