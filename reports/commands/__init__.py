"""The commands of ``fastswitch``, one a file, which the command line loads by name when they are called.

Each module defines ``command``, a click command. At its top it imports only what its options need; what does the work
is imported inside the function, so that ``fastswitch COMMAND --help`` and a mistyped option are answered at once.
"""
