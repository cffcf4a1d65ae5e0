# SPDX-License-Identifier: GPL-2.0-only
"""ID blocks: layouts and signatures against openssl's own, and blocks that do not fit."""

import base64
import hashlib
import json
import struct
import subprocess

import made
from case import DIFFERS, Case

ID_KEY, KEY_SIGNATURE, AUTHOR_KEY = 0x240, 0x680, 0x880


def integer(number):
    """As DER has it."""
    data = number.to_bytes(49, 'big').lstrip(b'\0')
    if data[0] & 0x80:
        data = b'\0' + data
    return b'\2' + bytes([len(data)]) + data


class IdBlock(Case):
    def setUp(self):
        super().setUp()
        self.write('fw', made.sev())
        for name in 'id', 'author', 'other':
            self.openssl('ecparam', '-name', 'secp384r1', '-genkey', '-noout', '-out', name)
        self.launch = 'snp', '--ovmf', 'fw', '--vcpu-type', 'EPYC-v4'
        self.made = 'block', 'auth'

    def openssl(self, *arguments):
        return subprocess.run(['openssl', *arguments], cwd=self.folder, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

    def make(self, *options):
        self.gives(*self.launch, '--id-key', 'id', '--id-block-out', 'block', '--id-auth-out',
                   'auth', *options)
        return tuple(self.read(name) for name in self.made)

    def read(self, name):
        with open(self.path(name), 'rb') as file:
            return file.read()

    def public(self, name):
        """The key in the firmware's layout."""
        point = self.openssl('ec', '-in', name, '-pubout', '-outform', 'DER')[-96:]
        x, y = point[:48], point[48:]
        return struct.pack('<I72s72s', 2, x[::-1], y[::-1]).ljust(0x404, b'\0')

    def verify(self, name, data, signature):
        r, s = (int.from_bytes(signature[at:at + 72], 'little') for at in (0, 72))
        der = integer(r) + integer(s)
        self.write('data', data)
        self.write('signature', b'\x30' + bytes([len(der)]) + der)
        self.openssl('ec', '-in', name, '-pubout', '-out', 'public')
        self.openssl('dgst', '-sha384', '-verify', 'public', '-signature', 'signature', 'data')
        self.assertFalse(any(signature[144:512]))

    def test_block(self):
        block, auth = self.make('--family-id', '01' * 16, '--image-id', '02' * 16, '--guest-svn',
                                '7', '--policy', '0xb0000')
        self.assertEqual(block, bytes.fromhex(self.digest(*self.launch)) + b'\1' * 16 +
                         b'\2' * 16 + struct.pack('<IIQ', 1, 7, 0xb0000))
        self.assertEqual(auth[:0x40], struct.pack('<II56x', 1, 0))
        self.verify('id', block, auth[0x40:0x240])
        self.assertEqual(auth[ID_KEY:ID_KEY + 0x404], self.public('id'))
        self.assertFalse(any(auth[0x644:]))

    def test_author(self):
        block, auth = self.make('--author-key', 'author')
        self.assertEqual(auth[:0x40], struct.pack('<II56x', 1, 1))
        self.verify('author', self.public('id'), auth[KEY_SIGNATURE:KEY_SIGNATURE + 0x200])
        self.assertEqual(auth[AUTHOR_KEY:AUTHOR_KEY + 0x404], self.public('author'))
        self.assertFalse(any(auth[AUTHOR_KEY + 0x404:]))
        said = json.loads(self.gives(*self.launch, '--json', '--id-key', 'id', '--author-key',
                                     'author'))['id']
        for name in 'id', 'author':
            self.assertEqual(said[name + '_key_digest'],
                             hashlib.sha384(self.public(name)).hexdigest())
        self.assertEqual(base64.b64decode(said['id_block']), block)
        lines = self.gives(*self.launch, '--id-key', 'id').splitlines()
        self.assertEqual([line.split('=')[0] for line in lines[1:]],
                         ['id-block', 'id-auth', 'id-key-digest'])

    def check(self, block, auth, words=None, *options):
        self.write('block', block)
        self.write('auth', auth)
        options = *self.launch, '--id-block', 'block', '--id-auth', 'auth', *options
        if words:
            self.refuses(words, *options, status=DIFFERS)
        else:
            self.gives(*options)

    def test_check(self):
        block, auth = self.make('--author-key', 'author')
        self.check(block, auth)
        self.check(base64.b64encode(block), base64.encodebytes(auth))
        self.check(block, auth, 'wants digest', '--vcpus', '2')
        self.check(block, auth, 'wants policy 0x30000', '--policy', '0x70000')
        for at in 0x30, 0x54:
            self.check(self.flipped(block, at), auth, 'has not signed the ID block')
        self.check(self.flipped(block, 0x50), auth, 'version 0')
        for at, words in ((0, 'algorithm is 0'), (4, 'author key\'s algorithm is 0'),
                          (0x40, 'signed the ID block'), (0x88, 'signed the ID block'),
                          (0xd0, 'signed the ID block'), (ID_KEY, 'signed the ID block'),
                          (ID_KEY + 4, 'signed the ID block'),
                          (ID_KEY + 0x403, 'signed the ID block'),
                          (KEY_SIGNATURE, 'signed the ID key'),
                          (AUTHOR_KEY + 4, 'signed the ID key')):
            with self.subTest(at):
                self.check(block, self.flipped(auth, at), words)
        self.check(block, bytes([1]) + bytes(4095), 'signed the ID block')
        self.check(block, bytes([1]) + bytes(63) + b'\xff' * 4032, 'signed the ID block')

    @staticmethod
    def flipped(data, at):
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]

    def test_other_author(self):
        block, auth = self.make('--author-key', 'author')
        _, other = self.make('--author-key', 'other')
        self.check(block, auth[:AUTHOR_KEY] + other[AUTHOR_KEY:], 'signed the ID key')

    def test_bad_files(self):
        block, auth = self.make()
        for bad in b'', block[1:], block + b'\0', b'AAAA', base64.b64encode(block)[:-4], \
                base64.b64encode(block) + b'?':
            self.write('bad', bad)
            self.refuses('bad: neither 96 bytes', *self.launch, '--id-block', 'bad', '--id-auth',
                         'auth')
        self.refuses('block: neither 4096 bytes', *self.launch, '--id-block', 'block',
                     '--id-auth', 'block')

    def test_bad_keys(self):
        self.openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'p256')
        self.openssl('genrsa', '-out', 'rsa', '1024')
        self.openssl('ec', '-in', 'id', '-pubout', '-out', 'public')
        self.openssl('ec', '-in', 'id', '-aes128', '-passout', 'pass:x', '-out', 'secret')
        for name in 'p256', 'rsa', 'public', 'secret', 'fw', '/dev/null':
            self.refuses(name + ': no private key on P-384', *self.launch, '--id-key', name)
        self.refuses('--family-id 00', *self.launch, '--id-key', 'id', '--family-id', '00')
        self.refuses('--guest-svn', *self.launch, '--id-key', 'id', '--guest-svn', str(2**32))
        self.refuses('nowhere/block: cannot be opened', *self.launch, '--id-key', 'id',
                     '--id-block-out', 'nowhere/block')
        self.refuses('/dev/full: cannot be written', *self.launch, '--id-key', 'id',
                     '--id-block-out', '/dev/full')
