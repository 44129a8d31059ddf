"""MiniStack as the stage of the end to end tests: bent where AWS differs, and never outliving its parent.

    GATEWAY_PORT=4566 STAGE_SPEED=60 python ministack.py

Serves 127.0.0.1 until its standard input ends, or on SIGTERM or SIGINT; `/_ministack/ready` answers 200 when it is
up. A pipe that the parent holds open ends however the parent dies. Two processes see to that: this one only waits,
and the server lives in a process group of its own, together with the functions that it starts. Whichever of the
two dies first, the other kills that group.

STAGE_SPEED divides the interval of every rate() schedule. Functions inherit this process's whole environment, so
start it with an empty one plus what they need (AWS_ENDPOINT_URL_EC2 and the like).

`bend` leans on what MiniStack does not promise to keep, hence the pinned version: `_put_events`, `_dispatch_to_lambda`,
`_parse_rate_seconds`, `_SCHEDULER_TICK_INTERVAL`, `_event_bus_policies`, `_invoke_target`, `_dispatch_to_sns` and
`_dispatch_to_sqs` of its EventBridge; `invoke_async_with_retry`, `_execute_function`, `_get_func_record_for_ref` and
`_execution_record_for_config` of its Lambda; `_metrics`, `_dims_key`, `_dims_from_list`, `_evaluate_alarm`,
`_evaluate_all_alarms` and `record_metric` of its CloudWatch; `_RESOURCE_HANDLERS` and `_cw_metric_alarm_record` of its
CloudFormation; `caller_arn`, `EvalContext`, `evaluate_resource_policy` and `eventbridge_resource_arns` of its IAM.
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


def guard(eventbridge, provisioners, evaluator, actions):
    """The policy of a bus: MiniStack lacks its resource, and judges PutEvents by identity policies alone.

    The evaluation is MiniStack's own. AWS knows a caller that has taken on a role by the role's ARN, and judges each
    entry by its detail-type.
    """

    def document(bus):
        return eventbridge._event_bus_policies.setdefault(bus, {"Version": "2012-10-17", "Statement": []})

    def create(_logical_id, props, _stack_name):
        bus, sid = props["EventBusName"], props["StatementId"]
        document(bus)["Statement"].append({**props["Statement"], "Sid": sid})
        return f"{bus}|{sid}", {}

    def delete(physical_id, _props):
        bus, _, sid = physical_id.partition("|")
        document(bus)["Statement"] = [one for one in document(bus)["Statement"] if one["Sid"] != sid]

    # DescribeEventBus is judged by the ARN of the bus, which MiniStack takes for a rule.
    buses_of = actions.eventbridge_resource_arns

    def buses(body, region, account):
        name = json.loads(body or b"{}").get("Name")
        if name in eventbridge._event_buses:
            return [f"arn:aws:events:{region}:{account}:event-bus/{name}"]
        return buses_of(body, region, account)

    actions.eventbridge_resource_arns = buses

    provisioners._RESOURCE_HANDLERS["AWS::Events::EventBusPolicy"] = {"create": create, "delete": delete}
    put_events = eventbridge._put_events

    def refused(entry):
        bus = entry.get("EventBusName", "default").rsplit("/", 1)[-1]
        policy = eventbridge._event_bus_policies.get(bus)
        if not policy:
            return None
        caller = evaluator.caller_arn()
        if ":assumed-role/" in caller:
            account, role = caller.split(":")[4], caller.split("/")[1]
            caller = f"arn:aws:iam::{account}:role/{role}"
        context = evaluator.EvalContext(
            principal_arn=caller,
            principal_type="AssumedRole",
            principal_account=eventbridge.get_account_id(),
            action="events:PutEvents",
            resource_arn=f"arn:aws:events:{eventbridge.get_region()}:{eventbridge.get_account_id()}:event-bus/{bus}",
            region=eventbridge.get_region(),
            service_context={"events:detail-type": [entry["DetailType"]], "events:source": [entry["Source"]]},
        )
        if evaluator.evaluate_resource_policy(policy, context).decision != "Deny":
            return None
        told = f"User: {caller} is not authorized to put events of detail-type {entry['DetailType']} on {bus}"
        return {"ErrorCode": "NotAuthorizedForDetailTypeException", "ErrorMessage": told}

    def put(data, allow_aws_source=False):
        entries = data.get("Entries", [])
        refusals = [refused(entry) for entry in entries]
        kept = [entry for entry, refusal in zip(entries, refusals) if not refusal]
        status, headers, body = put_events({**data, "Entries": kept}, allow_aws_source)
        if status != 200 or len(kept) == len(entries):
            return status, headers, body
        told = json.loads(body)
        results = iter(told["Entries"])
        told["Entries"] = [refusal or next(results) for refusal in refusals]
        told["FailedEntryCount"] += len(entries) - len(kept)
        return eventbridge.json_response(told)

    eventbridge._put_events = put


def alarm(eventbridge, cloudwatch, provisioners):
    """What a rule could not deliver to a topic: counted, kept among the dead letters, and seen by the alarm that looks at it.

    MiniStack drops it, lets an alarm look at a metric whatever its dimensions are, and knows no sum of metrics.
    """
    record, evaluate = provisioners._cw_metric_alarm_record, cloudwatch._evaluate_alarm
    invoke, send = eventbridge._invoke_target, eventbridge._dispatch_to_sns
    delivering = contextvars.ContextVar("delivering")

    def key(dimensions):
        return cloudwatch._dims_key(cloudwatch._dims_from_list(dimensions))

    def recorded(name, props):
        sums = [one["MetricStat"] for one in props.get("Metrics") or [] if "MetricStat" in one]
        if sums:
            first = sums[0]["Metric"]
            plain = {k: v for k, v in props.items() if k != "Metrics"}
            plain.update(Namespace=first["Namespace"], MetricName=first["MetricName"], Dimensions=first["Dimensions"])
            made = record(name, {**plain, "Period": sums[0]["Period"], "Statistic": sums[0]["Stat"]})
            made["looks_at"] = [key(one["Metric"]["Dimensions"]) for one in sums]
            return made
        made = record(name, props)
        made["looks_at"] = [key(props.get("Dimensions") or [])]
        return made

    def evaluated(alarm):
        everything = dict(cloudwatch._metrics.items())
        others = [found for found in everything if found[2] not in alarm.get("looks_at", [found[2]])]
        for found in others:
            del cloudwatch._metrics[found]
        try:
            return evaluate(alarm)
        finally:
            for found in others:
                cloudwatch._metrics[found] = everything[found]

    def invoked(target, event, rule, view=None):
        context = contextvars.copy_context()
        context.run(delivering.set, (target, rule))
        return context.run(invoke, target, event, rule, view)

    def sent(arn, payload):
        from ministack.core.arn import parse_arn
        from ministack.services import sns

        try:
            if sns.publish_internal(arn, payload, "EventBridge Notification") is not None:
                return
        except sns.SnsPublishError:
            pass
        target, rule = delivering.get()
        dimensions = {"RuleName": rule["Name"]}
        if rule.get("EventBusName", "default") != "default":
            dimensions["EventBusName"] = rule["EventBusName"]
        letters = (target.get("DeadLetterConfig") or {}).get("Arn")
        if letters:
            eventbridge._dispatch_to_sqs(parse_arn(letters), payload)
            queue = {"QueueName": letters.rsplit(":", 1)[-1]}
            cloudwatch.record_metric("AWS/SQS", "NumberOfMessagesSent", 1, "Count", queue)
        else:
            cloudwatch.record_metric("AWS/Events", "FailedInvocations", 1, "Count", dimensions)
        cloudwatch._evaluate_all_alarms()

    provisioners._cw_metric_alarm_record, cloudwatch._evaluate_alarm = recorded, evaluated
    eventbridge._invoke_target, eventbridge._dispatch_to_sns = invoked, sent


def serve(port):
    os.environ.update(BIND_HOST="127.0.0.1", SFTP_ENABLED="0", IOT_MTLS_ENABLED="0")
    os.environ.setdefault("MINISTACK_ACCOUNT_ID", "123456789012")
    os.environ.setdefault("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    # Every call to MiniStack is judged by its caller's policies; of keys named `test` by none.
    os.environ.setdefault("AUTH", "true")
    # AWS waits one minute and then two between the tries.
    os.environ.setdefault("LAMBDA_ASYNC_RETRY_BASE_SECONDS", "0.2")
    # This file has the name of the package that it imports.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != HERE]
    import ministack.app
    from ministack.core import iam_actions, iam_evaluator
    from ministack.services import cloudwatch, eventbridge, lambda_svc
    from ministack.services.cloudformation import provisioners

    bend(eventbridge, lambda_svc, float(os.environ.get("STAGE_SPEED", "1")))
    guard(eventbridge, provisioners, iam_evaluator, iam_actions)
    alarm(eventbridge, cloudwatch, provisioners)
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
