"""What Ctrl-C leaves behind, said in the line that ends the command."""


class Interrupted(Exception):
    """Ctrl-C; its text continues the word "interrupted".

    >>> print(f"interrupted{Interrupted('; 3 finished queries are in out')}")
    interrupted; 3 finished queries are in out
    """
