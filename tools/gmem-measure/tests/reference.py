# SPDX-License-Identifier: GPL-2.0-only
"""Launch digests once more, by other means than gmem-measure's: to compare with it."""

import hashlib
import struct
import uuid

NORMAL, VMSA, ZERO, UNMEASURED, SECRETS, CPUID = range(1, 7)
VMSA_GPA = 0xfffffffff000
ZEROS = bytes(48)


def sha384(data):
    return hashlib.sha384(data).digest()


def entries(firmware):
    """Data of each entry in OVMF's table, by GUID."""
    found, end = {}, len(firmware) - 32

    def tail(at):
        return (str(uuid.UUID(bytes_le=firmware[at - 16:at])),
                struct.unpack_from('<H', firmware, at - 18)[0])
    footer, total = tail(end)
    assert footer == '96b582de-1fb2-45f7-baea-a366c55a082d'
    start, end = end - total, end - 18
    while end > start:
        guid, size = tail(end)
        found[guid] = firmware[end - size:end - 18]
        end -= size
    return found


def listed(firmware, guid, form):
    """What the entry GUID points to: tuples of the struct FORM."""
    at = len(firmware) - struct.unpack('<I', entries(firmware)[guid][:4])[0]
    number = struct.unpack_from('<I', firmware, at + 12)[0]
    return [struct.unpack_from(form, firmware, at + 16 + i * struct.calcsize(form))
            for i in range(number)]


def save_area(eip, signature, features):
    """Of a processor that QEMU has reset."""
    fields = {0xd0: 0x1000, 0x148: 0x40, 0x158: 0x10, 0x160: 0x400, 0x168: 0xffff0ff0, 0x170: 2,
              0x178: eip & 0xffff, 0x268: 0x0007040600070406, 0x310: signature, 0x3b0: features,
              0x3e8: 1, 0x408: 0x1f80, 0x410: 0x37f}
    page = bytearray(4096)
    for at, attributes in zip(range(0, 0xa0, 16),
                              (0x93, 0x9b, 0x93, 0x93, 0x93, 0x93, 0, 0x82, 0, 0x8b)):
        code = at == 0x10
        struct.pack_into('<HHIQ', page, at, 0xf000 if code else 0, attributes, 0xffff,
                         eip & 0xffff0000 if code else 0)
    for at, value in fields.items():
        struct.pack_into('<Q', page, at, value)
    return bytes(page)


def hashes_page(offset, kernel, initrd, append):
    def one(guid, data):
        return uuid.UUID(guid).bytes_le + struct.pack('<H', 50) + hashlib.sha256(data).digest()
    page = bytes(offset) + uuid.UUID('9438d606-4f22-4cc9-b479-a793d411fd21').bytes_le
    page += struct.pack('<H', 168) + one('97d02dd8-bd20-4c94-aa78-e7714d36ab2a', append + b'\0')
    page += one('44baf731-3a2f-4bd7-9af1-41e29169781d', initrd)
    page += one('4de79437-abd2-427f-b835-d5b172d2045b', kernel)
    return page.ljust(4096, b'\0')


def qemu_steps(firmware, vcpus, signature, features=1, kernel=None):
    """(type, gpa, contents); KERNEL is kernel, initrd and command line as bytes."""
    base = (1 << 32) - len(firmware)
    for at in range(0, len(firmware), 4096):
        yield NORMAL, base + at, sha384(firmware[at:at + 4096])
    table = entries(firmware)
    for gpa, size, kind in listed(firmware, 'dc886566-984a-4798-a75e-5585a7bf67cc', '<III'):
        if kind == 0x10 and kernel:
            where = struct.unpack_from('<I', table['7255371f-3a3b-4b04-927b-1da6efa8d454'])[0]
            yield NORMAL, gpa, sha384(hashes_page(where - gpa, *kernel))
            continue
        for at in range(gpa, gpa + size, 4096):
            yield {2: SECRETS, 3: CPUID}.get(kind, ZERO), at, ZEROS
    reset = struct.unpack('<I', table['00f771de-1a7e-4fcb-890e-68c77e2fb44e'])[0]
    for i in range(vcpus):
        yield VMSA, VMSA_GPA, sha384(save_area(reset if i else 0xfffffff0, signature, features))


def snp(steps, digest=ZEROS):
    for kind, gpa, contents in steps:
        digest = sha384(digest + contents + struct.pack('<HB5xQ', 0x70, kind, gpa))
    return digest.hex()


def mrtd(firmware):
    digest = hashlib.sha384()
    for data, size, gpa, memory, _, attributes in listed(
            firmware, 'e47a6535-984a-4798-865e-4685a7bf8ec2', '<IIQQII'):
        for at in range(0, 0 if attributes & 2 else memory, 4096):
            digest.update(struct.pack('<16sQ104x', b'MEM.PAGE.ADD', gpa + at))
            for chunk in range(at, at + 4096 if attributes & 1 else 0, 256):
                digest.update(struct.pack('<16sQ104x', b'MR.EXTEND', gpa + chunk))
                digest.update(firmware[data + chunk:data + chunk + 256] if size else bytes(256))
    return digest.hexdigest()
