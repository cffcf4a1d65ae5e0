# SPDX-License-Identifier: GPL-2.0-only
"""Firmware images that the tests make: OVMF's table, and the metadata it points to."""

import struct
import sys
import uuid

FOOTER = '96b582de-1fb2-45f7-baea-a366c55a082d'
SEV_METADATA = 'dc886566-984a-4798-a75e-5585a7bf67cc'
SEV_INFO = '00f771de-1a7e-4fcb-890e-68c77e2fb44e'
HASH_TABLE = '7255371f-3a3b-4b04-927b-1da6efa8d454'
TDVF_METADATA = 'e47a6535-984a-4798-865e-4685a7bf8ec2'

SEC_MEM, SECRETS, CPUID, SVSM_CAA, KERNEL_HASHES = 1, 2, 3, 4, 0x10

# The sections of OVMF's AmdSev build, which takes hashes of a kernel.
AMD_SEV = [(0x800000, 0x9000, SEC_MEM), (0x80a000, 0x3000, SEC_MEM), (0x80d000, 0x1000, SECRETS),
           (0x80e000, 0x1000, CPUID), (0x80f000, 0x1000, SEC_MEM),
           (0x810000, 0x1000, KERNEL_HASHES), (0x811000, 0xf000, SEC_MEM)]


def entry(guid, data):
    return data + struct.pack('<H', len(data) + 18) + uuid.UUID(guid).bytes_le


def table(*entries):
    body = b''.join(entry(guid, data) for guid, data in entries)
    return body + struct.pack('<H', len(body) + 18) + uuid.UUID(FOOTER).bytes_le


def asev(sections, signature=b'ASEV', version=1, number=None, said=None):
    number = len(sections) if number is None else number
    said = 16 + 12 * number if said is None else said
    return struct.pack('<4sIII', signature, said & 0xffffffff, version, number) + b''.join(
        struct.pack('<III', *section) for section in sections)


def tdvf(sections, signature=b'TDVF', version=1, number=None, said=None):
    number = len(sections) if number is None else number
    said = 16 + 32 * number if said is None else said
    return struct.pack('<4sIII', signature, said & 0xffffffff, version, number) + b''.join(
        struct.pack('<IIQQII', *section) for section in sections)


def image(table_bytes, size=4096, parts=(), after=bytes(32)):
    """SIZE bytes of firmware with PARTS, (offset, bytes), in it and the table at its end."""
    data = bytearray(bytes(i * 7 & 0xff for i in range(256)) * (size // 256))
    end = size - len(after)
    data[end:] = after
    data[end - len(table_bytes):end] = table_bytes
    for offset, part in parts:
        data[offset:offset + len(part)] = part
    return bytes(data)


def sev(sections=None, size=4096, reset=0x80b004, hashes=0x810c00, **kwargs):
    sections = AMD_SEV if sections is None else sections
    entries = [(SEV_METADATA, struct.pack('<I', size))]
    if reset is not None:
        entries.append((SEV_INFO, struct.pack('<I', reset)))
    if hashes is not None:
        entries.append((HASH_TABLE, struct.pack('<II', hashes, 0x400)))
    return image(table(*entries), size, [(0, asev(sections, **kwargs))])


def tdx(sections, size=8192, **kwargs):
    return image(table((TDVF_METADATA, struct.pack('<I', size))), size,
                 [(0, tdvf(sections, **kwargs))])


if __name__ == '__main__':
    # python3 made.py FILE: the firmware that combinations.tsv calls "made".
    with open(sys.argv[1], 'wb') as made_file:
        made_file.write(sev(size=65536))
