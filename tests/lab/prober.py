"""Notes when each PostgreSQL begins to take writes, and when a road first leads to one that does.

usage: prober.py ROAD HOST...       each line: seconds since the epoch, `writes` or `road`, the host

Each is asked over a connection that is kept until it breaks, which costs the machine little, and over a new one then. A
moment is noted late by a pause and an answer at most: 5 ms, while the machine is not busy.
"""

import sys
import threading
import time

import psycopg2

PAUSE = 0.004
# A transaction id is given to who writes. In recovery there is none, and PostgreSQL's log would fill with refusals.
WRITE = """
    SELECT host(inet_server_addr()), CASE WHEN NOT pg_is_in_recovery() THEN pg_current_xact_id() END
"""
noting = threading.Lock()


def note(what, host):
    moment = time.time()
    with noting:
        print(f"{moment:.6f} {what} {host}", flush=True)


def connect(host, port):
    connection = psycopg2.connect(
        host=host, port=port, user="postgres", dbname="postgres", connect_timeout=1
    )
    connection.autocommit = True
    return connection


def write(connection):
    with connection.cursor() as cursor:
        cursor.execute(WRITE)
        return cursor.fetchone()


def probe(what, host, port):
    connection, took = None, False
    while True:
        try:
            connection = connection or connect(host, port)
            server, taken = write(connection)
            if taken and not took:
                note(what, server)
            took = bool(taken)
        except psycopg2.Error:
            connection, took = None, False
        time.sleep(PAUSE)


road, *members = sys.argv[1:]
host, port = road.split(":")
probes = [("road", host, port)] + [("writes", member, "5432") for member in members]
threads = [threading.Thread(target=probe, args=arguments, daemon=True) for arguments in probes]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
