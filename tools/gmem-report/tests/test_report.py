# SPDX-License-Identifier: GPL-2.0-only
"""Certificates and reports, made and checked with openssl's own programs, good and bad.

A report is written here from the layout, and signed by openssl.
"""

import os
import struct
import subprocess
import tempfile
import unittest

PROGRAM = os.environ.get('GMEM_REPORT', 'build/gmem-report')
DONE, NOT_GOOD, REFUSED = 0, 1, 2
# A hang, on a machine that is busy with other things.
PATIENCE = 300
CHIP = b'gmem snp-model, not AMD'.ljust(48, b'\0') + bytes(range(16))
TCB = 0x0403000000000201
SIGNED, SIZE = 0x2a0, 0x4a0
LEVELS = {1: 1, 2: 2, 3: 3, 4: 0, 5: 0, 6: 0, 7: 0, 8: 4}


def openssl(folder, *arguments, data=None):
    return subprocess.run(['openssl', *arguments], cwd=folder, check=True, input=data,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def numbers_of(der):
    """r and s of a signature."""
    numbers, at = [], 2 if der[1] < 0x80 else 3
    for _ in range(2):
        size = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2:at + 2 + size], 'big'))
        at += 2 + size
    return numbers


def make_report(folder, key, **fields):
    """Fields are offsets in hex behind an x, and bytes."""
    report = bytearray(SIGNED)
    struct.pack_into('<IIQ', report, 0, 2, 7, 0x30000)
    struct.pack_into('<IIQ', report, 0x30, 1, 1, TCB)
    report[0x50:0x90] = b'\x77' * 64
    report[0x90:0xc0] = b'\x99' * 48
    report[0xc0:0xe0] = b'\xda' * 32
    report[0xe0:0x110] = b'\x1d' * 48
    struct.pack_into('<Q', report, 0x180, TCB)
    report[0x1a0:0x1e0] = CHIP
    for name, value in fields.items():
        at = int(name[1:], 16)
        report[at:at + len(value)] = value
    der = openssl(folder, 'dgst', '-sha384', '-sign', key, data=bytes(report))
    signature = b''.join(number.to_bytes(72, 'little') for number in numbers_of(der))
    return bytes(report) + signature.ljust(SIZE - SIGNED, b'\0')


def make_key(folder, name):
    openssl(folder, 'ecparam', '-name', 'secp384r1', '-genkey', '-noout', '-out', name)
    public = openssl(folder, 'ec', '-in', name, '-pubout', '-outform', 'DER')
    return public[-96:-48], public[-48:]


def processor_text(x, y, chip=CHIP, tcb=TCB):
    return f'x {x.hex()}\ny {y.hex()}\nchip_id {chip.hex()}\ntcb {tcb:#018x}\n'


class Reports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """Keys of RSA take their time."""
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = cls.holder.name
        cls.x, cls.y = make_key(cls.folder, 'key')
        make_key(cls.folder, 'other')
        cls.write('processor', processor_text(cls.x, cls.y))
        for directory in 'certs', 'others':
            ran = cls.run_it('chain', directory, '--processor', 'processor')
            assert ran.returncode == DONE, ran.stderr
        cls.write('report', make_report(cls.folder, 'key'))

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    @classmethod
    def write(cls, name, data):
        with open(os.path.join(cls.folder, name), 'wb' if isinstance(data, bytes) else 'w') as file:
            file.write(data)
        return name

    @classmethod
    def read(cls, name):
        with open(os.path.join(cls.folder, name), 'rb') as file:
            return file.read()

    @classmethod
    def run_it(cls, *arguments):
        return subprocess.run([PROGRAM, *arguments], cwd=cls.folder, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=PATIENCE, check=False)

    def gives(self, *arguments):
        ran = self.run_it(*arguments)
        self.assertEqual((ran.returncode, ran.stderr), (DONE, b''), arguments)
        return ran.stdout.decode()

    def says(self, words, *arguments, status=REFUSED):
        """One line, with WORDS in it."""
        ran = self.run_it(*arguments)
        said = ran.stderr.decode()
        self.assertEqual(ran.returncode, status, said)
        self.assertIn(words, said)
        self.assertEqual(said.count('\n'), 1, said)

    def differs(self, words, *arguments):
        self.says(words, 'verify', *arguments, status=NOT_GOOD)

    # ---- certificates

    def test_openssl_likes_the_chain(self):
        said = openssl(self.folder, 'verify', '-CAfile', 'certs/ark.pem', '-untrusted',
                       'certs/ask.pem', 'certs/vcek.pem')
        self.assertIn(b'OK', said)
        self.assertEqual(self.read('certs/cert_chain.pem'),
                         self.read('certs/ask.pem') + self.read('certs/ark.pem'))
        for name in 'ark', 'ask', 'vcek':
            der = openssl(self.folder, 'x509', '-in', f'certs/{name}.pem', '-outform', 'DER')
            self.assertEqual(self.read(f'certs/{name}.der'), der)

    def test_names_say_whose_they_are(self):
        for name in 'ark', 'ask', 'vcek':
            text = openssl(self.folder, 'x509', '-in', f'certs/{name}.pem', '-noout', '-subject',
                           '-issuer').decode()
            for line in text.splitlines():
                self.assertIn("of gmem's snp-model, not AMD's", line)
                self.assertIn('gmem snp-model, not AMD', line)

    def test_signatures_are_pss(self):
        text = openssl(self.folder, 'x509', '-in', 'certs/vcek.pem', '-noout', '-text').decode()
        self.assertIn('rsassaPss', text)
        self.assertIn('sha384', text)
        self.assertIn('secp384r1', text)
        key = openssl(self.folder, 'x509', '-in', 'certs/ask.pem', '-noout', '-text').decode()
        self.assertIn('(4096 bit)', key)

    def test_extensions_are_amds(self):
        der = self.read('certs/vcek.der')
        base = bytes.fromhex('2b060104019c7801')
        for level, value in LEVELS.items():
            oid = base + bytes([3, level])
            self.assertIn(b'\x06\x0a' + oid + b'\x04\x03\x02\x01' + bytes([value]), der)
        self.assertIn(b'\x06\x09' + base + b'\x01\x04\x03\x02\x01\x00', der)
        self.assertIn(b'\x06\x09' + base + b'\x04\x04\x40' + CHIP, der)

    def test_levels_above_127(self):
        self.write('high', processor_text(self.x, self.y, tcb=0xff03000000000281))
        self.gives('chain', 'high-certs', '--processor', 'high')
        self.write('high-report', make_report(self.folder, 'key',
                                              x180=struct.pack('<Q', 0xff03000000000281)))
        self.gives('verify', 'high-report', '--chain', 'high-certs')

    def test_table(self):
        table = self.read('certs/certificates.bin')
        guids = ['a406b4c003a85249' '97433fb6014cd0ae', '79b3b74aacbbe44f' 'a02f05aef327c782',
                 '8d75da6364e66445' 'adc5f4b93be8accd']
        for i, (guid, name) in enumerate(zip(guids, ('ark', 'ask', 'vcek'))):
            offset, size = struct.unpack_from('<II', table, 24 * i + 16)
            self.assertEqual(table[24 * i:24 * i + 16].hex(), guid)
            self.assertEqual(table[offset:offset + size], self.read(f'certs/{name}.der'))
        self.assertEqual(table[72:96], bytes(24))
        self.assertLessEqual(len(table), 0x4000)

    def test_bad_processors(self):
        good = processor_text(self.x, self.y)
        before = self.read('certs/ark.pem')
        for words, text in (
                ('no key is there', ''),
                ('not what the module writes', 'nonsense here\n'),
                ('x is not 48 bytes', good.replace(self.x.hex(), self.x.hex()[2:])),
                ('y is not 48 bytes', good.replace('\ny ', '\ny zz')),
                ('tcb is no number', good.split('tcb')[0]),
                ('chip_id is not 64 bytes', good.replace('chip_id ', 'chip_id 00')),
                ('tcb is no number', good.replace('tcb 0x', 'tcb q')),
                ('no point of P-384', processor_text(self.x, self.x))):
            self.write('bad', text)
            self.says(words, 'chain', 'certs', '--processor', 'bad')
        self.says('missing', 'chain', 'certs', '--processor', 'missing')
        self.assertEqual(self.read('certs/ark.pem'), before)

    # ---- show

    def test_show(self):
        lines = dict(line.split(None, 1) for line in self.gives('show', 'report').splitlines())
        self.assertEqual(lines['version'], '0x2')
        self.assertEqual(lines['guest_svn'], '0x7')
        self.assertEqual(lines['policy'], '0x30000')
        self.assertEqual(lines['vmpl'], '0x1')
        self.assertEqual(lines['measurement'], '99' * 48)
        self.assertEqual(lines['host_data'], 'da' * 32)
        self.assertEqual(lines['chip_id'], CHIP.hex())
        self.assertEqual(lines['reported_tcb'],
                         '0x403000000000201: boot loader 1, TEE 2, SNP 3, microcode 4')

    def test_bad_reports(self):
        report = self.read('report')
        self.write('short', report[:-1])
        self.write('long', report + b'\0')
        self.write('version', b'\3' + report[1:])
        for command in ('show',), ('verify', '--chain', 'certs'):
            self.says('1183 bytes', *command, 'short')
            self.says('long', *command, 'long')
            self.says('version 3', *command, 'version')
            self.says('missing', *command, 'missing')

    # ---- verify

    def test_good(self):
        self.gives('verify', 'report', '--chain', 'certs')
        self.gives('verify', 'report', '--root', 'certs/ark.pem', '--ask', 'certs/ask.der',
                   '--vcek', 'certs/vcek.pem')
        self.gives('verify', 'report', '--root', 'certs/ark.der', '--table',
                   'certs/certificates.bin')
        self.gives('verify', 'report', '--chain', 'certs', '--measurement', '99' * 48,
                   '--host-data', 'da' * 32, '--report-data', '77' * 64, '--id-key-digest',
                   '1d' * 48, '--author-key-digest', '00' * 48, '--policy', '0x30000', '--vmpl',
                   '1')

    def test_another_root(self):
        self.differs('does not lead to the root', 'report', '--chain', 'certs', '--root',
                     'others/ark.pem')
        self.differs('does not lead to the root', 'report', '--chain', 'certs', '--ask',
                     'others/ask.pem')
        # The root of a guest's table is nobody's.
        self.says('no root is given', 'verify', 'report', '--table', 'certs/certificates.bin')

    def test_each_bit_is_signed(self):
        report = self.read('report')
        for at in 0x00d, 0x050, 0x0ff, 0x1f8, 0x29f, 0x2a0, 0x2e8, 0x330, 0x49f:
            changed = bytearray(report)
            changed[at] ^= 1
            self.write('changed', bytes(changed))
            self.differs('has not signed the report', 'changed', '--chain', 'certs')

    def test_another_key(self):
        self.write('by-other', make_report(self.folder, 'other'))
        self.differs('has not signed', 'by-other', '--chain', 'certs')

    def test_another_processor(self):
        self.write('of-other', make_report(self.folder, 'key', x1a0=b'AMD'))
        self.differs('chip_id', 'of-other', '--chain', 'certs')
        self.write('older', make_report(self.folder, 'key', x180=b'\0'))
        self.differs('reported_tcb', 'older', '--chain', 'certs')
        self.write('algorithm', make_report(self.folder, 'key', x034=b'\2'))
        self.differs('not said to be ECDSA', 'algorithm', '--chain', 'certs')

    def test_other_fields(self):
        for option, value in (('measurement', '98' * 48), ('host-data', '00' * 32),
                              ('report-data', '78' * 64), ('id-key-digest', '1c' * 48),
                              ('author-key-digest', '01' * 48), ('policy', '0x30001'),
                              ('vmpl', '0')):
            self.differs(option.replace('-', '_') + ': the report has', 'report', '--chain',
                         'certs', '--' + option, value)

    def test_all_faults_are_told(self):
        ran = self.run_it('verify', 'report', '--chain', 'certs', '--root', 'others/ark.pem',
                          '--policy', '1', '--vmpl', '3')
        self.assertEqual(ran.returncode, NOT_GOOD)
        self.assertEqual(ran.stderr.count(b'\n'), 3)

    def test_bad_options(self):
        for words, *options in (('measurement', '--measurement', '99' * 47),
                                ('host_data', '--host-data', 'no'),
                                ('policy', '--policy', 'no'),
                                ('vmpl', '--vmpl', '0x100000000'),
                                ('missing', '--id-auth', 'missing'),
                                ('no certificate', '--vcek', 'report'),
                                ('no extension', '--vcek', 'certs/ask.pem'),
                                ('missing', '--root', 'missing')):
            self.says(words, 'verify', 'report', '--chain', 'certs', *options)
        self.says('no root is given', 'verify', 'report')
        self.says('no certificate of ASK', 'verify', 'report', '--root', 'certs/ark.pem')

    def test_bad_tables(self):
        table = self.read('certs/certificates.bin')
        for words, bad in (('ends at', table[:40]), ('ends at', table[:-1]), ('ends at', b''),
                           ('is no certificate', table[:-800] + bytes(800)),
                           ('no certificate of ASK', bytes(24))):
            self.write('table', bad)
            self.says(words, 'verify', 'report', '--root', 'certs/ark.pem', '--table', 'table')


if __name__ == '__main__':
    unittest.main()
