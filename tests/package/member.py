"""A member of Patroni, the only one and the primary, at https://localhost: tests/package/start asks it.

usage: member.py FOLDER      with certificate.pem and key.pem; says at which port it listens
"""

import http.server
import json
import pathlib
import ssl
import sys

HOST = "127.0.0.1"


class Member(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        port = self.server.server_address[1]
        if self.path == "/cluster":
            member = {"name": "pg1", "role": "leader", "state": "running", "timeline": 1, "host": "10.0.1.11",
                      "port": 5432, "api_url": f"https://localhost:{port}/patroni"}
            self.answer({"scope": "batman", "members": [member]})
        else:
            self.answer({"state": "running", "role": "primary", "server_version": 170005, "timeline": 1,
                         "xlog": {"location": 24387696}, "database_system_identifier": "7710360767218212904",
                         "patroni": {"version": "4.0.11", "scope": "batman", "name": "pg1"}})

    def answer(self, body):
        text = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


folder = pathlib.Path(sys.argv[1])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
server = http.server.ThreadingHTTPServer((HOST, 0), Member)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
