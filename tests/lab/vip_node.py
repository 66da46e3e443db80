"""A node that vip-manager runs on: a network of its own with one interface, behind whose address the member's PostgreSQL is.

usage: vip_node.py LINK ADDRESS MEMBER DCS PROGRAM [ARGUMENT...]      LINK: the name of the other end of the node's interface

Its ports lead into the network that it was started in: 5432 to the member's PostgreSQL, and the DCS's own, on its loopback, to
the DCS. PROGRAM ends with it.
"""

import asyncio
import ctypes
import os
import subprocess
import sys

CLONE_NEWNET = 0x40000000
link, address, member, dcs = sys.argv[1:5]
libc = ctypes.CDLL(None, use_errno=True)


def enter(change, *arguments):
    if change(*arguments) != 0:
        raise OSError(ctypes.get_errno(), "the network cannot be entered")


def ip(arguments):
    subprocess.run(["ip", *arguments.split()], check=True)


async def carry(reader, writer):
    try:
        while data := await reader.read(16384):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


def leading_to(host, port):
    async def lead(reader, writer):
        try:
            there = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, there[1]), carry(there[0], writer))

    return lead


async def main():
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    enter(libc.unshare, CLONE_NEWNET)
    ip("link set lo up")
    ip(f"link add eth0 type veth peer name {link} netns {os.getppid()}")
    ip(f"addr add {address} dev eth0")
    ip("link set eth0 up")
    dcs_host, dcs_port = dcs.split(":")
    # A socket stays in the network that it was made in.
    servers = [
        await asyncio.start_server(leading_to(member, 5432), "0.0.0.0", 5432),
        await asyncio.start_server(leading_to(dcs_host, int(dcs_port)), "127.0.0.1", int(dcs_port)),
    ]
    subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *sys.argv[5:]])
    enter(libc.setns, outside, CLONE_NEWNET)
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(main())
