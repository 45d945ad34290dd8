"""Names that a file gives to layers, SubNets and networks: they stand in tables, messages and names of files."""

from __future__ import annotations

LONGEST = 400
"""Characters of a name. Exporters of networks write paths of modules, of which the longest seen has about 200."""


def why_no_name(name: str) -> str | None:
    r"""What keeps a text from being a name, as "it ..."; None for a good one.

    A name has at least one character that is seen, no line end or other control character, no half of a surrogate pair
    (no file can hold one) and at most :data:`LONGEST` characters. ``#``, commas and quotes are welcome.

    Examples
    --------
    >>> why_no_name("conv#1, 'left'")
    >>> why_no_name("a\nb"), why_no_name(" "), why_no_name("a\ud800")
    ('it has the control character \\x0a', 'it is empty', 'it has half of a surrogate pair, \\ud800')
    """
    if len(name) > LONGEST:
        return f"it has {len(name)} characters, more than {LONGEST}"
    if not name.strip():
        return "it is empty"
    if name.isprintable():
        return None
    for letter in name:
        code = ord(letter)
        if 0xD800 <= code <= 0xDFFF:
            return f"it has half of a surrogate pair, \\u{code:04x}"
        if code < 0x20 or 0x7F <= code < 0xA0 or code in (0x2028, 0x2029):
            return f"it has the control character \\x{code:02x}"
    return None
