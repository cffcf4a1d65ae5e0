# SPDX-License-Identifier: GPL-2.0-only
"""gmem-measure snp: digests that others have published, and firmware that is broken."""

import json
import struct

import made
from case import Case

# virtee/sev's tests start from this digest of an OVMF that is not at hand.
OVMF = ('086e2e9149ebf45abdc3445fba5b2da8270bdbb04094d7a2c37faaa4b24af3aa'
        '16aff8c374c2a55c467a50da6d466b74')
CONSOLE = 'console=ttyS0 loglevel=7'
# vmm, processors, features, command line (None without a kernel), digest
VIRTEE = [
    ('qemu', 1, '0x1', None, '19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6'
                             '013b26869a5fc6ecabe033c48dd6f6db5d6d76e7c5df632d'),
    ('qemu', 1, '0x21', None, 'e1e1ca029dd7973ab9513295be68198472dcd4fc834bd9af'
                              '9b63f6e8a1674dbf281a9278a4a2ebe0eed9f22adbcd0e2b'),
    ('qemu', 1, '0x1', CONSOLE, '6d287813eb5222d770f75005c664e34c204f385ce832cc2c'
                                'e7d0d6f354454362f390ef83a92046c042e706363b4b08fa'),
    ('qemu', 1, '0x21', CONSOLE, '803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb2'
                                 '8c653360fe4b3aba7e534442e7e1e17895dfe778d0228977'),
    ('qemu', 1, '0x1', '', 'ddc5224521617a536ee7ce9dd6224d1b58a8d4fda1c741f3'
                           'ac99fc4bfa04ba6e9fc98646d4a07a9079397fa3852819b5'),
    ('qemu', 1, '0x21', '', '329c8ce0972ae52343b64d34a434a86f245dfd74f5ed7aae'
                            '15d22efc78fb9683632b9b50e4e1d7fa41179ef98a7ef198'),
    ('qemu', 4, '0x1', '', '5061fffb019493a903613d56d54b94912a1a2f9e4502385f'
                           '5c194616753720a92441310ba6c4933de877c36e23046ad5'),
    ('qemu', 4, '0x21', '', '4953b1fb416fa874980e8442b3706d345926d5f38879134e'
                            '00813c5d7abcbe78eafe7b422907be0b4698e2414a631942'),
    ('ec2', 1, '0x1', '', '7d3756157c805bf6adf617064c8552e8c1688fa1c8756f11'
                          'cbf56ba5d25c9270fb69c0505c1cbe1c5c66c0e34c6ed3be'),
    ('ec2', 1, '0x21', '', '6ae80856486b1396af8c82a40351d6ed76a20c785e9c7fa4'
                           'ffa27c22d5d6313b4b3b458cd3c9968e6f89fb5d8450d7a6'),
]
# google/gce-tcb-verifier's, of a firmware that its test makes.
GOOGLE = [(1, '06843de00c62bb9a12fd870bd340e1af8b0ebf516e3fe04f'
              '5c9add43b7981a1df2e825b4c712fbd87c97b129eba2e6de'),
          (4, '1a8cd8039cdcdcd1ec9800ca215ba5cbbed437697debf0b2'
              'fc1a9b873f1eb15f82dc7d5cf246dbee4df1bb9d3b6c7a16')]


def google_firmware():
    data = bytearray(4096)
    data[0x800:0x810] = data[0xa00:0xa10] = b'LGTM' * 4
    sections = [(0xff001000, 0x1000, made.SEC_MEM), (0xff003000, 0x1000, made.CPUID),
                (0xff004000, 0x1000, made.SECRETS)]
    table = made.table((made.SEV_METADATA, struct.pack('<I', 4096)),
                       (made.SEV_INFO, struct.pack('<I', 0xff0000ff)))
    data[:52] = made.asev(sections)
    data[4096 - 32 - len(table):4096 - 32] = table
    return bytes(data)


class Published(Case):
    def test_virtee(self):
        self.write('fw', made.sev())
        for vmm, vcpus, features, append, digest in VIRTEE:
            kernel = [] if append is None else ['--kernel', '/dev/null', '--initrd', '/dev/null',
                                                '--append', append]
            with self.subTest(vmm=vmm, vcpus=vcpus, features=features, append=append):
                self.assertEqual(digest, self.digest(
                    'snp', '--ovmf', 'fw', '--ovmf-digest', OVMF, '--vmm', vmm, '--vcpus',
                    str(vcpus), '--vcpu-type', 'EPYC-v4', '--guest-features', features, *kernel))

    def test_google(self):
        self.write('fw', google_firmware())
        for vcpus, digest in GOOGLE:
            self.assertEqual(digest, self.digest('snp', '--ovmf', 'fw', '--vmm', 'gce',
                                                 '--vcpus', str(vcpus)))


class Options(Case):
    def snp(self, *options):
        return ('snp', '--ovmf', 'fw', *options)

    def setUp(self):
        super().setUp()
        self.write('fw', made.sev())

    def test_processors(self):
        """Names, numbers and CPUID's own number say the same."""
        for name, numbers, cpuid in (('EPYC', '23,1,2', '0x800f12'),
                                     ('EPYC-Rome-v3', '23,49,0', '0x830f10'),
                                     ('EPYC-Milan', '25,1,1', '0xa00f11'),
                                     ('EPYC-Genoa-v1', '25,17,0', '0xa10f10'),
                                     ('EPYC-Turin', '26,0,0', '0xb00f00')):
            said = {self.digest(*self.snp('--vcpu-type', name)),
                    self.digest(*self.snp('--vcpu-sig', numbers)),
                    self.digest(*self.snp('--vcpu-sig', cpuid))}
            self.assertEqual(len(said), 1, name)
        said = json.loads(self.gives(*self.snp('--json', '--vcpu-sig', '6,6,3')))
        self.assertEqual(said['vcpu_signature'], '0x663')

    def test_bad_options(self):
        one = '--vcpu-type', 'EPYC'
        for words, options in (
                ('--vcpu-type or --vcpu-sig', ()),
                ('--vcpu-type Athlon: known are EPYC', ('--vcpu-type', 'Athlon')),
                ('--vcpu-type EPYC-v:', ('--vcpu-type', 'EPYC-v')),
                ('--vcpu-sig 1,2', ('--vcpu-sig', '1,2')),
                ('--vcpu-sig 1,2,3,', ('--vcpu-sig', '1,2,3,')),
                ('--vcpu-sig 1,2,16', ('--vcpu-sig', '1,2,16')),
                ('--vcpu-sig 271,0,0', ('--vcpu-sig', '271,0,0')),
                ('--vcpu-sig 0x100000000', ('--vcpu-sig', '0x100000000')),
                ('--vcpus 0', ('--vcpus', '0', *one)),
                ('--vcpus 4097: 1 to 4096', ('--vcpus', '4097', *one)),
                ('--vcpus -1: 1 to 4096', ('--vcpus', '-1', *one)),
                ('--vcpus 2x: 1 to 4096', ('--vcpus', '2x', *one)),
                ('--vcpus 18446744073709551617: 1', ('--vcpus', str(2**64 + 1), *one)),
                ('--vmm xen: known are qemu, qemu-11-no-xsave, ec2, gce', ('--vmm', 'xen', *one)),
                ('bit 0, SNP', ('--guest-features', '0x20', *one)),
                ('--guest-features x', ('--guest-features', 'x', *one)),
                ('--vmsa-gpa', ('--vmsa-gpa', '0x10000000000000', *one)),
                ('--vmsa-gpa', ('--vmsa-gpa', '0x10', *one)),
                ('--ovmf-digest', ('--ovmf-digest', '00', *one)),
                ('with --kernel', ('--append', 'x', *one)),
                ('with --kernel', ('--initrd', 'fw', *one)),
                ('nowhere: cannot be opened', ('--kernel', 'nowhere', *one)),
                ('gce does not measure a kernel', ('--vmm', 'gce', '--kernel', 'fw', *one)),
                ('come together', ('--id-block', 'fw', *one)),
                ('where there is --id-key', ('--author-key', 'fw', *one)),
                ('no private key on P-384', ('--id-key', 'fw', *one))):
            with self.subTest(options):
                self.refuses(words, *self.snp(*options))
        for options in ('--vcpus',), ('--json', '--transcript'), ('--no-such-option',), \
                ('--vcpu-type', 'EPYC', '--vcpu-sig', '1,2,3'):
            self.assertEqual(self.run_it(*self.snp(*options)).returncode, 2, options)

    def test_json(self):
        said = json.loads(self.gives(*self.snp('--json', '--vcpu-type', 'EPYC', '--kernel',
                                               '/dev/null')))
        self.assertEqual([s['type'] for s in said['firmware']['sections']],
                         ['sec-mem', 'sec-mem', 'secrets', 'cpuid', 'sec-mem', 'kernel-hashes',
                          'sec-mem'])
        self.assertEqual(said['kernel_hashes']['kernel'][:8], 'e3b0c442')
        self.assertEqual(said['digest'], self.digest(*self.snp(
            '--vcpu-type', 'EPYC', '--kernel', '/dev/null')))

    def test_transcript(self):
        for extra in (), ('--ovmf-digest', OVMF), ('--kernel', '/dev/null', '--vcpus', '3'):
            options = self.snp('--vcpu-type', 'EPYC', *extra)
            self.write('steps.json', self.gives(*options, '--transcript'))
            self.assertEqual(self.digest('steps.json'), self.digest(*options))

    def test_all_section_types(self):
        sections = [(0x800000, 0x1000, made.SVSM_CAA), (0x802000, 0x1000, 5)]
        self.write('fw', made.sev(sections))
        said = json.loads(self.gives(*self.snp('--vcpu-type', 'EPYC', '--transcript')))
        self.assertEqual([s['type'] for s in said['steps']], [1, 3, 3, 2])
        self.refuses('section of type 0x5', *self.snp('--vmm', 'ec2'))


class Broken(Case):
    def broken(self, words, firmware, *options):
        self.write('fw', firmware)
        self.refuses('fw: ', 'snp', '--ovmf', 'fw', '--vcpu-type', 'EPYC', *options)
        self.refuses(words, 'snp', '--ovmf', 'fw', '--vcpu-type', 'EPYC', *options)

    def test_size(self):
        self.broken('0 bytes are not whole pages', b'')
        self.broken('4095 bytes are not whole pages', made.sev()[1:])
        self.write('fw', b'')
        with open(self.path('fw'), 'r+b') as file:
            file.truncate(1 << 40)
        self.refuses('larger than', 'snp', '--ovmf', 'fw', '--vcpu-type', 'EPYC')

    def test_no_table(self):
        self.broken('no SEV metadata', bytes(4096))
        self.broken('no SEV metadata', made.image(made.table()))
        # All but its last page is not what OVMF's table is about.
        self.broken('no SEV metadata', made.sev(size=8192)[:4096])

    def test_table(self):
        def resized(size):
            table = bytearray(made.table((made.SEV_INFO, bytes(4))))
            struct.pack_into('<H', table, len(table) - 18, size)
            return made.image(bytes(table))
        self.broken('has size 17', resized(17))
        self.broken('has size 65535', resized(65535))
        self.broken('bytes left, less than an entry', resized(18 + 17))
        self.broken('of the firmware\'s table has size 22, of 21', resized(18 + 21))
        self.broken('twice', made.image(made.table((made.SEV_INFO, bytes(4)),
                                                   (made.SEV_INFO, bytes(4)))))
        small = bytearray(made.table((made.SEV_INFO, bytes(4))))
        struct.pack_into('<H', small, 4, 3)
        self.broken('has size 3', made.image(bytes(small)))

    def test_pointer(self):
        def pointing(data):
            return made.image(made.table((made.SEV_METADATA, data)))
        self.broken('ends at 0x3, before the 4 bytes', pointing(bytes(3)))
        self.broken('0x1001 before the end', pointing(struct.pack('<I', 4097)))
        self.broken('0xffffffff before the end', pointing(struct.pack('<I', 0xffffffff)))
        for back in 0, 1, 15:
            self.broken('SEV metadata ends at', pointing(struct.pack('<I', back)))

    def test_header(self):
        self.broken('does not begin with ASEV', made.sev(signature=b'ASEW'))
        self.broken('has version 2', made.sev(version=2))
        self.broken('100 bytes, but 8 sections', made.sev(number=8, said=100))
        self.broken('SEV metadata ends at 0x1000', made.sev(number=1000))
        # 16 + 12 * number, of 32 bits, comes round to the right one.
        self.broken('sections', made.sev(number=7 + (1 << 30)))

    def test_sections(self):
        def with_section(*section):
            return made.sev(made.AMD_SEV + [section])
        self.broken('not of whole pages', with_section(0x900001, 0x1000, 1))
        self.broken('not of whole pages', with_section(0x900000, 0x1001, 1))
        self.broken('not of whole pages', with_section(0x900000, 0, 1))
        self.broken('ends past 4 GiB', with_section(0xfffff000, 0x2000, 1))
        self.broken('ends past 4 GiB', with_section(0xff000000, 0xfffff000, 1))
        self.broken('overlaps the firmware', with_section(0xffffe000, 0x2000, 1))
        self.broken('overlaps SEV section', with_section(0x808000, 0x1000, 1))
        self.broken('overlaps SEV section', with_section(0x7ff000, 0x100000, 1))
        self.broken('more than one section of type secrets', with_section(0x900000, 0x1000, 2))
        self.broken('more than one section of type cpuid', with_section(0x900000, 0x1000, 3))
        self.broken('cpuid has 0x2000 bytes', made.sev([(0x900000, 0x2000, 3)]))
        self.broken('secrets has 0x2000 bytes', made.sev([(0x900000, 0x2000, 2)]))

    def test_processors(self):
        self.broken('where processors begin', made.sev(reset=None))
        self.broken('where processors begin', made.sev(reset=0))
        self.broken('where processors begin', made.sev(reset=None), '--vmm', 'gce',
                    '--vcpus', '2')

    def test_kernel(self):
        kernel = '--kernel', '/dev/null'
        self.broken('this one has none', made.sev(made.AMD_SEV[:5]), *kernel)
        for gpa in None, 0x80fc00, 0x811000:
            self.broken('table of kernel hashes is at', made.sev(hashes=gpa), *kernel)
        self.broken('does not fit', made.sev(hashes=0x810f51), *kernel)
        self.write('fw', made.sev(hashes=0x810f50))
        self.digest('snp', '--ovmf', 'fw', '--vcpu-type', 'EPYC', *kernel)
