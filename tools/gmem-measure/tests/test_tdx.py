# SPDX-License-Identifier: GPL-2.0-only
"""gmem-measure tdx: MRTD of firmware, and TDVF metadata that is broken."""

import json

import made
import reference
from case import Case

BFV, CFV, HOB, TEMP, PERM = range(5)
EXTEND, AUG = 1, 2
# data offset and size, memory address and size, type, attributes
SECTIONS = [(0x1000, 0x1000, 0xfffff000, 0x1000, BFV, EXTEND),
            (0x0, 0x1000, 0xffffe000, 0x1000, CFV, 0),
            (0, 0, 0x809000, 0x2000, HOB, 0), (0, 0, 0x800000, 0x6000, TEMP, 0)]


class Measured(Case):
    def same(self, firmware):
        self.write('fw', firmware)
        digest = self.digest('tdx', '--ovmf', 'fw')
        self.assertEqual(digest, reference.mrtd(firmware))
        self.write('steps.json', self.gives('tdx', '--ovmf', 'fw', '--transcript'))
        self.assertEqual(self.digest('steps.json'), digest)

    def test_sections(self):
        self.same(made.tdx(SECTIONS))
        self.same(made.tdx([]))
        self.same(made.tdx([(0, 0, 0x800000, 0x3000, TEMP, EXTEND)]))
        self.same(made.tdx(SECTIONS[::-1] + [(0, 0, 0x1000000, 0x1000000, PERM, AUG)]))

    def test_json(self):
        self.write('fw', made.tdx(SECTIONS))
        said = json.loads(self.gives('tdx', '--ovmf', 'fw', '--json'))
        self.assertEqual([s['type'] for s in said['firmware']['sections']],
                         ['bfv', 'cfv', 'td-hob', 'temp-mem'])


class Broken(Case):
    def broken(self, words, *arguments, **kwargs):
        self.write('fw', made.tdx(*arguments, **kwargs))
        self.refuses('fw: ', 'tdx', '--ovmf', 'fw')
        self.refuses(words, 'tdx', '--ovmf', 'fw')

    def test_none(self):
        self.write('fw', made.sev())
        self.refuses('no TDVF metadata', 'tdx', '--ovmf', 'fw')

    def test_header(self):
        self.broken('does not begin with TDVF', SECTIONS, signature=b'ASEV')
        self.broken('has version 0', SECTIONS, version=0)
        self.broken('has 16 bytes, but 4 sections', SECTIONS, said=16)
        self.broken('TDVF metadata ends at 0x2000', SECTIONS, number=1000)
        self.broken('sections', SECTIONS, number=4 + (1 << 27))

    def test_sections(self):
        for words, section in (
                ('not of whole pages', (0, 0, 0x900001, 0x1000, TEMP, 0)),
                ('not of whole pages', (0, 0, 0x900000, 0xfff, TEMP, 0)),
                ('not of whole pages', (0, 0, 0x900000, 0, TEMP, 0)),
                ('ends past 4 GiB', (0, 0, 0x100000000, 0x1000, TEMP, 0)),
                ('ends past 4 GiB', (0, 0, 0xfffffffffffff000, 0x2000, TEMP, 0)),
                ('ends past 4 GiB', (0, 0, 0x900000, 0xfffffffffffff000, PERM, AUG)),
                ('overlaps TDVF section', (0, 0, 0x80a000, 0x1000, TEMP, 0)),
                ('attributes 0x4', (0, 0, 0x900000, 0x1000, TEMP, 4)),
                ('to come later', (0, 0, 0x900000, 0x1000, TEMP, EXTEND | AUG)),
                ('TDVF section 5 at 0x900000', (0, 0, 0x900000, 0x1000, 5, 0)),
                ('type bfv and 0x0 bytes', (0, 0, 0x900000, 0x1000, BFV, 0)),
                ('type temp-mem and 0x1000 bytes', (0, 0x1000, 0x900000, 0x1000, TEMP, 0)),
                ('0x1000 bytes of data for 0x2000', (0, 0x1000, 0x900000, 0x2000, CFV, 0)),
                ('the firmware ends at 0x2000', (0x1001, 0x1000, 0x900000, 0x1000, CFV, 0)),
                ('the firmware ends at 0x2000',
                 (0xfffff000, 0xfffff000, 0x1000, 0xfffff000, CFV, 0))):
            with self.subTest(section):
                self.broken(words, SECTIONS + [section])
