"""Writes over a new connection each time, and notes each attempt: an account of an outage that shares no code with the product.

usage: writer.py HOST PORT      each line: when an attempt began and ended, in seconds since the epoch, and `good` or `bad`

An attempt begins every 25 ms, twice as often as a drill's, whether the one before it has ended or not, and 10 ms after one that has failed at once.
"""

import sys
import threading
import time

import psycopg2

# In recovery there is no transaction id, and what does not write has none.
WRITE = "SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_xact_id() END"
EVERY = 0.025
AGAIN = 0.01
noting = threading.Lock()
failed_at_once = threading.Event()


def write(host, port):
    connection = psycopg2.connect(host=host, port=port, user="postgres", dbname="postgres", connect_timeout=2)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(WRITE)
            return cursor.fetchone()[0] is not None
    finally:
        connection.close()


def attempt(host, port):
    began = time.time()
    try:
        good = write(host, port)
    except psycopg2.Error:
        good = False
    ended = time.time()
    with noting:
        print(f"{began:.6f} {ended:.6f} {'good' if good else 'bad'}", flush=True)
    if not good and ended - began < EVERY:
        failed_at_once.set()


while True:
    threading.Thread(target=attempt, args=sys.argv[1:], daemon=True).start()
    if failed_at_once.wait(EVERY):
        failed_at_once.clear()
        time.sleep(AGAIN)
