"""Notes when each PostgreSQL begins to take writes, and when each road first leads to one that does.

usage: prober.py NAME=HOST:PORT... -- HOST...       each line: seconds since the epoch, `writes` or the road's name, the host

A new connection every 50 ms through each road besides, or 100 a second through all: one that leads to a server which
takes no writes is noted as `wrong_NAME`, and one that fails as `bad_NAME`.

The last road is libpq's own, which is given all hosts and looks for one that takes writes; its name is `libpq`. Each is
asked over a connection that is kept until it breaks or is silent for a second, which costs the machine little, and over a
new one then. A moment is noted late by a pause and an answer at most: 5 ms where a connection was kept, 10 ms where it was
made, while the machine is not busy. While a road leads to writes there is nothing to note, and it is asked less often.
"""

import os
import socket
import sys
import threading
import time

import psycopg2

PAUSE, PAUSE_OF_WRITER, PAUSE_OF_RETRY = 0.004, 0.02, 0.01
# A transaction id is given to who writes. In recovery there is none, and PostgreSQL's log would fill with refusals.
WRITE = """
    SELECT host(inet_server_addr()), CASE WHEN NOT pg_is_in_recovery() THEN pg_current_xact_id() END
"""
# An application has such a limit, or hangs for as long as the host does.
SILENCE = 1
noting = threading.Lock()


def note(what, host):
    moment = time.time()
    with noting:
        print(f"{moment:.6f} {what} {host}", flush=True)


def connect(where):
    # libpq takes no less than two seconds, for each of the hosts.
    connection = psycopg2.connect(user="postgres", dbname="postgres", connect_timeout=2, **where)
    connection.autocommit = True
    return connection


class Limit:
    """Ends what is asked over a connection that is silent for too long."""

    def __init__(self):
        self.asked = None
        self.lock = threading.Lock()
        threading.Thread(target=self.watch, daemon=True).start()

    def watch(self):
        while True:
            time.sleep(SILENCE / 20)
            with self.lock:
                if self.asked and time.monotonic() - self.asked[0] > SILENCE:
                    self.cut(self.asked[1])
                    self.asked = None

    @staticmethod
    def cut(connection):
        try:
            with socket.socket(fileno=os.dup(connection.fileno())) as same:
                same.shutdown(socket.SHUT_RDWR)
        except (OSError, psycopg2.Error):
            pass  # It has just ended by itself.

    def note(self, asked):
        with self.lock:
            self.asked = asked


def write(connection, limit):
    limit.note((time.monotonic(), connection))
    try:
        with connection.cursor() as cursor:
            cursor.execute(WRITE)
            return cursor.fetchone()
    finally:
        limit.note(None)


def probe(what, where):
    connection, took, limit = None, False, Limit()
    while True:
        pause = PAUSE
        try:
            connection = connection or connect(where)
            server, taken = write(connection, limit)
            if taken and not took:
                note(what, server)
            took = bool(taken)
            pause = PAUSE_OF_WRITER if took else PAUSE
        except psycopg2.Error:
            connection, took, pause = None, False, PAUSE_OF_RETRY
        time.sleep(pause)


def connect_anew(what, where, interval):
    limit = Limit()
    while True:
        started = time.monotonic()
        try:
            connection = connect(where)
            server, taken = write(connection, limit)
            if not taken:
                note(f"wrong_{what}", server)
            connection.close()
        except psycopg2.Error:
            note(f"bad_{what}", "-")
        time.sleep(max(0, interval - (time.monotonic() - started)))


split = sys.argv.index("--")
roads, members = sys.argv[1:split], sys.argv[split + 1 :]
probes = [("writes", {"host": member, "port": 5432}) for member in members]
for road in roads:
    name, address = road.split("=")
    host, port = address.split(":")
    probes.append((name, {"host": host, "port": port}))
every = {"host": ",".join(members), "port": 5432, "target_session_attrs": "read-write"}
probes.append(("libpq", every))
threads = [threading.Thread(target=probe, args=arguments, daemon=True) for arguments in probes]
anew = [probe for probe in probes if probe[0] not in ("writes", "libpq")]
interval = max(0.05, len(anew) / 100)
threads += [threading.Thread(target=connect_anew, args=(*road, interval), daemon=True) for road in anew]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
