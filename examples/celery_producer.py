"""A Celery producer, as its users write it, for the worker in celery_worker.rs.

It publishes three tasks by name: with positional arguments, with keyword arguments, and one that is due in a second.

Run: export CELERIAC_BROKER_URL=amqp://guest:guest@localhost
     python3 examples/celery_producer.py
"""

import os

from celery import Celery

QUEUE = os.environ.get("RESIZE_QUEUE", "resize")

app = Celery("images", broker=os.environ["CELERIAC_BROKER_URL"])
app.conf.update(
    task_default_queue=QUEUE,
    task_ignore_result=True,
    broker_transport_options={"confirm_publish": True},
)


def resize(*args, **options):
    result = app.send_task("images.resize", args=args, **options)
    print("published", result.id, flush=True)


if __name__ == "__main__":
    resize("a.jpg")
    resize("b.jpg", kwargs={"width": 1024, "height": 768})
    resize("c.jpg", countdown=1)
