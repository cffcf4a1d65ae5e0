# SPDX-License-Identifier: GPL-2.0-only
"""gmem-measure compare: which steps of two launches differ."""

import json

import made
from case import DIFFERS, Case


class Compare(Case):
    def differs(self, first, second, *lines):
        self.write('a.json', json.dumps(first))
        self.write('b.json', json.dumps(second))
        ran = self.run_it('compare', 'a.json', 'b.json')
        said = ran.stdout.decode().splitlines()
        self.assertEqual((ran.returncode, ran.stderr), (DIFFERS, b''))
        self.assertEqual([line[:len(wanted)] for line, wanted in zip(said, lines)], list(lines))
        # What both come to is said last.
        self.assertEqual(len(said), len(lines) + 2)

    def snp(self, *steps, **extra):
        return {'kind': 'snp', **extra,
                'steps': [{'type': t, 'gpa': hex(gpa), **({'page': page} if page else {})}
                          for t, gpa, page in steps]}

    def test_alike(self):
        """However the content of a page is given."""
        self.write('pages', bytes(4096))
        self.write('a.json', json.dumps(self.snp((1, 0, 'zero'), (3, 0x1000, None))))
        self.write('b.json', json.dumps(self.snp((1, 0, 'pages:0'), (3, 0x1000, 'ones'))))
        self.assertEqual(self.gives('compare', 'a.json', 'b.json'), '')

    def test_one_more_and_one_less(self):
        steps = [(3, page << 12, None) for page in range(40)]
        self.differs(self.snp(*steps[:7], *steps[8:]), self.snp(*steps[:30], *steps[31:]),
                     '+ step 8: zero 0x7000', '- step 30: zero 0x1e000')
        self.differs(self.snp(), self.snp(*steps[:1]), '+ step 1: zero 0x0')
        self.differs(self.snp(*steps[:2]), self.snp(*steps[1::-1]),
                     '- step 1: zero 0x0', '+ step 2: zero 0x0')

    def test_start(self):
        self.differs(self.snp(), self.snp(start='11' * 48), '- step 0: start 0000',
                     '+ step 0: start 1111')

    def test_many(self):
        """Too many to be laid beside each other."""
        steps = [(3, page << 12, None) for page in range(12000)]
        self.differs(self.snp((4, 0, None), *steps[1:6000], (4, 0, None), *steps[6001:-1],
                              (5, 0, None)), self.snp(*steps),
                     '- step 1: unmeasured', '+ step 1: zero 0x0', '- step 6001: unmeasured',
                     '+ step 6001: zero', '- step 12000: secrets', '+ step 12000: zero')

    def test_tdx(self):
        page = {'op': 'add', 'gpa': '0x0', 'page': 'zero'}
        first = {'kind': 'tdx', 'steps': [page, {'op': 'extend', 'gpa': '0x100'}]}
        second = {'kind': 'tdx', 'steps': [{**page, 'page': 'ones'},
                                           {'op': 'extend', 'gpa': '0x100'}, {'op': 'finalize'}]}
        self.differs(first, second, '- step 1: add 0x0 ', '+ step 1: add 0x0 ')

    def test_kinds(self):
        self.write('a.json', '{"kind": "snp", "steps": []}')
        self.write('b.json', '{"kind": "tdx", "steps": []}')
        self.refuses('one of the step lists is for SNP', 'compare', 'a.json', 'b.json')
        self.write('bad.json', '\n[]')
        self.refuses('bad.json: line 2: ', 'compare', 'a.json', 'bad.json')

    def test_prediction(self):
        """Another processor, and nothing else."""
        self.write('fw', made.sev())
        for name in 'EPYC', 'EPYC-Milan':
            self.write(name, self.gives('snp', '--ovmf', 'fw', '--vcpu-type', name,
                                        '--vcpus', '2', '--transcript'))
        said = self.run_it('compare', 'EPYC', 'EPYC-Milan').stdout.decode().splitlines()
        self.assertEqual([line.split()[:4] for line in said[:4]], [
            ['-', 'step', '33:', 'vmsa'], ['-', 'step', '34:', 'vmsa'],
            ['+', 'step', '33:', 'vmsa'], ['+', 'step', '34:', 'vmsa']])
