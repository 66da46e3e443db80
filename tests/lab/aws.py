"""An AWS client beside the product's: one JSON request per line in, one JSON answer per line out."""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CONFIG = Config(retries={"total_max_attempts": 1})
clients = {}


def client(service, options):
    key = (service, json.dumps(options, sort_keys=True))
    if key not in clients:
        clients[key] = boto3.client(service, config=CONFIG, **(options or {}))
    return clients[key]


def answer(request):
    try:
        method = getattr(client(request["service"], request.get("options")), request["method"])
        result = method(**request["args"])
    except ClientError as error:
        details = error.response["Error"]
        return {"error": {"code": details["Code"], "message": details["Message"]}}
    except Exception as error:  # e.g. an argument that botocore refuses
        return {"error": {"code": type(error).__name__, "message": str(error)}}
    result.pop("ResponseMetadata", None)
    return {"ok": result}


def text(value):
    """A moment, or what a function answered."""
    return value.read().decode() if hasattr(value, "read") else str(value)


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line)), default=text), flush=True)
