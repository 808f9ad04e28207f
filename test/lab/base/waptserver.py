"""The lab's WAPT server: reads waptserver.ini as WAPT does, and holds real PostgreSQL connections and clients.

As `waptserver` it listens on 127.0.0.1:8080:
  /             200, for load
  /ping         asks PostgreSQL; 503 when it doesn't answer
  /status       the values it runs with, as JSON
  /pool?hold=1  opens connections up to db_max_connections and keeps them; 503 when PostgreSQL refuses one
  /pool?hold=0  closes all but the first
  /socket.io    a websocket, held until the client leaves
It serves max_clients connections at a time; the others wait in the listener's queue of 50.

As `wapttasks` (--tasks) it has no listener, and a connection for each of its 4 workers.
Both write the JSON of /status to /run/NAME/status.json, hold the whole pool on SIGUSR1 and let go of it on SIGUSR2.
At start, a configuration that can't be read or a PostgreSQL that can't be reached ends the program with status 1.
"""

import argparse
import asyncio
import base64
import configparser
import hashlib
import json
import os
import signal
import socket
import sys
import threading

import psycopg2

CONFIGURATION = "/opt/wapt/conf/waptserver.ini"
ADDRESS = ("127.0.0.1", 8080)
BACKLOG = 50
TASK_WORKERS = 4


class Settings:
    """The options of waptserver.ini that this program uses, with WAPT's defaults."""

    def __init__(self, path):
        parser = configparser.RawConfigParser()
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
        options = parser["options"]
        self.db_max_connections = int(options.get("db_max_connections", "90"))
        self.max_clients = int(options.get("max_clients", "4096"))
        self.database = {
            "host": options.get("db_host", ""),
            "port": int(options.get("db_port", "5432")),
            "dbname": options.get("db_name", "wapt"),
            "user": options.get("db_user", "wapt"),
            "password": options.get("db_password", ""),
            "connect_timeout": 10,
        }


class Pool:
    """PostgreSQL connections, at most db_max_connections, of which `least` are always wanted."""

    def __init__(self, settings, least):
        self.settings = settings
        self.least = least
        self.connections = []
        self.error = None
        self.lock = threading.Lock()

    def open(self, wanted):
        """Opens connections until there are as many as wanted, replacing those that PostgreSQL closed."""
        with self.lock:
            self.connections = [c for c in self.connections if self.answers(c)]
            self.error = None
            try:
                while len(self.connections) < wanted:
                    connection = psycopg2.connect(**self.settings.database)
                    connection.autocommit = True
                    self.connections.append(connection)
            except psycopg2.Error as error:
                self.error = str(error).strip()
                raise

    def hold(self):
        self.open(self.settings.db_max_connections)

    def release(self):
        with self.lock:
            while len(self.connections) > self.least:
                self.connections.pop().close()

    @staticmethod
    def answers(connection):
        try:
            connection.cursor().execute("SELECT 1")
            return True
        except psycopg2.Error:
            connection.close()
            return False


class Program:
    """One of the two services."""

    def __init__(self, name, settings):
        self.name = name
        self.settings = settings
        self.pool = Pool(settings, TASK_WORKERS if name == "wapttasks" else 1)
        self.clients = 0
        self.websockets = 0

    def status(self):
        return {
            "name": self.name,
            "pid": os.getpid(),
            "db_max_connections": self.settings.db_max_connections,
            "max_clients": self.settings.max_clients,
            "clients": self.clients,
            "websockets": self.websockets,
            "pool": {"held": len(self.pool.connections), "error": self.pool.error},
        }

    def write_status(self):
        folder = os.environ.get("RUNTIME_DIRECTORY", "/run/" + self.name)
        path = os.path.join(folder, "status.json")
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.status(), file)
        os.replace(path + ".new", path)

    async def in_pool(self, work, *arguments):
        """Does blocking work on the pool. Returns whether PostgreSQL went along."""
        try:
            await asyncio.get_running_loop().run_in_executor(None, work, *arguments)
            return True
        except psycopg2.Error as error:
            print("pool:", error, file=sys.stderr, flush=True)
            return False
        finally:
            self.write_status()

    async def run(self):
        loop = asyncio.get_running_loop()
        hold = lambda: asyncio.ensure_future(self.in_pool(self.pool.hold))
        release = lambda: asyncio.ensure_future(self.in_pool(self.pool.release))
        loop.add_signal_handler(signal.SIGUSR1, hold)
        loop.add_signal_handler(signal.SIGUSR2, release)
        self.pool.open(self.pool.least)
        self.write_status()
        if self.name == "wapttasks":
            await asyncio.Event().wait()
        await self.listen()

    async def listen(self):
        """Accepts a connection only when one of max_clients is free, as WAPT's own pool of greenlets does."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind(ADDRESS)
        listener.listen(BACKLOG)
        free = asyncio.Semaphore(self.settings.max_clients)
        running = set()
        while True:
            await free.acquire()
            try:
                connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            except OSError as error:
                print("accept:", error, file=sys.stderr, flush=True)
                free.release()
                await asyncio.sleep(0.1)
                continue
            task = asyncio.ensure_future(self.serve(connection))
            running.add(task)
            task.add_done_callback(running.discard)
            task.add_done_callback(lambda _: free.release())

    async def serve(self, connection):
        reader, writer = await asyncio.open_connection(sock=connection)
        self.clients += 1
        try:
            while await self.request(reader, writer):
                pass
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            pass  # The client left, or sent no HTTP.
        finally:
            self.clients -= 1
            writer.close()

    async def request(self, reader, writer):
        """Answers one request. Returns whether another may follow on this connection."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        _, target, version = head[0].split(" ")
        headers = {}
        for line in head[1:-2]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if target.startswith("/socket.io") and "sec-websocket-key" in headers:
            await self.websocket(headers["sec-websocket-key"], reader, writer)
            return False
        left = int(headers.get("content-length", "0"))
        while left > 0:
            left -= len(await reader.readexactly(min(left, 65536)))
        code, body = await self.answer(target)
        keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        writer.write(self.response(code, body, keep))
        await writer.drain()
        return keep

    async def answer(self, target):
        if target == "/status":
            return 200, self.status()
        if target == "/ping":
            ok = await self.in_pool(self.pool.open, self.pool.least)
            return (200 if ok else 503), {"ping": ok}
        if target == "/pool?hold=1":
            ok = await self.in_pool(self.pool.hold)
            return (200 if ok else 503), self.status()
        if target == "/pool?hold=0":
            await self.in_pool(self.pool.release)
            return 200, self.status()
        return 200, {"name": self.name}

    @staticmethod
    def response(code, body, keep):
        text = json.dumps(body).encode()
        head = "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n" % (
            code,
            "OK" if code == 200 else "Service Unavailable",
            len(text),
            "keep-alive" if keep else "close",
        )
        return head.encode() + text

    async def websocket(self, key, reader, writer):
        digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + base64.b64encode(digest)
            + b"\r\n\r\n"
        )
        self.websockets += 1
        try:
            while await reader.read(4096):
                pass
        finally:
            self.websockets -= 1


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tasks", action="store_true")
    name = "wapttasks" if arguments.parse_args().tasks else "waptserver"
    try:
        asyncio.run(Program(name, Settings(CONFIGURATION)).run())
    except (psycopg2.Error, configparser.Error, ValueError, KeyError, OSError) as error:
        print("%s can't start: %s: %s" % (name, type(error).__name__, error), file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
