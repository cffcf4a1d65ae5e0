# SPDX-License-Identifier: GPL-2.0-only
"""Macros of a C source as they are where it is compiled for a kernel of some version: as much
of a preprocessor as the lists of kapi/ and the feature macros of kapi/compat/ need."""

import os
import re

from .image import BadInput

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w+)[ \t]*(.*)$")
DEFINE = re.compile(r"(\w+)(?:\((\w*)\))?[ \t]*(.*)$", re.S)
VERSION = re.compile(r"KERNEL_VERSION\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\)")
ARITHMETIC = re.compile(r"(?:\d+|[()<>=!&|+ \t]|and|or|not)*")
# Deep enough for macros that build on others; one that builds on itself is an error.
DEPTH = 20


class Refused(Exception):
    """The source has an #error for this kernel; the message is what it says."""


def version_code(version):
    """LINUX_VERSION_CODE of (major, minor, patch)."""
    major, minor, patch = version
    return (major << 16) + (minor << 8) + min(patch, 255)


class Source:
    """The macros of @path and of the files of its own folder that it includes.

    @version: (major, minor, patch) of the kernel; None takes every branch, so that macros
    hold what any kernel has.
    """

    def __init__(self, path, version):
        self.path, self._version = path, version
        self._macros = {}
        self._seen = set()
        if version:
            self._macros["LINUX_VERSION_CODE"] = [(None, str(version_code(version)))]
        self._read(path)

    def macro(self, name):
        """(parameter or None, body) of each definition; () if there is none."""
        return self._macros.get(name, ())

    def _read(self, path):
        if path in self._seen:
            return
        self._seen.add(path)
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except OSError as error:
            raise BadInput(f"{path}: {error.strerror}") from None
        # Each level: is this branch compiled, has one been.
        levels = []
        text = COMMENT.sub(" ", text.replace("\\\n", " "))
        for line in text.splitlines():
            match = DIRECTIVE.match(line)
            if match:
                self._directive(path, levels, match[1], match[2].strip())
        if levels:
            raise BadInput(f"{path}: has an #if without its #endif")

    def _directive(self, path, levels, word, rest):
        active = all(taken for taken, _ in levels)
        if word in ("if", "ifdef", "ifndef"):
            taken = active and self._holds(path, word, rest)
            levels.append((taken, taken))
        elif word in ("elif", "else", "endif"):
            if not levels:
                raise BadInput(f"{path}: has an #{word} without its #if")
            _, done = levels.pop()
            outside = all(taken for taken, _ in levels)
            if word != "endif":
                taken = outside and (not self._version or (
                    not done and (word == "else" or self._holds(path, "if", rest))))
                levels.append((taken, done or taken))
        elif not active:
            return
        elif word == "define":
            name, parameter, body = DEFINE.match(rest).groups()
            definitions = self._macros.setdefault(name, [])
            if self._version:
                definitions.clear()
            definitions.append((parameter, body))
        elif word == "include" and rest.startswith('"'):
            included = os.path.join(os.path.dirname(path), rest.strip('"'))
            if os.path.exists(included):
                self._read(included)
        elif word == "error" and self._version:
            raise Refused(rest.strip('"'))

    def _holds(self, path, word, rest):
        if not self._version:
            return True
        if word != "if":
            return (rest in self._macros) == (word == "ifdef")
        return bool(self._value(path, rest))

    def _value(self, path, expression):
        text = re.sub(r"\bdefined\s*\(?\s*(\w+)\s*\)?",
                      lambda match: str(int(match[1] in self._macros)), expression)
        for _ in range(DEPTH):
            text = VERSION.sub(lambda match: str(version_code(map(int, match.groups()))), text)
            expanded = re.sub(r"\b[A-Za-z_]\w*\b", self._expanded, text)
            if expanded == text:
                break
            text = expanded
        text = re.sub(r"!(?!=)", " not ", text.replace("&&", " and ").replace("||", " or "))
        if not ARITHMETIC.fullmatch(text):
            raise BadInput(f"{path}: #if {expression}: is not understood")
        try:
            return eval(text, {"__builtins__": {}})
        except (SyntaxError, TypeError):
            raise BadInput(f"{path}: #if {expression}: is not understood") from None

    def _expanded(self, match):
        definitions = self.macro(match[0])
        if not definitions:
            return match[0] if match[0] == "KERNEL_VERSION" else "0"
        parameter, body = definitions[-1]
        return match[0] if parameter is not None else f"({body or 1})"
