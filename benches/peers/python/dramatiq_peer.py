"""The no-op job on dramatiq: `dramatiq_peer.py produce COUNT`, or `python -m dramatiq dramatiq_peer`."""

import os
import sys

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

QUEUE = "bench.peer.dramatiq"

dramatiq.set_broker(RabbitmqBroker(url=os.environ["AMQP_URL"]))


@dramatiq.actor(queue_name=QUEUE)
def noop(padding):
    pass


if __name__ == "__main__":
    for _ in range(int(sys.argv[2])):
        noop.send("x" * 150)
