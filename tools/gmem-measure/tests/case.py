# SPDX-License-Identifier: GPL-2.0-only
"""What the tests share: a folder each, and gmem-measure ($GMEM_MEASURE) run in it."""

import os
import subprocess
import tempfile
import unittest

PROGRAM = os.environ.get('GMEM_MEASURE', 'build/gmem-measure')
DONE, HOST_FAILS, REFUSED, DIFFERS = 0, 1, 2, 3
# A hang, on a machine that is busy with other things.
PATIENCE = 300


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        mode = 'wb' if isinstance(data, bytes) else 'w'
        with open(self.path(name), mode) as file:
            file.write(data)
        return name

    def run_it(self, *arguments, stdin=None, stdout=subprocess.PIPE):
        return subprocess.run([PROGRAM, *arguments], cwd=self.folder, input=stdin, stdout=stdout,
                              stderr=subprocess.PIPE, timeout=PATIENCE)

    def gives(self, *arguments):
        """What it prints, and status 0."""
        ran = self.run_it(*arguments)
        self.assertEqual((ran.returncode, ran.stderr), (DONE, b''), arguments)
        return ran.stdout.decode()

    def digest(self, *arguments):
        return self.gives(*arguments).strip()

    def refuses(self, words, *arguments, status=REFUSED, stdin=None):
        """Status 2, and a message of one line with WORDS in it."""
        ran = self.run_it(*arguments, stdin=stdin)
        said = ran.stderr.decode()
        self.assertEqual(ran.returncode, status, said)
        self.assertIn(words, said)
        self.assertEqual(said.count('\n'), 1, said)

    def refuses_text(self, words, text):
        """The same of a step list."""
        self.write('bad.json', text)
        self.refuses(words, 'bad.json')
