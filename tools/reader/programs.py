"""BLAKE3, zstd and AES, by the programs b3sum, zstd and openssl"""

import os
import shutil
import subprocess
import tempfile

from reader.rules import BATCH_BYTES, need


class Tools:
    """b3sum and zstd, each started once for many inputs."""

    def __init__(self):
        shm = "/dev/shm"
        self.folder = tempfile.mkdtemp(
            prefix="restore.", dir=shm if os.access(shm, os.W_OK) else None)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def blake3(self, inputs, key=None, context=None, length=32):
        """BLAKE3 of each input; keyed with a key, derive_key with a context"""
        found, names, total = [], [], 0
        for n, data in enumerate(inputs):
            name = os.path.join(self.folder, str(len(names)))
            with open(name, "wb") as f:
                f.write(data)
            names.append(name)
            total += len(data)
            if len(names) == 4000 or total > BATCH_BYTES or \
                    n == len(inputs) - 1:
                found += self.blake3_files(names, key, context, length)
                for name in names:
                    os.unlink(name)
                names, total = [], 0
        return found

    @staticmethod
    def blake3_files(names, key=None, context=None, length=32):
        options = ["--keyed"] if key else []
        if context:
            options += ["--derive-key", context]
        out = subprocess.run(
            ["b3sum", "--no-names", "--num-threads=1", "--length", str(length), *options, "--",
             *names], input=key or b"", stdout=subprocess.PIPE, check=True)
        found = [bytes.fromhex(line) for line in out.stdout.decode().split()]
        assert len(found) == len(names)
        return found

    @staticmethod
    def aes128(key, blocks):
        """Each block encrypted by itself"""
        return subprocess.run(
            ["openssl", "enc", "-aes-128-ecb", "-nopad", "-K", key.hex()],
            input=blocks, stdout=subprocess.PIPE, check=True).stdout

    @staticmethod
    def unzstd(frames, lengths):
        """What zstd frames hold, whose lengths are known"""
        if not frames:
            return []
        out = subprocess.run(["zstd", "-dcq", "--memory=8MB"],
                             input=b"".join(frames), check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        need(out.returncode == 0 and len(out.stdout) == sum(lengths), "5.1",
             "a zstd frame does not decompress to its plain length")
        found, pos = [], 0
        for length in lengths:
            found.append(out.stdout[pos:pos + length])
            pos += length
        return found
