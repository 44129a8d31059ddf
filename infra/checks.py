"""Checks of ours over the resources of a template, as `resolve.py` gives them. Each yields Findings."""

from findings import Finding

# What can stop working without a word, and the dimension by which CloudWatch counts what it does.
WATCHED = {
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Events::Rule": "RuleName",
}
EVENTBRIDGE = "events.amazonaws.com"


def of_type(resources, kind):
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}


def listed(value):
    return value if isinstance(value, list) else [value]


def services(statement):
    """The services that a statement of a resource's policy names."""
    principal = statement.get("Principal", {})
    return listed(principal.get("Service", [])) if isinstance(principal, dict) else []


def statements(properties):
    return listed(properties["PolicyDocument"].get("Statement", []))


def topic_conditions(resources):
    """Statements for EventBridge that have a Condition: AWS documents that those never let it publish to a topic."""
    for name, properties in of_type(resources, "AWS::SNS::TopicPolicy").items():
        for number, statement in enumerate(statements(properties)):
            if statement.get("Effect") == "Allow" and EVENTBRIDGE in services(statement) and "Condition" in statement:
                says = "EventBridge brings nothing that a Condition here could look at: it never may publish"
                yield Finding("TOPIC_CONDITION", name, statement.get("Sid", f"statement {number}"), says)


def dead_letters_lost(resources, resolver):
    """Targets without dead letters, and rules that may not put theirs into the queue."""
    may_send = {}
    for properties in of_type(resources, "AWS::SQS::QueuePolicy").values():
        for statement in statements(properties):
            if statement.get("Effect") == "Allow" and EVENTBRIDGE in services(statement):
                sources = statement.get("Condition", {}).get("ArnEquals", {}).get("aws:SourceArn", [])
                for queue in listed(statement["Resource"]):
                    may_send.setdefault(queue, set()).update(listed(sources))
    for name, properties in of_type(resources, "AWS::Events::Rule").items():
        for target in properties["Targets"]:
            queue = target.get("DeadLetterConfig", {}).get("Arn")
            if queue is None:
                yield Finding("NO_DEAD_LETTERS", name, target["Id"], "the target has no DeadLetterConfig")
            elif resolver.arn(name) not in may_send.get(queue, set()):
                says = f"no policy of {queue} lets this rule send: its dead letters would be lost"
                yield Finding("DEAD_LETTERS_LOST", name, target["Id"], says)


def dimensions(said):
    """The sets of dimensions of an alarm, wherever they stand: its own, and those of each metric of an expression."""
    if isinstance(said, dict):
        for key, value in said.items():
            if key == "Dimensions":
                yield {dimension["Name"]: dimension["Value"] for dimension in value}
            else:
                yield from dimensions(value)
    elif isinstance(said, list):
        for one in said:
            yield from dimensions(one)


def unwatched(resources, resolver):
    """Functions and rules that no alarm names. The metrics of a rule on a bus of ours bear the name of the bus, too."""
    watched = [one for alarm in of_type(resources, "AWS::CloudWatch::Alarm").values() for one in dimensions(alarm)]
    for kind, dimension in WATCHED.items():
        for name in of_type(resources, kind):
            wanted = {dimension: resolver.name(name)}
            if kind == "AWS::Events::Rule" and (bus := resolver.bus(name)):
                wanted["EventBusName"] = bus
            if not any(wanted.items() <= one.items() for one in watched):
                words = " and ".join(f"{key} {value}" for key, value in wanted.items())
                yield Finding("UNWATCHED", name, "", f"no alarm has a metric of {words}: its silence is not seen")


def never_true(resolvers):
    """Conditions that hold in no variant: what depends on them is seen by no check."""
    for condition in resolvers[0].conditions:
        if not any(resolver.holds(condition) for resolver in resolvers):
            says = "holds in no variant: give VARIANTS of lint.py a value that brings it about"
            yield Finding("NEVER_TRUE", condition, "", says)
