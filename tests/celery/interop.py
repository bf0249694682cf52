"""The Celery side of the interoperability tests: an application as its users write them.

A worker:   celery -A interop worker --pool solo -Q QUEUE
A producer: python interop.py '{"args": [1, "two"], "countdown": 1}' ..

Both take the broker from CELERIAC_TEST_AMQP_URL and the queue from INTEROP_QUEUE.
"""

import json
import os
import sys
import time

from celery import Celery

QUEUE = os.environ["INTEROP_QUEUE"]

app = Celery("interop", broker=os.environ["CELERIAC_TEST_AMQP_URL"])
app.conf.update(
    task_default_queue=QUEUE,
    task_ignore_result=True,
    # What the task prints is read by the test.
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"confirm_publish": True},
)
if "INTEROP_MAX_PRIORITY" in os.environ:
    app.conf.task_queue_max_priority = int(os.environ["INTEROP_MAX_PRIORITY"])


@app.task(name="interop.record", bind=True)
def record(self, number, text, flag=False):
    """Prints one line that says what it was called with, and how it came."""
    request = self.request
    print(
        "ran",
        json.dumps(
            {
                "id": request.id,
                "root_id": request.root_id,
                "number": number,
                "text": text,
                "flag": flag,
                "attempt": request.retries + 1,
                # As OpenTelemetry's instrumentation of Celery looks it up.
                "traceparent": getattr(request, "traceparent", None),
                "priority": request.delivery_info["priority"],
                "at": time.time(),
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    for call in sys.argv[1:]:
        options = json.loads(call)
        # By name, as a producer does that does not have the worker's code.
        result = app.send_task("interop.record", queue=QUEUE, **options)
        print("published", result.id, time.time(), flush=True)
