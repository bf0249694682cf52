"""The no-op job on Celery: `celery_peer.py produce COUNT`, or `python -m celery -A celery_peer worker`."""

import os
import sys

from celery import Celery

QUEUE = "bench.peer.celery"

app = Celery("celery_peer", broker=os.environ["AMQP_URL"])
app.conf.update(
    task_default_queue=QUEUE,
    task_ignore_result=True,
    task_acks_late=True,
    # 64 for each of two processes: the same 128 as the others.
    worker_prefetch_multiplier=64,
)


@app.task(name="noop")
def noop(padding):
    pass


if __name__ == "__main__":
    with app.producer_pool.acquire() as producer:
        for _ in range(int(sys.argv[2])):
            noop.apply_async(("x" * 150,), producer=producer)
