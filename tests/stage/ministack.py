"""MiniStack as the stage of the end to end tests: bent where AWS differs, and never outliving its parent.

    GATEWAY_PORT=4566 STAGE_SPEED=60 python ministack.py

Serves 127.0.0.1 until its standard input ends, or on SIGTERM or SIGINT; `/_ministack/ready` answers 200 when it is
up. A pipe that the parent holds open ends however the parent dies. Two processes see to that: this one only waits,
and the server lives in a process group of its own, together with the functions that it starts. Whichever of the
two dies first, the other kills that group.

STAGE_SPEED divides the interval of every rate() schedule. Functions inherit this process's whole environment, so
start it with an empty one plus what they need (AWS_ENDPOINT_URL_EC2 and the like).

`bend` leans on what MiniStack does not promise to keep, hence the pinned version: `_put_events`, `_dispatch_to_lambda`,
`_parse_rate_seconds` and `_SCHEDULER_TICK_INTERVAL` of its EventBridge; `invoke_async_with_retry`, `_execute_function`,
`_get_func_record_for_ref` and `_execution_record_for_config` of its Lambda.
"""

import contextvars
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WAITS_FOR_ROOM = contextvars.ContextVar("WAITS_FOR_ROOM", default=False)


def bend(eventbridge, functions, speed):
    # AWS's services put events of `aws.*`; here a test does it for them.
    put_events = eventbridge._put_events
    eventbridge._put_events = lambda data, allow_aws_source=False: put_events(data, True)

    parse_rate = eventbridge._parse_rate_seconds
    eventbridge._parse_rate_seconds = lambda text: (seconds := parse_rate(text)) and seconds / speed
    eventbridge._SCHEDULER_TICK_INTERVAL = 0.2

    # MiniStack's rules call a function once and drop what fails. On AWS a rule only queues the event, and Lambda
    # tries it three times before the dead letters; one that finds no free concurrency waits, which is no failure.
    invoke, execute = functions.invoke_async_with_retry, functions._execute_function

    def queue(function, event):
        context = contextvars.copy_context()
        context.run(WAITS_FOR_ROOM.set, True)
        context.run(invoke, function, event)

    def execute_when_there_is_room(function, event):
        while (result := execute(function, event)).get("throttle") and WAITS_FOR_ROOM.get():
            time.sleep(0.05)
        return result

    def deliver(arn, payload):
        function, config, _ = functions._get_func_record_for_ref(arn)
        if function and config:
            queue(functions._execution_record_for_config(function, config), json.loads(payload))

    functions.invoke_async_with_retry, functions._execute_function = queue, execute_when_there_is_room
    eventbridge._dispatch_to_lambda = deliver


def serve(port):
    os.environ.update(BIND_HOST="127.0.0.1", SFTP_ENABLED="0", IOT_MTLS_ENABLED="0")
    os.environ.setdefault("MINISTACK_ACCOUNT_ID", "123456789012")
    os.environ.setdefault("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    # AWS waits one minute and then two between the tries.
    os.environ.setdefault("LAMBDA_ASYNC_RETRY_BASE_SECONDS", "0.2")
    # This file has the name of the package that it imports.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != HERE]
    import ministack.app
    from ministack.services import eventbridge, lambda_svc

    bend(eventbridge, lambda_svc, float(os.environ.get("STAGE_SPEED", "1")))
    ministack.app.main()


def end(group, code):
    shutil.rmtree(code, ignore_errors=True)
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def when_closed(pipe, act, *args):
    def wait():
        while os.read(pipe, 4096):
            pass
        act(*args)

    threading.Thread(target=wait, daemon=True).start()


def main():
    port = os.environ.setdefault("GATEWAY_PORT", "4566")
    tempfile.tempdir = code = tempfile.mkdtemp(prefix="lastgood-stage-")  # MiniStack unpacks the functions there.
    life, held = os.pipe()
    server = os.fork()
    if server == 0:
        os.setpgid(0, 0)
        os.close(held)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        when_closed(life, end, 0, code)
        return serve(port)
    os.setpgid(server, server)  # Here too, or an early end would find no group.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: end(server, code))
    when_closed(0, end, server, code)
    _, status = os.waitpid(server, 0)
    end(server, code)
    return 0 if os.waitstatus_to_exitcode(status) == -signal.SIGKILL else 1


if __name__ == "__main__":
    sys.exit(main())
