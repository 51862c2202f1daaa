"""disk.py: an ext4 on a block device whose power can be cut (blockfile.c), and where that can be
had.

Runs in namespaces of its own (enter), so that mounts and processes end with the test, whatever ends
the test."""

import os
import shutil
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(TESTS, 'lib'))
import server

BLOCKFILE = os.path.join(server.ROOT, 'build', 'blockfile')
INSIDE = 'VDB_TEST_INSIDE'  # set in the namespaces
DISK_BYTES = 96 << 20


def missing_namespaces():
    """Why mounts of a test's own cannot be had here, or None."""
    if os.geteuid() != 0:
        return 'needs root'
    if server.run(*NAMESPACES, 'true').returncode != 0:
        return 'unshare is not allowed'
    return None


def missing():
    """Why a disk cannot be had here, or None."""
    for path in ('/dev/fuse', '/dev/loop-control'):
        if not os.path.exists(path):
            return f'no {path}'
    for tool in ('mkfs.ext4', 'losetup', 'mount', 'umount', 'unshare'):
        if shutil.which(tool) is None:
            return f'no {tool}'
    if not os.path.exists(BLOCKFILE):
        return f'{BLOCKFILE} is not built (libfuse3-dev)'
    with open('/proc/filesystems', encoding='ascii') as file:
        known = file.read().split()
    for system in ('ext4', 'fuse'):
        if system not in known:
            return f'this kernel has no {system}'
    return missing_namespaces()


NAMESPACES = ('unshare', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child')


def enter():
    """Starts this program again inside the namespaces and ends with its status."""
    if os.environ.get(INSIDE) is None:
        done = subprocess.run([*NAMESPACES, sys.executable, *sys.argv],
                              env={**os.environ, INSIDE: '1'}, check=False)
        sys.exit(done.returncode)


def must(*command):
    done = server.run(*command)
    if done.returncode != 0:
        raise OSError(f'{command}: {done.stdout}{done.stderr}')
    return done.stdout.strip()


class Disk:
    """One life of the disk: from an image until its power is cut."""

    def __init__(self, folder, image):
        self.fuse = os.path.join(folder, 'fuse')
        self.mounted = os.path.join(folder, 'mnt')
        for path in (self.fuse, self.mounted):
            os.makedirs(path, exist_ok=True)
        self.process = subprocess.Popen([BLOCKFILE, self.fuse, image])
        self.loop = None
        end = time.monotonic() + 20
        while not os.path.exists(os.path.join(self.fuse, 'disk')):
            if self.process.poll() is not None or time.monotonic() > end:
                raise OSError('blockfile does not serve')
            time.sleep(0.002)

    def mount(self):
        """May fail when the power is cut meanwhile."""
        self.loop = must('losetup', '--find', '--show', os.path.join(self.fuse, 'disk'))
        try:
            must('mount', '-t', 'ext4', self.loop, self.mounted)
        finally:
            server.run('losetup', '-d', self.loop)  # goes when nothing has it mounted any more

    def cut_after(self, requests, seed, image):
        """The power fails when so many more writes and flushes have come; 0: now. What the platter
        then holds goes to image."""
        with open(os.path.join(self.fuse, 'control'), 'wb', buffering=0) as file:
            file.write(f'cut {requests} {seed} {image}'.encode())

    def counters(self):
        with open(os.path.join(self.fuse, 'control'), 'rb', buffering=0) as file:
            lines = file.read(4096).decode().splitlines()  # one read: the counters move
        return {name: int(value) for name, value in map(str.split, lines)}

    def is_cut(self):
        return self.counters()['frozen'] == 1

    def end(self):
        """After a cut, when nothing uses the files any more: the kernel writes in vain."""
        server.run('umount', self.mounted)
        self.process.kill()
        self.process.wait()
        server.run('umount', self.fuse)


def new_image(path):
    with open(path, 'wb') as file:
        file.truncate(DISK_BYTES)
    must('mkfs.ext4', '-q', '-b', '4096', '-E', 'nodiscard,lazy_itable_init=0', '-J', 'size=4',
         path)
