# SPDX-License-Identifier: GPL-2.0-only
"""Files of a kernel as bytes: compression and the wrapping of boot images undone."""

import gzip
import lzma
import subprocess
import zlib

ELF_MAGIC = b"\x7fELF"
BTF_MAGIC = b"\x9f\xeb"
XZ_MAGIC = b"\xfd7zXZ\0"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
GZIP_MAGIC = b"\x1f\x8b"
LZMA_MAGIC = b"\x5d\0\0"

# Offsets in a boot image, from Documentation/arch/x86/boot.rst.
SETUP_SECTORS = 0x1F1
SETUP_MAGIC = 0x202
PAYLOAD_OFFSET = 0x248
PAYLOAD_LENGTH = 0x24C
SECTOR = 512


class BadInput(Exception):
    """A file cannot be used; the message is for the user."""


def _unzstd(data):
    try:
        done = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=False)
    except FileNotFoundError:
        raise BadInput("needs the program zstd to be read") from None
    if done.returncode != 0:
        raise ValueError(done.stderr.decode(errors="replace").strip())
    return done.stdout


def _decompress(data):
    """The data as it was before it was compressed by what kernels are compressed by."""
    if data.startswith(XZ_MAGIC):
        return lzma.decompress(data)
    if data.startswith(ZSTD_MAGIC):
        return _unzstd(data)
    if data.startswith(GZIP_MAGIC):
        return gzip.decompress(data)
    if data.startswith(LZMA_MAGIC):
        return lzma.decompress(data, format=lzma.FORMAT_ALONE)
    raise BadInput("has a kernel compressed in a way that is not known")


def _boot_image_payload(data):
    """The kernel inside a boot image. Its size follows it, in four bytes."""
    setup = (data[SETUP_SECTORS] or 4) + 1
    start = setup * SECTOR + int.from_bytes(data[PAYLOAD_OFFSET:PAYLOAD_OFFSET + 4], "little")
    length = int.from_bytes(data[PAYLOAD_LENGTH:PAYLOAD_LENGTH + 4], "little")
    payload = data[start:start + length]
    if len(payload) < max(length, 4):
        raise BadInput("is truncated")
    if payload.startswith(ELF_MAGIC):
        return payload
    if payload.startswith(XZ_MAGIC):
        # Nothing of the decompressor minds what follows the stream.
        return lzma.LZMADecompressor().decompress(payload)
    if payload.startswith(GZIP_MAGIC):
        return zlib.decompressobj(wbits=31).decompress(payload)
    return _decompress(payload[:-4])


def read(path):
    """The ELF file, or the raw BTF, that the file holds in whatever wrapping."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    try:
        if data[SETUP_MAGIC:SETUP_MAGIC + 4] == b"HdrS":
            return _boot_image_payload(data)
        if not data.startswith((ELF_MAGIC, BTF_MAGIC)):
            if not data.startswith((XZ_MAGIC, ZSTD_MAGIC, GZIP_MAGIC)):
                raise BadInput("is no ELF file, nor one that is compressed")
            return _decompress(data)
        return data
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    except (lzma.LZMAError, EOFError, OSError, zlib.error, ValueError) as error:
        raise BadInput(f"{path}: cannot be decompressed: {error}") from None
