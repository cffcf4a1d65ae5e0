#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Make of the firmware images that no SNP guest is launched with, or is for all that.

    broken.py IMAGE FOLDER

FOLDER/refused/NAME.fd must not run: QEMU or the launch has to refuse it. FOLDER/fatal/NAME.fd
is one that QEMU itself may die of, as it looks outside of the image. FOLDER/launched/NAME.fd is
odd, but must run.
"""
import pathlib
import struct
import sys
import uuid

FOOTER = uuid.UUID('96b582de-1fb2-45f7-baea-a366c55a082d')
SEV_INFO = uuid.UUID('00f771de-1a7e-4fcb-890e-68c77e2fb44e')
METADATA = uuid.UUID('dc886566-984a-4798-a75e-5585a7bf67cc')
NOBODYS = uuid.UUID('00112233-4455-6677-8899-aabbccddeeff')

MEMORY, SECRETS, CPUID = 1, 2, 3
HEADER = 16
SECTION = 12


class Image:
    """The firmware's bytes, and where in them is what gets broken."""

    def __init__(self, data):
        self.data = bytearray(data)

    def find(self, guid):
        at = self.data.find(guid.bytes_le)
        assert at >= 0, guid
        return at

    def rename(self, guid):
        at = self.find(guid)
        self.data[at:at + 16] = NOBODYS.bytes_le

    def put(self, at, *words):
        self.data[at:at + 4 * len(words)] = struct.pack(f'<{len(words)}I', *words)

    @property
    def metadata(self):
        return self.data.rfind(b'ASEV')

    def section(self, number, base, size, kind):
        self.put(self.metadata + HEADER + SECTION * number, base, size, kind)

    def set_header(self, field, value):
        self.put(self.metadata + 4 * field, value)

    def set_offset(self, value):
        # Before the size and the GUID of the entry.
        self.put(self.find(METADATA) - 2 - 4, value)


LENGTH, VERSION, SECTIONS = 1, 2, 3

REFUSED = {
    'no_footer': lambda i: i.rename(FOOTER),
    'no_sev_info': lambda i: i.rename(SEV_INFO),
    'no_metadata': lambda i: i.rename(METADATA),
    'another_signature': lambda i: i.put(i.metadata, 0x56455342),
    'section_without_memory': lambda i: i.section(0, 0xd0000000, 0x1000, MEMORY),
    'section_past_memory': lambda i: i.section(0, 0x0ffff000, 0x2000, MEMORY),
    'section_between_pages': lambda i: i.section(0, 0x8800, 0x1000, MEMORY),
    'section_of_half_a_page': lambda i: i.section(0, 0x8000, 0x800, MEMORY),
    'section_twice': lambda i: i.section(0, 0x40000, 0x1000, MEMORY),
    'section_in_the_image': lambda i: i.section(0, 0xffff0000, 0x1000, MEMORY),
    'size_of_62_kib': lambda i: i.data.__delitem__(slice(0, 0x800)),
}

FATAL = {
    'metadata_past_the_image': lambda i: i.set_offset(len(i.data) + 64),
    'metadata_at_its_end': lambda i: i.set_offset(0),
}

LAUNCHED = {
    'two_cpuid_pages': lambda i: i.section(0, 0x8000, 0x1000, CPUID),
    'unknown_kind': lambda i: i.section(0, 0x8000, 0x1000, 0x55),
    'another_version': lambda i: i.set_header(VERSION, 7),
    'block_of_memory': lambda i: i.section(0, 0x200000, 0x400000, MEMORY),
}


def main():
    data = pathlib.Path(sys.argv[1]).read_bytes()
    for folder, images in (('refused', REFUSED), ('fatal', FATAL), ('launched', LAUNCHED)):
        into = pathlib.Path(sys.argv[2]) / folder
        into.mkdir(parents=True, exist_ok=True)
        for name, change in images.items():
            image = Image(data)
            change(image)
            (into / f'{name}.fd').write_bytes(image.data)


if __name__ == '__main__':
    main()
