"""Reads ini files as WAPT's server does: lines of JSON in (a file's bytes as Latin-1), lines of JSON out."""

import configparser
import io
import json
import sys

READERS = {
    # What WAPT uses on Python 3.
    "python3": lambda: configparser.RawConfigParser(),
    # Python 3 without its refusal of settings that stand twice.
    "lenient": lambda: configparser.RawConfigParser(strict=False),
    # Python 2 is no longer to be had; this is close to it: the last of two settings counts, sections of one name are
    # merged, and ` ;` starts a comment. Unlike Python 2 it ends a value at a line that is not indented deeper.
    "python2": lambda: configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";",)),
}


def latin1(text):
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def read(reader, text):
    parser = reader()
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error as error:
        return {"error": type(error).__name__}
    sections = {"DEFAULT": parser.defaults(), **{name: parser[name] for name in parser.sections()}}
    # A section's own settings and those that it inherits from [DEFAULT].
    return {
        "settings": [[latin1(name), latin1(key), latin1(value)] for name, keys in sections.items() for key, value in keys.items()],
        "sections": [latin1(name) for name in parser.sections()],
    }


for line in sys.stdin:
    text = json.loads(line).encode("latin-1").decode("utf-8", "surrogateescape")
    print(json.dumps({name: read(reader, text) for name, reader in READERS.items()}))
