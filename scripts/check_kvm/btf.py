# SPDX-License-Identifier: GPL-2.0-only
"""BTF, the kernel's own description of its types: functions, and their types as C."""

import struct

from .image import BadInput

MAGIC = 0xEB9F
HEADER = struct.Struct("<HBBIIIII")
TYPE = struct.Struct("<III")
PAIR = struct.Struct("<II")

(INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC,
 FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64) = range(1, 20)

# Bytes behind a type, and behind it for each of its members.
FIXED = {INT: 4, ARRAY: 12, VAR: 4, DECL_TAG: 4}
MEMBERS = {STRUCT: 12, UNION: 12, ENUM: 8, FUNC_PROTO: 8, DATASEC: 12, ENUM64: 12}

TAGS = {STRUCT: "struct", UNION: "union", ENUM: "enum", ENUM64: "enum"}
QUALIFIERS = {CONST: "const", VOLATILE: "volatile", RESTRICT: "restrict"}
FWD_UNION = BIT_FIELDS = 1 << 31


class Btf:
    """Types by number; a module's go on where the kernel's, @base, end."""

    def __init__(self, path, data, base=None):
        self._path, self._base = path, base
        self._first = base.count if base else 1
        self._string_start = base.string_end if base else 0
        self._types = []
        self._functions = {}
        self._structs = {}
        self._typedefs = {}
        try:
            self._parse(data)
        except (struct.error, IndexError, ValueError, KeyError) as error:
            raise BadInput(f"{path}: its BTF is damaged ({error})") from None

    def _parse(self, data):
        magic, version, _, header, types, type_size, strings, string_size = HEADER.unpack_from(data)
        if magic != MAGIC or version != 1:
            raise ValueError("magic or version")
        self._strings = data[header + strings:header + strings + string_size]
        if len(self._strings) != string_size:
            raise ValueError("shorter than it says")
        self.string_end = self._string_start + string_size
        at, end = header + types, header + types + type_size
        self._data = data
        while at < end:
            name, info, other = TYPE.unpack_from(data, at)
            kind, members = info >> 24 & 0x1F, info & 0xFFFF
            if not 0 < kind <= ENUM64:
                raise ValueError(f"a type of kind {kind}")
            number = self._first + len(self._types)
            self._types.append((kind, name, info, other, at + TYPE.size))
            at += TYPE.size + FIXED.get(kind, 0) + members * MEMBERS.get(kind, 0)
            if kind == FUNC:
                self._functions.setdefault(self._string(name), []).append(number)
            elif kind == STRUCT:
                self._structs.setdefault(self._string(name), number)
            elif kind == TYPEDEF:
                self._typedefs.setdefault(self._string(name), number)
        if at != end:
            raise ValueError("types end in the middle of one")
        self.count = self._first + len(self._types)

    def _string(self, offset):
        if offset < self._string_start:
            return self._base._string(offset)
        offset -= self._string_start
        return self._strings[offset:self._strings.index(b"\0", offset)].decode()

    def _type(self, number):
        if number < self._first and self._base:
            return self._base._type(number)
        return self._types[number - self._first]

    def _owner(self, number):
        return self._base if self._base and number < self._first else self

    def prototypes(self, name):
        """Those of every function that is called so in this BTF, the base's left out."""
        return self._rendered(self.prototype, self._functions.get(name, []))

    def callback(self, name):
        """Prototypes of what a typedef of that name points to: one, or none."""
        number = self._typedefs.get(name)
        if number is None:
            return self._base.callback(name) if self._base else []
        return self._rendered(self._pointed, [number])

    def layout(self, name):
        """(bytes, {field: its first byte}) of a struct, with the fields of what has no name in
        it; None if there is none."""
        if name in self._structs:
            number = self._structs[name]
            (fields,) = self._rendered(lambda number: dict(self._fields(number)), [number])
            return self._type(number)[3], fields
        return self._base.layout(name) if self._base else None

    def _fields(self, number):
        _, _, info, _, at = self._type(number)
        data = self._owner(number)._data
        for i in range(info & 0xFFFF):
            name, field, place = TYPE.unpack_from(data, at + i * TYPE.size)
            if info & BIT_FIELDS:
                place &= 0xFFFFFF
            if name:
                yield self._string(name), place / 8
            elif self._type(field)[0] in (STRUCT, UNION):
                yield from ((name, place / 8 + inside) for name, inside in self._fields(field))

    def _pointed(self, typedef):
        pointer = self._type(typedef)[3]
        if not pointer or self._type(pointer)[0] != PTR:
            raise ValueError("a callback that is no pointer")
        return self._signature(self._type(pointer)[3])

    def _rendered(self, render, numbers):
        try:
            return [render(number) for number in numbers]
        except (struct.error, IndexError, ValueError, KeyError, RecursionError) as error:
            raise BadInput(f"{self._path}: its BTF is damaged, or is not built on the kernel's "
                           f"that was given ({error})") from None

    def prototype(self, function):
        """(result, (argument, ...)) of a FUNC, as C."""
        return self._signature(self._type(function)[3])

    def _signature(self, number):
        kind, _, info, result, at = self._type(number)
        if kind != FUNC_PROTO:
            raise ValueError("a function without a prototype")
        data = self._owner(number)._data
        arguments = []
        for i in range(info & 0xFFFF):
            _, argument = PAIR.unpack_from(data, at + i * PAIR.size)
            arguments.append(self.c_type(argument) if argument else "...")
        return self.c_type(result), tuple(arguments)

    def c_type(self, number, declarator=""):
        """A type as C, around the declarator."""
        if number == 0:
            return f"void {declarator}".rstrip()
        kind, name, info, other, at = self._type(number)
        if kind == PTR:
            wrapped = "*" + declarator
            if other and self._behind_tags(other) in (ARRAY, FUNC_PROTO):
                wrapped = f"({wrapped})"
            return self.c_type(other, wrapped)
        if kind in QUALIFIERS:
            # Of a pointer, it comes behind the asterisk.
            if other and self._behind_tags(other) == PTR:
                return self.c_type(other, f" {QUALIFIERS[kind]} {declarator}".rstrip())
            return f"{QUALIFIERS[kind]} {self.c_type(other, declarator)}"
        if kind == TYPE_TAG:
            return self.c_type(other, declarator)
        if kind == ARRAY:
            element, _, count = struct.unpack_from("<III", self._owner(number)._data, at)
            return self.c_type(element, f"{declarator}[{count}]")
        if kind == FUNC_PROTO:
            result, arguments = self._signature(number)
            return f"{result} {declarator}({', '.join(arguments) or 'void'})"
        if kind == FWD:
            tag = "union " if info & FWD_UNION else "struct "
        else:
            tag = TAGS[kind] + " " if kind in TAGS else ""
        return f"{tag}{self._string(name)} {declarator}".rstrip()

    def _behind_tags(self, number):
        while self._type(number)[0] == TYPE_TAG:
            number = self._type(number)[3]
        return self._type(number)[0]
