# SPDX-License-Identifier: GPL-2.0-only
"""gmem-measure rtmr: run-time registers of a TD, out of its event log."""

import hashlib
import json
import struct

import made
from case import Case
from test_tdx import SECTIONS

SHA1, SHA256, SHA384 = (4, 20), (11, 32), (12, 48)
NO_ACTION, SEPARATOR, VARIABLE = 3, 4, 0x80000001


def first(algorithms=(SHA384,), kind=NO_ACTION, signature=b'Spec ID Event03\0', number=None,
          size=None):
    number = len(algorithms) if number is None else number
    event = signature + struct.pack('<IBBBBI', 0, 0, 2, 0, 2, number)
    event += b''.join(struct.pack('<HH', *algorithm) for algorithm in algorithms) + b'\0'
    return struct.pack('<II20xI', 1, kind, len(event) if size is None else size) + event


def event(register, kind, data, algorithms=(SHA384,), size=None):
    digests = b''.join(struct.pack('<H', number) +
                       hashlib.sha512(bytes([number]) + data).digest()[:length]
                       for number, length in algorithms)
    return struct.pack('<III', register, kind, len(algorithms)) + digests + struct.pack(
        '<I', len(data) if size is None else size) + data


def digest(data):
    return hashlib.sha512(b'\x0c' + data).digest()[:48]


def registers(*events):
    values = [bytes(48)] * 4
    for register, data in events:
        values[register] = hashlib.sha384(values[register] + digest(data)).digest()
    return {f'rtmr{i}': value.hex() for i, value in enumerate(values)}


LOG = [(0, b'one'), (1, b'two'), (0, b''), (3, b'three' * 99), (2, b'four'), (1, b'two')]


class Replay(Case):
    def values(self, log, *command):
        self.write('log', log)
        return json.loads(self.gives(*(command or ('rtmr', 'log')), '--json'))

    def test_registers(self):
        body = b''.join(event(r + 1, VARIABLE, data) for r, data in LOG)
        self.assertEqual(self.values(first() + body), registers(*LOG))
        for end in b'\xff' * 500, bytes(500), b'\xff', b'\0' * 3:
            self.assertEqual(self.values(first() + body + end), registers(*LOG))
        self.assertEqual(self.values(first()), registers())

    def test_algorithms(self):
        several = SHA1, SHA384, SHA256
        body = b''.join(event(r + 1, SEPARATOR, data, several[::-1]) for r, data in LOG)
        self.assertEqual(self.values(first(several) + body), registers(*LOG))

    def test_no_action(self):
        body = event(0, NO_ACTION, b'x') + event(1, VARIABLE, b'one')
        self.assertEqual(self.values(first() + body), registers((0, b'one')))

    def test_output(self):
        self.write('log', first() + event(2, VARIABLE, b'x'))
        self.assertEqual(self.gives('rtmr', 'log').splitlines()[1],
                         'rtmr1=' + registers((1, b'x'))['rtmr1'])
        self.assertEqual(self.gives('rtmr', 'log', '--transcript').split(),
                         ['0x41', 'rtmr1', 'type', '0x80000001', digest(b'x').hex()])

    def test_with_mrtd(self):
        self.write('fw', made.tdx(SECTIONS))
        said = self.values(first() + event(1, VARIABLE, b'one'), 'tdx', '--ovmf', 'fw',
                           '--event-log', 'log')
        self.assertEqual(said['digest'], self.digest('tdx', '--ovmf', 'fw'))
        self.assertEqual(said['rtmr0'], registers((0, b'one'))['rtmr0'])

    def broken(self, words, log):
        self.write('log', log)
        self.refuses('log: ', 'rtmr', 'log')
        self.refuses(words, 'rtmr', 'log')

    def test_first(self):
        self.broken('the event log ends at 0x0', b'')
        self.broken('not Spec ID Event03', first(kind=4))
        self.broken('not Spec ID Event03', first(signature=b'Spec ID Event02\0'))
        self.broken('no SHA-384', first([SHA256]))
        self.broken('no SHA-384', first([(12, 47)]))
        self.broken('the first event ends at', first(number=0xffffffff))
        self.broken('the event log ends at', first(size=0xffffffff))
        self.broken('the first event ends at 0x4', first(size=4))

    def test_events(self):
        good = event(1, VARIABLE, b'data')
        for cut in range(1, len(good)):
            self.broken('ends at', first() + good[:cut])
        self.broken('is for register 5', first() + event(5, VARIABLE, b''))
        self.broken('is for register 0', first() + event(0, VARIABLE, b''))
        self.broken('algorithm 0xb, which is not', first() + event(1, VARIABLE, b'', [SHA256]))
        self.broken('has no SHA-384', first([SHA256, SHA384]) + event(1, VARIABLE, b'', [SHA256]))
        self.broken('ends at', first() + event(1, VARIABLE, b'', size=0xffffffff))
