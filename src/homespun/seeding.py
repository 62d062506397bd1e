"""One seed a run, from which every part of it derives its own: no part's draws disturb another's."""

import hashlib


def derive_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed for one purpose, such as "init" or "data", that is a function of both arguments alone.

    Source: the first 8 bytes of sha256("{seed}/{purpose}"), top bit cleared.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
