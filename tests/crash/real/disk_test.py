#!/usr/bin/python3
"""The rig of power.py loses what was not flushed and keeps what was. Without it, a server that
passes power.py might have passed anything."""

import os
import random
import shutil
import tempfile
import unittest

import disk
import suite

BLOCK = 8192
SECTOR = 512


class DiskTest(unittest.TestCase):
    def setUp(self):
        why = disk.missing()
        if why is not None:
            self.skipTest(why)
        self.folder = tempfile.mkdtemp(prefix='vdb-disk-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.images = [os.path.join(self.folder, 'image')]
        disk.new_image(self.images[0])

    def life(self, use):
        """Mounts the newest image, runs use(platter), and cuts the power if use did not."""
        platter = disk.Disk(self.folder, self.images[-1])
        self.images.append(os.path.join(self.folder, f'image-{len(self.images)}'))
        try:
            platter.mount()
            result = use(platter)
            if not platter.is_cut():
                platter.cut_after(0, 1, self.images[-1])
            self.assertEqual(platter.counters()['error'], 0)
            return result
        finally:
            platter.end()

    def write_until_cut(self, platter, rng, syncs):
        """Appends numbered blocks until a write fails; how many were known to be on the disk."""
        platter.cut_after(rng.randrange(1, 80), rng.getrandbits(63), self.images[-1])
        fd = os.open(os.path.join(platter.mounted, 'file'), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        safe = 0
        try:
            for number in range(1, 1000):
                os.pwrite(fd, number.to_bytes(8, 'little') * (BLOCK // 8), (number - 1) * BLOCK)
                if syncs:
                    os.fdatasync(fd)
                    safe = number
        except OSError:
            pass
        os.close(fd)
        return safe

    def sectors_there(self, platter):
        """For each block of the file, how many of its sectors hold what was written to it."""
        path = os.path.join(platter.mounted, 'file')
        if not os.path.exists(path):
            return []
        with open(path, 'rb') as file:
            data = file.read()
        counts = []
        for at in range(0, len(data), BLOCK):
            sector = (at // BLOCK + 1).to_bytes(8, 'little') * (SECTOR // 8)
            counts.append(sum(data[i:i + SECTOR] == sector
                              for i in range(at, at + BLOCK, SECTOR)))
        return counts

    def blocks_there(self, platter):
        """How many blocks stand whole at the beginning of the file."""
        counts = self.sectors_there(platter) + [0]
        return next(i for i, count in enumerate(counts) if count < BLOCK // SECTOR)

    def test_what_was_synced_is_there_after_any_power_loss(self):
        total = 0
        for seed in range(12):
            rng = random.Random(seed)
            safe = self.life(lambda platter: self.write_until_cut(platter, rng, True))
            there = self.life(self.blocks_there)
            self.assertGreaterEqual(there, safe, f'seed {seed}')
            total += safe
        self.assertGreater(total, 12)

    def test_what_was_not_synced_is_lost(self):
        def write(platter):
            with open(os.path.join(platter.mounted, 'file'), 'wb') as file:
                file.write((1).to_bytes(8, 'little') * (BLOCK // 8))
        self.life(write)
        self.assertEqual(self.life(self.blocks_there), 0)

    def replace_and_cut_in_sync(self, platter, rng):
        """Rewrites a file of zeros. The power fails at the flush that was to end the sync."""
        fd = os.open(os.path.join(platter.mounted, 'file'), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.pwrite(fd, bytes(BLOCK * 64), 0)
        os.fdatasync(fd)
        for number in range(64):
            os.pwrite(fd, (number + 1).to_bytes(8, 'little') * (BLOCK // 8), number * BLOCK)
        platter.cut_after(2, rng.getrandbits(63), self.images[-1])
        try:
            os.fdatasync(fd)
        except OSError:
            pass
        os.close(fd)

    def test_a_write_under_way_is_kept_torn_or_lost_by_seed(self):
        counts = set()
        for seed in range(12):
            rng = random.Random(seed)
            self.life(lambda platter: self.replace_and_cut_in_sync(platter, rng))
            counts.add(sum(self.life(self.sectors_there)))
        whole = 64 * BLOCK // SECTOR
        self.assertIn(0, counts)
        self.assertIn(whole, counts)
        self.assertTrue(any(0 < count < whole for count in counts), counts)


if __name__ == '__main__':
    if disk.missing() is None:
        disk.enter()
    suite.main()
