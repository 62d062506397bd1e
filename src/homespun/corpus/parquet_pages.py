"""The sizes of parquet pages, from the headers in front of them: pyarrow does not give them.

A page is compressed as a whole, and so read as a whole, whatever the number of rows asked for.

Source: parquet.thrift (PageHeader) in apache/parquet-format; thrift-compact-protocol.md in apache/thrift.
"""

from homespun.corpus.remote import ByteStream

_UNCOMPRESSED_BYTES, _COMPRESSED_BYTES = 2, 3  # numbers of fields of a PageHeader


def largest_page(stream: ByteStream, start: int, end: int) -> int:
    """Return the uncompressed size of the largest of the pages in the bytes from `start` to `end`.

    Raises:
        LookupError, ValueError: that is not what the bytes are.
    """
    largest, offset = 0, start
    while offset < end:
        stream.seek(offset)
        header = _read_integers(stream)
        largest = max(largest, header[_UNCOMPRESSED_BYTES])
        if header[_COMPRESSED_BYTES] < 0:
            raise ValueError("a page of negative size")
        offset = stream.tell() + header[_COMPRESSED_BYTES]
    return largest


def _read_integers(stream: ByteStream, depth: int = 3) -> dict[int, int]:
    """The integers of a Thrift struct by field number; its other fields, structs `depth` deep, are skipped."""
    integers: dict[int, int] = {}
    number = 0
    while header := stream.read(1)[0]:
        step, kind = divmod(header, 16)
        number = number + step if step else _read_integer(stream)
        match kind:
            case 1 | 2:  # true or false, without a value
                pass
            case 4 | 5 | 6:
                integers[number] = _read_integer(stream)
            case 8:
                stream.seek(_read_varint(stream), 1)
            case 12 if depth > 1:
                _read_integers(stream, depth - 1)
            case _:
                raise ValueError(f"a page header with a field of type {kind}")
    return integers


def _read_integer(stream: ByteStream) -> int:
    value = _read_varint(stream)
    return value >> 1 ^ -(value & 1)


def _read_varint(stream: ByteStream) -> int:
    value = shift = 0
    while (byte := stream.read(1)[0]) >= 0x80:
        value |= (byte & 0x7F) << shift
        shift += 7
    return value | byte << shift
