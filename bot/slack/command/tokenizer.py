"""Typed text: its characters, its words, and Slack's markup in it. Pure.

Phones and rich editors change what is typed: curly quotes, long dashes, no-break
spaces. Names are brought back to plain characters; the reason stays as it was typed.
"""

from __future__ import annotations

import re
import unicodedata

_DASHES = "-‐‑‒–—―−﹘﹣－"
_DOUBLE = '"“”„‟«»＂'
_SINGLE = "'`´‘’‚‛‹›＇"
_TO_HYPHEN = str.maketrans(dict.fromkeys(_DASHES, "-"))
# Default_Ignorable_Code_Point, all of it: variation selectors, joiners, fillers, tags.
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt
# Names have none of them; in a reason they are part of emoji and of Persian.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_JOINERS = "\u200c\u200d"

WORD = re.compile(r"(?:<[^<>]*>|\S)+")  # a mention is one word, whatever its label
_QUOTED = re.compile(
    rf"[{_DOUBLE}]([^{_DOUBLE}<>]*)[{_DOUBLE}](?!\S)"
    rf"|[{_SINGLE}]([^{_SINGLE}<>]*)[{_SINGLE}](?!\S)"
)
LED_BY_DASH = re.compile(rf"(?:[{_DASHES}]{{2,}}|[—–―])(?=\w)")

MARKUP = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
_ENTITY = re.compile(r"&(lt|gt|amp);")
_ENTITIES = {"lt": "<", "gt": ">", "amp": "&"}


def plain(text: str) -> str:
    """Return what Slack's markup in typed *text* means in words.

    To be used once: a ``<`` that somebody typed comes as an entity and is no markup.
    """
    return _ENTITY.sub(lambda m: _ENTITIES[m[1]], MARKUP.sub(_in_words, text))


def _in_words(match: re.Match[str]) -> str:
    """Return the words for one piece of markup."""
    sign, body, label = match[1], match[2], match[3]
    if sign == "!":
        special = label or body.partition("^")[2] or body
        dated = body.startswith("date^")
        return special if dated else f"@{special.removeprefix('@')}"
    if sign:
        return sign + (label or body).removeprefix(sign)
    return body.removeprefix("mailto:").removeprefix("tel:")


def cleaned(text: str) -> str:
    """Return *text* on one line, without characters that cannot be seen."""
    words = "".join(map(_visible, text)).split()
    return " ".join(word for word in words if _IGNORABLE.sub("", word))


def _visible(char: str) -> str:
    """Return *char*, a blank for any kind of space, nothing for what is unseen."""
    kind = unicodedata.category(char)
    if kind in {"Cc", "Zs", "Zl", "Zp"}:
        return " "
    unseen = kind == "Cs" or (kind == "Cf" and char not in _JOINERS)
    return "" if unseen else char


def ascii_name(word: str) -> str:
    """Return a *word* with the characters that a keyboard has."""
    visible = _IGNORABLE.sub("", word)
    return unicodedata.normalize("NFKC", plain(visible)).translate(_TO_HYPHEN)


def take(text: str) -> tuple[str, str]:
    """Return the first name of *text*, without quotes around it, and the rest."""
    quoted = _QUOTED.match(text)
    match = quoted or WORD.match(text)
    if match is None:
        return "", ""
    word = (quoted[1] or quoted[2] or "") if quoted else match[0]
    if LED_BY_DASH.match(word):
        word = "--" + word.lstrip(_DASHES)
    if not MARKUP.search(word):
        word = ascii_name(word)
    return word.strip(_DOUBLE + _SINGLE + " "), text[match.end() :].lstrip()


def names(text: str) -> list[str]:
    """Return every name of *text*."""
    found = []
    while text:
        word, text = take(text)
        found.append(word)
    return [word for word in found if word]
