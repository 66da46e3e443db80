"""Kills the node of the primary, and measures when each endpoint leads to the new one.

usage: follow.py ENDPOINT GROUP ZONE PROXY:PORT PROCESS MEMBER...
PROCESS is the first process of the primary's container; a MEMBER is an address.
"""

import os
import signal
import sys
import threading
import time
import urllib.request

import psycopg2
from aws import client

EVERY_SECONDS = 0.05
WITHIN_SECONDS = 90


def is_primary(member):
    try:
        urllib.request.urlopen(f"http://{member}:8008/primary", timeout=1).close()
        return True
    except OSError:
        return False


def primary_by_haproxy(proxy):
    """The server of a new connection that writes."""
    host, port = proxy.split(":")
    try:
        connection = psycopg2.connect(host=host, port=port, user="postgres", dbname="postgres", connect_timeout=2)
    except psycopg2.OperationalError:
        return set()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT host(inet_server_addr()), pg_current_xact_id()")
            return {cursor.fetchone()[0]}
    except psycopg2.Error:
        return set()
    finally:
        connection.close()


def primary_by_group(elbv2, group):
    targets = elbv2.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return {target["Target"]["Id"] for target in targets if target["TargetHealth"]["State"] != "draining"}


def primary_by_record(route53, zone):
    records = route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    values = [it["ResourceRecords"] for it in records if it["Type"] == "A"]
    return {value["Value"] for record in values for value in record}


def wait(what, ask, is_there):
    """When it was so, and what was found."""
    until = time.monotonic() + WITHIN_SECONDS
    while not is_there(found := ask()):
        if time.monotonic() > until:
            sys.exit(f"{what}: still {found} after {WITHIN_SECONDS} s")
        time.sleep(EVERY_SECONDS)
    return time.monotonic(), found


def main(endpoint, group, zone, proxy, process, *members):
    elbv2, route53 = client("elbv2", endpoint), client("route53", endpoint)
    alive = set(members)
    subjects = {
        "Patroni": lambda: {member for member in alive if is_primary(member)},
        "HAProxy": lambda: primary_by_haproxy(proxy),
        "target group": lambda: primary_by_group(elbv2, group),
        "record": lambda: primary_by_record(route53, zone),
    }
    _, old = wait("Patroni", subjects["Patroni"], bool)
    for what, ask in subjects.items():
        wait(what, ask, lambda found: found == old)

    found = {}
    # The dead one answers nothing, which would only delay the others' answers.
    alive -= old
    os.kill(int(process), signal.SIGKILL)
    begin = time.monotonic()

    def follow(what, ask):
        found[what] = wait(what, ask, lambda now: len(now) == 1 and now != old)

    threads = [threading.Thread(target=follow, args=it) for it in subjects.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(found) < len(subjects):
        sys.exit(1)
    promoted, new = found["Patroni"]
    print(f"{', '.join(old)} was killed; {', '.join(new)} is the primary {promoted - begin:.1f} s later")
    for what, (moment, where) in found.items():
        if where != new:
            sys.exit(f"{what} leads to {where}, not to {new}")
        if what != "Patroni":
            print(f"{what} leads to it {moment - promoted:+.2f} s after Patroni said so")


if __name__ == "__main__":
    main(*sys.argv[1:])
