"""boto3 for a test that is not Python: one JSON request a line on standard input, one JSON answer a line back.

    {"service": "ec2", "endpoint": "http://127.0.0.1:4566", "call": "describe_images", "args": {"Owners": ["self"]}}
    {"ok": {"Images": []}}  or  {"error": {"code": "InvalidAMIID.NotFound", "message": "...", "status": 400}}

Another implementation of AWS's protocols than the one under test, and a strict one: botocore refuses arguments and
cannot read answers that AWS would not have made. Nothing is tried twice: a test wants the first answer. `region` may
be given beside `service`, and `as`, an access key and its secret; the endpoint `moto` is moto's simulation, in this process. Times are RFC 3339, bytes base64; in `args`, {"$file": PATH} stands for a file's bytes.
What never reached the service, or came back unreadable, has the code ClientSide. Ends with standard input.
"""

import base64
import datetime
import functools
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.response import StreamingBody


@functools.cache
def moto():
    from moto import mock_aws

    mock_aws().start()


@functools.cache
def client(service, endpoint, region, key, secret):
    if endpoint == "moto":
        moto()
    return boto3.client(
        service,
        endpoint_url=None if endpoint == "moto" else endpoint,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=60,
            # A virtual host (bucket.127.0.0.1) would not resolve.
            s3={"addressing_style": "path"},
        ),
    )


def with_files(value):
    if isinstance(value, dict):
        if value.keys() == {"$file"}:
            with open(value["$file"], "rb") as file:
                return file.read()
        return {name: with_files(member) for name, member in value.items()}
    if isinstance(value, list):
        return [with_files(member) for member in value]
    return value


def plain(value):
    """What JSON has no form for."""
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, StreamingBody):
        value = value.read()
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    return str(value)


def answer(request):
    key, secret = request.get("as", ["test", "test"])
    service = client(request["service"], request["endpoint"], request.get("region", "us-east-1"), key, secret)
    response = getattr(service, request["call"])(**with_files(request.get("args", {})))
    response.pop("ResponseMetadata", None)
    return response


def refusal(error):
    told = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return {"code": told.get("Code", ""), "message": told.get("Message", ""), "status": status}


def main():
    for line in sys.stdin:
        try:
            told = json.dumps({"ok": answer(json.loads(line))}, default=plain)
        except ClientError as error:
            told = json.dumps({"error": refusal(error)})
        except Exception as error:  # Whatever it was, the next request deserves an answer too.
            message = f"{type(error).__name__}: {error}"
            told = json.dumps({"error": {"code": "ClientSide", "message": message, "status": None}})
        print(told, flush=True)


if __name__ == "__main__":
    main()
