# SPDX-License-Identifier: GPL-2.0-only
"""Lists of functions in C sources, X(name, result, (arguments)), and prototypes to compare."""

import re
from dataclasses import dataclass

from .image import BadInput

# Macros of the kernel's headers that stand for types, which BTF does not know.
MACROS = {"pgoff_t": "unsigned long"}
# The words of C's own types, in the order in which they are compared.
NUMBER_WORDS = ("signed", "unsigned", "char", "short", "long", "int")
TOKEN = re.compile(r"\.\.\.|\w+|[*()\[\],]")
ENTRY = re.compile(r"\bX\(")


@dataclass(frozen=True)
class Function:
    """An entry of a list."""

    name: str
    result: str
    arguments: tuple

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


def read_list(path, macro):
    """The functions of `#define macro(X) X(name, result, (arguments)) ...`. BadInput."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from None
    match = re.search(rf"^#define {macro}\(X\)((?:.*\\\n)*.*)", text, re.M)
    if not match:
        raise BadInput(f"{path}: has no list {macro}(X)")
    body = match[1].replace("\\\n", " ")
    functions = []
    for entry in ENTRY.finditer(body):
        try:
            parts = split_arguments(body[entry.end():_balanced(body, entry.end())])
            name, result, arguments = parts
        except (IndexError, ValueError):
            raise BadInput(f"{path}: {macro}(X) has an entry that is none: "
                           f"{body[entry.start():entry.start() + 60]}") from None
        arguments = split_arguments(arguments.strip().removeprefix("(").removesuffix(")"))
        functions.append(make_function(name, result, arguments))
    if not functions:
        raise BadInput(f"{path}: {macro}(X) is empty")
    return functions


def make_function(name, result, arguments):
    """A Function in canonical form."""
    arguments = tuple(canonical(argument) for argument in arguments)
    return Function(name, canonical(result), () if arguments in (("void",), ("",)) else arguments)
