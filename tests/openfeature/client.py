"""The stock Python client (one evaluation a call, no cache): what a service in Python sees."""

import json
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

url, token = sys.argv[1:]
api.set_provider(OFREPProvider(url, headers_factory=lambda: {"Authorization": f"Bearer {token}"}))
client = api.get_client()

# A question a line on standard input, an answer a line on standard output.
for line in sys.stdin:
    asked = json.loads(line)
    attributes = dict(asked.get("context") or {})
    context = EvaluationContext(attributes.pop("targetingKey", None), attributes)
    boolean = isinstance(asked["fallback"], bool)
    get = client.get_boolean_details if boolean else client.get_string_details
    details = get(asked["flag"], asked["fallback"], context)
    answer = {"value": details.value, "reason": details.reason, "variant": details.variant}
    if details.error_code is not None:
        answer["errorCode"] = details.error_code.value
    print(json.dumps(answer), flush=True)
