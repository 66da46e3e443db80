"""The function of boto3_handler.py in a loop: a script beside the cluster that looks each second. promptness.rs measures it."""

import time

import boto3_handler

while True:
    try:
        boto3_handler.handler({}, None)
    except Exception as error:  # The next round may do better.
        print(f"{time.time():.3f} {error!r}", flush=True)
    time.sleep(1)
