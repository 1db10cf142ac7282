# SPDX-License-Identifier: PostgreSQL
"""A client that speaks PostgreSQL's protocol 3.0 message by message, over a unix socket with
trust authentication.  It gives what libpq hides: row-limited Execute, portals that stay open,
any mix of formats, and a transcript of every byte that the server answered.

Format: PostgreSQL's documentation, "Frontend/Backend Protocol", Message Formats.
"""

import socket
import struct

# Answers that tell of the session and not of the statement; they are no part of a transcript.
QUIET = {b"S", b"K", b"R"}


class ServerError(Exception):
    """An ErrorResponse; fields by their one-letter codes."""

    def __init__(self, fields):
        super().__init__(f"{fields.get('C')}: {fields.get('M')}")
        self.fields = fields
        self.sqlstate = fields.get("C")


def error_fields(body):
    return {chr(part[0]): part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}


class Answer:
    """What came back until ReadyForQuery (or until the caller stopped reading)."""

    def __init__(self):
        self.messages = []      # (type, body)

    def of(self, kind):
        return [body for k, body in self.messages if k == kind]

    @property
    def error(self):
        bodies = self.of(b"E")
        return ServerError(error_fields(bodies[0])) if bodies else None

    @property
    def tags(self):
        return [body.rstrip(b"\0").decode() for body in self.of(b"C")]

    @property
    def rows(self):
        return [data_row(body) for body in self.of(b"D")]

    @property
    def notices(self):
        return [error_fields(body).get("M", "") for body in self.of(b"N")]

    @property
    def suspended(self):
        return bool(self.of(b"s"))

    def check(self):
        if self.error:
            raise self.error
        return self


def data_row(body):
    (count,) = struct.unpack_from("!H", body)
    at, row = 2, []
    for _ in range(count):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        if length < 0:
            row.append(None)
        else:
            row.append(body[at:at + length])
            at += length
    return tuple(None if v is None else v.decode("utf-8", "replace") for v in row)


def cstr(text):
    return text.encode() + b"\0"


class Session:
    def __init__(self, host, port, user="postgres", database="postgres", **settings):
        self.address = f"{host}/.s.PGSQL.{port}"
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.address)
        self.buffer = b""
        self.pid = self.key = None
        self.transcript = []
        words = {"user": user, "database": database, "application_name": "live test"}
        if settings:
            words["options"] = " ".join(f"-c {k}={v}" for k, v in settings.items())
        body = struct.pack("!i", 196608) + b"".join(cstr(k) + cstr(v) for k, v in words.items()) + b"\0"
        self.sock.sendall(struct.pack("!i", len(body) + 4) + body)
        self.read().check()

    def close(self):
        try:
            self.send(b"X")
        except OSError:
            pass
        self.sock.close()

    # --- messages

    def send(self, kind, body=b""):
        self.sock.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def take(self, size):
        while len(self.buffer) < size:
            more = self.sock.recv(1 << 16)
            if not more:
                raise ConnectionError("the server closed the connection")
            self.buffer += more
        out, self.buffer = self.buffer[:size], self.buffer[size:]
        return out

    def message(self):
        kind, length = struct.unpack("!ci", self.take(5))
        body = self.take(length - 4)
        if kind == b"K":
            self.pid, self.key = struct.unpack("!ii", body)
        if kind not in QUIET:
            self.transcript.append((kind, body))
        return kind, body

    def read(self, until=b"Z", copy_data=b""):
        """Reads to a message of type `until`; answers a COPY FROM STDIN with copy_data."""
        answer = Answer()
        while True:
            kind, body = self.message()
            answer.messages.append((kind, body))
            if kind == b"G":
                self.send(b"d", copy_data)
                self.send(b"c")
            if kind == until:
                return answer

    # --- simple query

    def query(self, sql, copy_data=b""):
        self.send(b"Q", cstr(sql))
        return self.read(copy_data=copy_data)

    def run(self, sql, copy_data=b""):
        """As query, but an error is an exception; gives the rows."""
        return self.query(sql, copy_data).check().rows

    # --- extended query

    def parse(self, name, sql, types=()):
        self.send(b"P", cstr(name) + cstr(sql) + struct.pack(f"!H{len(types)}I", len(types), *types))

    def bind(self, portal, name, values=(), formats=(), result_formats=()):
        body = cstr(portal) + cstr(name)
        body += struct.pack(f"!H{len(formats)}H", len(formats), *formats)
        body += struct.pack("!H", len(values))
        for value in values:
            if value is None:
                body += struct.pack("!i", -1)
            else:
                raw = value if isinstance(value, bytes) else str(value).encode()
                body += struct.pack("!i", len(raw)) + raw
        body += struct.pack(f"!H{len(result_formats)}H", len(result_formats), *result_formats)
        self.send(b"B", body)

    def execute(self, portal="", limit=0):
        self.send(b"E", cstr(portal) + struct.pack("!i", limit))

    def describe(self, kind, name):
        self.send(b"D", kind + cstr(name))

    def close_statement(self, kind, name):
        self.send(b"C", kind + cstr(name))

    def sync(self):
        self.send(b"S")
        return self.read()

    def prepared(self, name, values=(), formats=()):
        """One execution of a prepared statement."""
        self.bind("", name, values, formats)
        self.execute()
        return self.sync()

    # --- beside the session

    def cancel(self):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self.address)
            sock.sendall(struct.pack("!iiii", 16, 80877102, self.pid, self.key))
            sock.recv(1)    # the server closes when it is done
