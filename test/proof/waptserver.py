"""The proof's waptserver: the limits of WAPT's own, so that each setting of the server is seen to matter or not.

One event loop on one core. A queue of 50 at 127.0.0.1:8080. At most max_clients connections at a time: the others wait
in that queue. A pool of db_max_connections real PostgreSQL connections, opened when one is wanted and none is free, kept
then, and refused (500) when all are taken. As an agent comes it asks for:
  /get_websocket_auth_token          the login: a PostgreSQL connection, and some milliseconds of the core
  /socket.io/?transport=polling      an engine.io session: likewise
  /socket.io/?transport=websocket    the upgrade: 2probe, 3probe, 5; then 2 is answered by 3 for as long as it is held
Anything else is answered with what it counts, as JSON.

It accepts and serves connections as the lab's own program does, which lies beside it as lab.py.
What the two cost is work of a fixed size (COSTS), since a login of WAPT checks a signature, and so on; the README beside
this file says what it was fitted to.
"""

import asyncio
import base64
import hashlib
import json
import os
import sys
import time
import uuid

import lab
import psycopg2
from psycopg2 import extensions

# How long WAPT's own takes from its start until it listens.
START_SECONDS = 3
# Rounds of SHA-256 in PBKDF2: the work of the core for one. The proof may lay this file with another share of it.
WORK = 1.0
COSTS = {"login": int(20000 * WORK) + 1, "connect": int(10000 * WORK) + 1}
QUERY = "SELECT relname FROM pg_class WHERE relname = 'pg_authid'"


def work(kind):
    hashlib.pbkdf2_hmac("sha256", b"wapt", b"proof", COSTS[kind])


async def ready(connection):
    """Waits for PostgreSQL without holding up the loop, as WAPT's driver does."""
    loop = asyncio.get_running_loop()
    while True:
        state = connection.poll()
        if state == extensions.POLL_OK:
            return
        future = loop.create_future()
        number = connection.fileno()
        done = lambda: future.done() or future.set_result(None)
        add, remove = (
            (loop.add_reader, loop.remove_reader)
            if state == extensions.POLL_READ
            else (loop.add_writer, loop.remove_writer)
        )
        add(number, done)
        try:
            await future
        finally:
            remove(number)


class Exhausted(Exception):
    """All connections of the pool are taken."""


class Pool:
    def __init__(self, settings):
        self.most = settings.db_max_connections
        self.database = settings.database
        self.free = []
        self.open = 0
        self.refused = {"pool": 0, "postgresql": 0}

    async def take(self):
        if self.free:
            return self.free.pop()
        if self.open >= self.most:
            self.refused["pool"] += 1
            raise Exhausted
        self.open += 1
        try:
            connection = psycopg2.connect(async_=1, **self.database)
            await ready(connection)
            return connection
        except psycopg2.Error:
            self.open -= 1
            self.refused["postgresql"] += 1
            raise

    async def ask(self, kind):
        """What a request does: it holds a connection while it asks, works, and asks again."""
        connection = await self.take()
        try:
            for last in (False, True):
                cursor = connection.cursor()
                cursor.execute(QUERY)
                await ready(connection)
                cursor.fetchall()
                if not last:
                    work(kind)
            self.free.append(connection)
        except BaseException:
            self.open -= 1
            connection.close()
            raise


class Server(lab.Program):
    def __init__(self, settings):
        super().__init__("waptserver", settings)
        self.pool = Pool(settings)
        self.sessions = set()

    def status(self):
        return {
            "name": self.name,
            "pid": os.getpid(),
            "db_max_connections": self.pool.most,
            "max_clients": self.settings.max_clients,
            "clients": self.clients,
            "websockets": self.websockets,
            "pool": {"held": self.pool.open, "error": None},
            "refused": self.pool.refused,
        }

    async def request(self, reader, writer):
        """Answers one request. Returns whether another may follow on this connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        _, target, version = head[0].split(" ")
        headers = {}
        for line in head[1:-2]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if "sec-websocket-key" in headers:
            await self.websocket(target, headers["sec-websocket-key"], reader, writer)
            return False
        keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        code, body = await self.answer(target)
        text = body.encode()
        line = "HTTP/1.1 %d x\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n"
        writer.write((line % (code, len(text), "keep-alive" if keep else "close")).encode() + text)
        await writer.drain()
        return keep

    async def answer(self, target):
        try:
            if target.startswith("/get_websocket_auth_token"):
                await self.pool.ask("login")
                return 200, '{"result":{"authorization_token":"proof"}}'
            if target.startswith("/socket.io/"):
                await self.pool.ask("connect")
                session = uuid.uuid4().hex
                self.sessions.add(session)
                return 200, '0{"sid":"%s","upgrades":["websocket"],"pingTimeout":60000,"pingInterval":25000}' % session
        except (Exhausted, psycopg2.Error):
            return 500, "no connection to PostgreSQL"
        return 200, json.dumps(self.status())

    async def websocket(self, target, key, reader, writer):
        session = target.rpartition("sid=")[2]
        if session not in self.sessions:
            writer.write(b"HTTP/1.1 400 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + base64.b64encode(digest)
            + b"\r\n\r\n"
        )
        self.websockets += 1
        try:
            while True:
                text = await frame(reader)
                if text[:1] == b"2":  # a ping, and the probe before the upgrade
                    writer.write(bytes([0x81, len(text)]) + b"3" + text[1:])
        finally:
            self.websockets -= 1
            self.sessions.discard(session)


async def frame(reader):
    """The text of a client's short frame. Raises EOFError when it closes."""
    first, length = await reader.readexactly(2)
    if first & 0x0F == 8 or length & 0x7F > 125:
        raise EOFError
    mask = await reader.readexactly(4)
    body = await reader.readexactly(length & 0x7F)
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(body))


def main():
    if "--tasks" in sys.argv:  # The lab's own.
        os.execv(sys.executable, [sys.executable, __file__.replace("waptserver.py", "lab.py"), "--tasks"])
    server = Server(lab.Settings(lab.CONFIGURATION))
    time.sleep(START_SECONDS)
    server.write_status()
    asyncio.run(server.listen())


if __name__ == "__main__":
    main()
