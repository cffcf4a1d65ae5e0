# SPDX-License-Identifier: GPL-2.0-only
"""Launches of QEMU with real firmware, as combinations.tsv lists them.

Each digest is compared with that of reference.py; and with the table's, where the firmware is
the build that the table is about. A launch that was measured elsewhere can be compared with the
table, or with the step list that gmem-measure writes for it.
"""

import hashlib
import os
import subprocess

import made
import reference
from case import Case

HERE = os.path.dirname(os.path.abspath(__file__))
KERNEL = {'kernel': bytes(range(256)) * 99, 'initrd': b'initrd' * 1000,
          'append': b'console=ttyS0 root=/dev/vda'}
SIGNATURES = {'EPYC-v4': 0x800f12, 'EPYC-Rome': 0x830f10, 'EPYC-Milan': 0xa00f11,
              'EPYC-Genoa': 0xa10f10, 'EPYC-Turin': 0xb00f00}


def rows():
    with open(os.path.join(HERE, 'combinations.tsv')) as table:
        for line in table:
            if not line.startswith('#'):
                yield line.split()


def firmware_of(name):
    """Its bytes; "made" is 64 KiB with a section for the hashes of a kernel."""
    if name == 'made':
        return made.sev(size=65536)
    script = os.path.join(HERE, '../../../scripts/ovmf')
    path = subprocess.run([script, name], check=True, stdout=subprocess.PIPE).stdout
    with open(path.decode().strip(), 'rb') as file:
        return file.read()


class Combinations(Case):
    @classmethod
    def setUpClass(cls):
        cls.rows = list(rows())
        cls.firmware = {row[0]: firmware_of(row[0]) for row in cls.rows}

    def compare(self, row, said, reckoned):
        name, build = row[:2]
        self.assertEqual(said, reckoned, row)
        if hashlib.sha256(self.firmware[name]).hexdigest().startswith(build):
            self.assertEqual(said, row[-1], row)

    def kernel_options(self, parts):
        """Of gmem-measure, and what reference.py takes."""
        if parts == '-':
            return [], None
        given = {part: KERNEL[part] if part in parts.split(',') else b'' for part in KERNEL}
        options = []
        for part in parts.split(','):
            options += ['--' + part, given[part].decode() if part == 'append' else
                        self.write(part, given[part])]
        return options, tuple(given.values())

    def test_launches(self):
        for row in self.rows:
            name, _, platform, vcpus, model, features, parts, _ = row
            firmware = self.firmware[name]
            self.write('fw', firmware)
            with self.subTest(row):
                if platform == 'tdx':
                    self.compare(row, self.digest('tdx', '--ovmf', 'fw'),
                                 reference.mrtd(firmware))
                    continue
                options, kernel = self.kernel_options(parts)
                said = self.digest('snp', '--ovmf', 'fw', '--vcpus', vcpus, '--vcpu-type', model,
                                   '--guest-features', features, *options)
                self.compare(row, said, reference.snp(reference.qemu_steps(
                    firmware, int(vcpus), SIGNATURES[model], int(features, 0), kernel)))

    def test_enough(self):
        """No two launches are alike, and all kinds are there."""
        digests = [row[-1] for row in self.rows]
        self.assertEqual(len(set(digests)), len(digests))
        self.assertEqual({row[0] for row in self.rows}, {'bookworm', 'trixie', 'made'})
        self.assertGreaterEqual(sum(row[2] == 'snp' for row in self.rows), 12)
