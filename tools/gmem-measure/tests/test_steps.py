# SPDX-License-Identifier: GPL-2.0-only
"""Step lists that are no good, beyond what test.sh has: files, places, limits."""

import os
import subprocess

from case import HOST_FAILS, Case

ONE = '{"kind": "snp", "steps": [\n {"type": 3, "gpa": "0x0"%s}]}\n'
OF_ONE = ('70c0ecaab9608f14ebf8ac6f0f07bcd8728f4e2ab30382b539b4de4de904ca9f'
          '8ebdf4b2cd3cd84dd996bd55dd794676')


class Text(Case):
    def test_brackets(self):
        for bracket in '[', '{"a":':
            self.refuses_text('brackets inside each other', bracket * 400000)
        self.refuses_text('line 2: more than 16', '[\n' + '[' * 400000 + ']' * 400001)

    def test_nul(self):
        self.refuses_text('line 3: not JSON: a NUL', ONE % '' + '\0 and so on')
        self.refuses_text('line 1: not JSON: a NUL', '\0')
        self.refuses_text('line 2: ', ONE % ', "page\0": "zero"')

    def test_what_follows(self):
        self.refuses_text('line 3: not JSON', ONE % '' + '{}')
        self.write('good.json', ONE % '' + ' \n\t\r\n')
        self.assertEqual(self.digest('good.json'), OF_ONE)

    def test_lines(self):
        self.refuses_text('line 3: a step is not', '{"kind": "snp", "steps": [\n\n7\n\n\n]}')
        self.refuses_text('line 4: field "type"',
                          '{"kind": "snp", "steps": [\n\n {"type":\n 9\n\n, "gpa": "0x0"}]}')
        self.refuses_text('line 5: field "gpa"',
                          '{"kind": "snp", "steps": [\n {"type": 3, "gpa":\n\n\n "0x1"\n\n}]}')
        self.refuses_text('line 3: the document is not', '\n\n7\n\n')
        self.refuses_text('line 2: not JSON', '{"kind":\n "snp",\n\n\n')

    def test_size(self):
        """Many brackets that are not inside each other are a matter of time only."""
        self.refuses_text('field "kind": neither', '{"kind": "x", "steps": [' +
                          '[],' * 200000 + '[]]}')


class Files(Case):
    def page(self, name):
        return ONE.replace('3,', '1,') % f', "page": "{name}"'

    def test_fifo(self):
        os.mkfifo(self.path('fifo'))
        self.refuses_text('line 2: field "page": fifo: not a plain file', self.page('fifo:0'))
        self.refuses('fifo: not a plain file', 'snp', '--ovmf', 'fifo', '--vcpu-type', 'EPYC')

    def test_no_plain_file(self):
        self.refuses_text('not a plain file', self.page('/dev/zero:0'))
        self.refuses_text('not a plain file', self.page('.:0'))
        self.refuses_text('has no whole page', self.page('/dev/null:0'))
        self.refuses('cannot be read', '.')

    def test_offsets(self):
        self.write('pages', bytes(8192))
        for offset in '4097', '0xffffffffffffffff', str(2**63), str(2**62):
            self.refuses_text('has no whole page', self.page('pages:' + offset))
        for offset in '', '-1', '0x', '1x', str(2**64):
            self.refuses_text('not a number', self.page('pages:' + offset))

    def test_output(self):
        """What could not be written is not done."""
        self.write('good.json', ONE % '')
        for argument in 'good.json', '--help':
            with open('/dev/full', 'w') as full:
                ran = self.run_it(argument, stdout=full)
            self.assertEqual(ran.returncode, HOST_FAILS, argument)
            self.assertIn(b'output cannot be written', ran.stderr)

    def test_standard_input(self):
        ran = self.run_it('-', stdin=(ONE % '').encode())
        self.assertEqual(ran.stdout.decode().strip(), OF_ONE)
        # Another process writes the file while it is read.
        os.mkfifo(self.path('steps'))
        with subprocess.Popen(['sh', '-c', 'cat >steps'], cwd=self.folder,
                              stdin=subprocess.PIPE) as writer:
            writer.stdin.write((ONE % '').encode())
            writer.stdin.close()
            self.assertEqual(self.digest('steps'), OF_ONE)


class Fields(Case):
    def test_contents_that_do_not_count(self):
        self.write('zeros.json', ONE % f', "contents": "{"0" * 96}"')
        self.assertEqual(self.digest('zeros.json'), OF_ONE)
        self.refuses_text('line 2: field "contents": pages of this type have zeros',
                          ONE % f', "contents": "{"0" * 95}1"')

    def test_digest(self):
        said = '{"kind": "snp",\n"digest": "%s", "steps": [{"type": 3, "gpa": "0x0"}]}'
        self.write('good.json', said % OF_ONE)
        self.assertEqual(self.digest('good.json'), OF_ONE)
        self.refuses_text('line 2: field "digest": the steps come to ' + OF_ONE, said % ('0' * 96))

    def test_cpuid_page(self):
        self.write('pages', bytes([64]) + bytes(4095) + bytes([65]) + bytes(4095) +
                   bytes([1, 0, 0, 0, 1]) + bytes(4091) + bytes([0, 1]) + bytes(4094))
        step = '{"kind": "snp", "steps": [\n {"type": 6, "gpa": "0x0", "page": "pages:%d"}]}'
        self.write('good.json', step % 0)
        self.digest('good.json')
        for page in 4096, 8192, 12288:
            self.refuses_text('line 2: field "page": no CPUID page', step % page)


class Arguments(Case):
    def test_none(self):
        self.refuses('a command or a step list is wanted')
        ran = self.run_it('--help')
        self.assertIn(b'gmem-measure snp --ovmf', ran.stdout)

    def test_both(self):
        self.write('good.json', ONE % '')
        ran = self.run_it('good.json', 'compare', 'good.json', 'good.json')
        self.assertEqual(ran.returncode, 2)
