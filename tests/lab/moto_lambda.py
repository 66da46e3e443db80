"""moto's Lambda, mended: a function runs, by AWS's runtime interface emulator. moto would run it in Docker.

An invocation unpacks the function's own zip and starts its `bootstrap`, with its environment, its limits, and
credentials of its role: what it may do is judged by the role's own policies. Its layers are in /opt, of which it has its
own. The process is kept warm until the function is changed or deleted, or moto forgets everything. SNS reaches subscribed
functions, if they let it, and queues reach functions. LAB_RIE is the folder of the emulators.
"""

import base64
import concurrent.futures
import contextlib
import http.client
import io
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

from moto.awslambda.models import LambdaBackend, LambdaFunction, lambda_backends
from moto.logs.exceptions import ResourceNotFoundException
from moto.sqs.models import sqs_backends
from moto.sts.models import sts_backends
from moto.utilities.utils import get_partition

OPTIONS = dict(zip(sys.argv[1::2], sys.argv[2::2]))
HOST, PORT = OPTIONS.get("--host", "127.0.0.1"), OPTIONS.get("--port", "5000")
TWELVE_HOURS = 43200
# What Lambda gives back of the log.
TAIL_BYTES = 4096
update_configuration = LambdaFunction.update_configuration
update_code = LambdaFunction.update_function_code
delete_function = LambdaBackend.delete_function
reset = LambdaBackend.reset
send_sns_message = LambdaBackend.send_sns_message
send_sqs_batch = LambdaBackend.send_sqs_batch
create_mapping = LambdaBackend.create_event_source_mapping
# A child dies with the thread that started it (setpriv), so one that lives as long as moto starts them all.
starter = concurrent.futures.ThreadPoolExecutor(1)
starting = threading.Lock()
instances = {}


class Instance:
    """A function that runs."""

    def __init__(self, function):
        self.function = function
        self.turn = threading.Lock()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{function.function_name}-", dir=os.getcwd()))
        task = self.folder / "task"
        unpack(function.code_bytes, task)
        layers = self.folder / "layers"
        layers.mkdir()
        for layer in function.layers:
            unpack(layer_bytes(function, layer["Arn"]), layers)
        self.log = self.folder / "log"
        self.address = (HOST, free_port())
        machine = function.architectures[0]
        command = ["setpriv", "--pdeathsig", "KILL"]
        command += ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /opt && exec "$@"', str(layers)]
        command += [f"{os.environ['LAB_RIE']}/aws-lambda-rie-{machine}"]
        command += ["--runtime-interface-emulator-address", f"{HOST}:{self.address[1]}"]
        command += ["--runtime-api-address", f"{HOST}:{free_port()}", str(task / "bootstrap")]
        with self.log.open("wb") as log:
            arguments = {"cwd": task, "env": environment(function, task), "stdout": log, "stderr": log}
            self.process = starter.submit(subprocess.Popen, command, **arguments).result()
        self.wait_until_it_listens()

    def wait_until_it_listens(self):
        while self.process.poll() is None:
            with contextlib.suppress(ConnectionRefusedError):
                return socket.create_connection(self.address).close()
            time.sleep(0.01)
        raise RuntimeError(f"the emulator ended:\n{self.log.read_text()}")

    def invoke(self, payload):
        """The answer, whether it is an error, and what was logged meanwhile. One at a time: AWS would start another."""
        with self.turn:
            begin = self.log.stat().st_size
            connection = http.client.HTTPConnection(*self.address)
            connection.request("POST", "/2015-03-31/functions/function/invocations", payload or "{}")
            answer = connection.getresponse().read()
            log = self.log.read_bytes()[begin:]
            self.save_log(log.decode(errors="replace"))
            try:
                parsed = json.loads(answer)
            except ValueError:
                # The emulator says in plain words that the time was up.
                error = {"errorType": "Sandbox.Timedout", "errorMessage": answer.decode()}
                return json.dumps(error).encode(), True, log
            return answer, isinstance(parsed, dict) and "errorType" in parsed, log

    def save_log(self, log):
        # Whose role may not make a log group has no log.
        with contextlib.suppress(ResourceNotFoundException):
            self.function.save_logs(log)

    def end(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)


def layer_bytes(function, arn):
    return lambda_backends[function.account_id][function.region].layers_versions_by_arn(arn).code_bytes


def unpack(code, folder):
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        for it in archive.infolist():
            path = pathlib.Path(archive.extract(it, folder))
            if not it.is_dir():
                path.chmod(it.external_attr >> 16 & 0o777)


def environment(function, task):
    role = sts_backends[function.account_id][get_partition(function.region)].assume_role(
        region_name=function.region,
        role_session_name=function.function_name,
        role_arn=function.role,
        policy=None,
        duration=TWELVE_HOURS,
        external_id=None,
    )
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
        "LAMBDA_TASK_ROOT": str(task),
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ACCESS_KEY_ID": role.access_key_id,
        "AWS_SECRET_ACCESS_KEY": role.secret_access_key,
        "AWS_SESSION_TOKEN": role.session_token,
        "AWS_ENDPOINT_URL": f"http://{HOST}:{PORT}",
        **function.environment_vars,
    }


def free_port():
    with socket.create_server((HOST, 0)) as server:
        return server.getsockname()[1]


def run(function, payload):
    with starting:
        if function.function_arn not in instances:
            instances[function.function_arn] = Instance(function)
        instance = instances[function.function_arn]
    return instance.invoke(payload)


def end(function):
    with starting:
        instance = instances.pop(function.function_arn, None)
    if instance:
        instance.end()


def invoke(function, payload, request_headers, response_headers):
    kind = request_headers.get("X-Amz-Invocation-Type", "RequestResponse")
    if kind == "DryRun":
        return b""
    if kind == "Event":
        threading.Thread(target=run, args=(function, payload), daemon=True).start()
        return b""
    answer, is_error, log = run(function, payload)
    if is_error:
        response_headers["x-amz-function-error"] = "Unhandled"
    response_headers["x-amz-log-result"] = base64.b64encode(log[-TAIL_BYTES:]).decode()
    return answer


def end_and_reconfigure(function, updates):
    end(function)
    return update_configuration(function, updates)


def end_and_replace(function, updates):
    end(function)
    return update_code(function, updates)


def end_and_delete(backend, function_name, qualifier=None):
    end_all(backend.get_function(function_name).function_arn)
    delete_function(backend, function_name, qualifier)


def end_and_forget(backend):
    for function in backend.list_functions():
        end_all(function.function_arn)
    reset(backend)


def end_all(arn):
    """The function, and its versions."""
    with starting:
        ended = [instances.pop(it) for it in list(instances) if it == arn or it.startswith(arn + ":")]
    for instance in ended:
        instance.end()


def add_permission(backend, function_name, qualifier, raw):
    """Of an alias too: AWS keeps it whatever version the alias leads to, and moto would with the version of the day."""
    statement, _ = backend.get_function(function_name).policy.add_statement(raw, qualifier)
    return statement


def get_policy(backend, function_name, qualifier=None):
    return backend.get_function(function_name).policy.wire_format()


def hear_of_sns(backend, function_name, *message, **more):
    """Whoever publishes does not wait for the function, and a function is called only by whom it lets."""
    if "sns.amazonaws.com" in json.dumps(backend.get_function(function_name).policy.statements):
        arguments = (backend, function_name, *message)
        threading.Thread(target=send_sns_message, args=arguments, kwargs=more, daemon=True).start()


def map_event_source(backend, spec):
    """Of an alias too, whatever version it leads to: moto would map the version of the day."""
    mapping = create_mapping(backend, spec)
    if spec["FunctionName"].startswith("arn:"):
        queue = sqs_backends[backend.account_id][backend.region_name].get_queue(mapping.event_source_arn.rsplit(":", 1)[-1])
        queue.lambda_event_source_mappings.pop(mapping.function_arn)
        mapping.function_arn = spec["FunctionName"]
        queue.lambda_event_source_mappings[mapping.function_arn] = mapping
    return mapping


def hear_of_sqs(backend, function_arn, messages, queue_arn):
    """Whoever sends a message does not wait for the function."""
    arguments = (backend, function_arn, messages, queue_arn)
    threading.Thread(target=send_sqs_batch, args=arguments, daemon=True).start()
    return True


LambdaFunction.invoke = invoke
LambdaFunction.update_configuration = end_and_reconfigure
LambdaFunction.update_function_code = end_and_replace
LambdaBackend.delete_function = end_and_delete
LambdaBackend.reset = end_and_forget
LambdaBackend.add_permission = add_permission
LambdaBackend.get_policy = get_policy
LambdaBackend.send_sns_message = hear_of_sns
LambdaBackend.send_sqs_batch = hear_of_sqs
LambdaBackend.create_event_source_mapping = map_event_source
