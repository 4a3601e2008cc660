"""A receiver of the gateway's webhooks, with nothing but Python.

WEBHOOK_SECRET=whsec_... python3 webhook_receiver.py PORT prints every event once. In production it stands behind TLS.
"""

import base64
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

TOLERANCE = 300  # seconds: an older delivery may be one that somebody recorded
LARGEST = 1_000_000  # bytes

seen = set()  # in production a table: an id is written in the transaction that does what the event asks for


def is_genuine(headers, body, secret, now):
    """Whether the gateway sent this, just now. Compared in constant time."""
    sent_at = headers.get("webhook-timestamp", "")
    if not sent_at.isascii() or not sent_at.isdigit() or abs(now - int(sent_at)) > TOLERANCE:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers.get('webhook-id', '')}.{sent_at}.".encode() + body
    mine = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    # While a secret is rotated there are two signatures; one that fits is enough.
    signatures = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(mine.encode(), each.encode()) for each in signatures)


class Receiver(BaseHTTPRequestHandler):
    """Answers at once: 204 takes an event, 401 refuses it; 410 would end all deliveries."""

    def do_POST(self):
        size = self.headers.get("content-length", "")
        if not size.isdigit() or int(size) > LARGEST:
            return self.answer(413)
        body = self.rfile.read(int(size))
        if not is_genuine(self.headers, body, os.environ["WEBHOOK_SECRET"], time.time()):
            return self.answer(401)
        if (webhook_id := self.headers["webhook-id"]) not in seen:
            self.take(json.loads(body))
            seen.add(webhook_id)
        return self.answer(204)

    def take(self, event):
        """What your books do: here it is printed. Fetch the rest from the API by `links`."""
        data = event["data"]
        sys.stdout.write(f"{event['type']} {data.get('number', '')} {data.get('status', '')}\n")
        sys.stdout.flush()

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
