"""Derive independent seeds from the seed of a run, so that no random stream disturbs another."""

import hashlib


def derive_seed(seed: int, purpose: str) -> int:
    """Return a 63-bit seed for one purpose, such as "init" or "data".

    Source: the first 8 bytes of sha256("{seed}/{purpose}"), top bit cleared.
    """
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
