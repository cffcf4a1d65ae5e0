# SPDX-License-Identifier: GPL-2.0-only
"""Lists of functions in C sources, X(name, result, (arguments)), and prototypes to compare."""

import re
from dataclasses import dataclass, field

from .image import BadInput

# Macros of the kernel's headers that stand for types, which BTF does not know.
MACROS = {"pgoff_t": "unsigned long"}
# The words of C's own types, in the order in which they are compared.
NUMBER_WORDS = ("signed", "unsigned", "char", "short", "long", "int")
# Bytes of the types that fields of structs have; a struct is as big as a multiple of the last.
SIZES = {"u8": 1, "bool": 1, "u16": 2, "u32": 4, "u64": 8, "unsigned long": 8}
TOKEN = re.compile(r"\.\.\.|\w+|[*()\[\],]")
ENTRY = re.compile(r"\b(\w+)\(")


@dataclass(frozen=True)
class Choice:
    """Functions of the alternative @name, one of those of the same @number."""

    number: int
    name: str


@dataclass(frozen=True)
class Function:
    """An entry of a list."""

    name: str
    result: str
    arguments: tuple
    choice: Choice = field(default=None, compare=False)

    def __str__(self):
        return show(self.name, self.result, self.arguments)


def show(name, result, arguments):
    """A prototype as C."""
    return f"{result}{'' if result.endswith('*') else ' '}{name}({', '.join(arguments) or 'void'})"


def canonical(c_type):
    """The type with one spelling of all that C lets one spell in several ways."""
    words, rest = [], []
    tokens = [word for token in TOKEN.findall(c_type)
              for word in MACROS.get(token, token).split()]
    while tokens and re.match(r"\w", tokens[0]):
        words.append(tokens.pop(0))
    rest = "".join(f" {token} " if re.match(r"\w", token) else token for token in tokens)
    rest = re.sub(r" +", " ", rest).replace("* ", "*").strip()
    words = [word for word in words if not word.startswith("__")]
    qualifiers = sorted(word for word in words if word in ("const", "volatile"))
    words = [word for word in words if word not in qualifiers]
    if words and all(word in NUMBER_WORDS for word in words):
        words = _number(words)
    elif words == ["_Bool"]:
        words = ["bool"]
    return " ".join(qualifiers + words + ([rest] if rest else []))


def _number(words):
    """unsigned long of long unsigned int."""
    words = sorted(words, key=NUMBER_WORDS.index)
    if "char" not in words:
        words = [word for word in words if word != "signed"]
    if words != ["int"] and ("long" in words or "short" in words):
        words = [word for word in words if word != "int"]
    if words == ["unsigned"]:
        words.append("int")
    return words or ["int"]


def split_arguments(text):
    """Parts between the commas that are in no parentheses."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    parts.append(text[start:].strip())
    return parts


def _balanced(text, start):
    """End of what the parenthesis before @start opens."""
    depth, at = 1, start
    while depth:
        depth += (text[at] == "(") - (text[at] == ")")
        at += 1
    return at - 1


def read_list(source, macro):
    """The functions of `#define macro(X) X(name, result, (arguments)) ... OTHER(X) ...`, those
    of other lists in it included. BadInput."""
    reader = _ListReader(source)
    reader.read(macro, None)
    if not reader.functions:
        raise BadInput(f"{source.path}: {macro}(X) is empty")
    return reader.functions


class _ListReader:
    """Collects the functions of a list of lists."""

    def __init__(self, source):
        self._source = source
        self._choices = 0
        self._columns = None
        self.functions = []

    def read(self, macro, choice):
        """Adds those of a list, which is of an alternative, or of none."""
        if not self._source.macro(macro):
            raise BadInput(f"{self._source.path}: has no list {macro}(X)")
        for _, body in self._source.macro(macro):
            self._read_body(macro, body, choice)

    def _read_body(self, macro, body, choice):
        at = 0
        while entry := ENTRY.search(body, at):
            if entry[1] == "X":
                at = self._add(macro, body, entry, choice)
                continue
            at = entry.end()
            if self._source.macro(entry[1]):
                self.read(entry[1], self._choice_of(macro, entry[1]) or choice)

    def _choice_of(self, macro, name):
        """Of <macro>_EITHER_<name> and the <macro>_OR_<name> that follow, a kernel has one."""
        word, _, name = name.removeprefix(f"{macro}_").partition("_")
        if word not in ("EITHER", "OR"):
            return None
        self._choices += word == "EITHER"
        return Choice(self._choices, name)

    def _add(self, macro, body, entry, choice):
        try:
            end = _balanced(body, entry.end())
            parts = split_arguments(body[entry.end():end])
            self._columns = self._columns or len(parts)
            # What comes before the name is the module's own.
            *_, name, result, arguments = parts
            if len(parts) != self._columns:
                raise ValueError("more or less than the others")
        except (IndexError, ValueError):
            raise BadInput(f"{self._source.path}: {macro}(X) has an entry that is none: "
                           f"{body[entry.start():entry.start() + 60]}") from None
        arguments = split_arguments(arguments.strip().removeprefix("(").removesuffix(")"))
        self.functions.append(make_function(name, result, arguments, choice))
        return end


def make_function(name, result, arguments, choice=None):
    """A Function in canonical form."""
    arguments = tuple(canonical(argument) for argument in arguments)
    return Function(name, canonical(result), () if arguments in (("void",), ("",)) else arguments,
                    choice)


def read_layout(source, macro):
    """(bytes, {field: its first byte}) of the struct with the fields of `#define macro(X)
    X(type, name) ... OTHER(X) ...`. BadInput."""
    end, fields = 0, {}
    for c_type, name in _fields(source, macro):
        if c_type not in SIZES:
            raise BadInput(f"{source.path}: {macro}(X) has a field of type {c_type}")
        fields[name] = _aligned(end, SIZES[c_type])
        end = fields[name] + SIZES[c_type]
    return _aligned(end, max(SIZES.values())), fields


def _aligned(place, size):
    return (place + size - 1) // size * size


def _fields(source, macro):
    for _, body in source.macro(macro):
        for word, rest in re.findall(r"\b(\w+)\(([^()]*)\)", body):
            if word == "X":
                yield tuple(part.strip() for part in rest.rsplit(",", 1))
            else:
                yield from _fields(source, word)
