"""An ERP's side in Python: an order becomes a document, and a refusal says what to mend in both languages."""

import json
import os
import sys
from pathlib import Path

from gateway.client import Client, Problem

order = json.loads(Path("docs/examples/order-school.json").read_text(encoding="utf-8"))
with Client(sys.argv[1], os.environ["KEY"]) as gateway:
    document = gateway.send_order(order, wait=10)
    print(document.number, document.profile, document.status)
    print(document.total, document.vat, document.currency)
    try:
        gateway.send_order({**order, "note": "Changed afterwards"})
    except Problem as problem:
        print(problem.status, problem.detail)
        print(problem.detail_ar)
