"""What a client of python3-socketio does in one connection, told as a JSON value a line.

Usage: client.py URL TRANSPORTS NAMESPACE, where TRANSPORTS is "polling", "websocket" or "polling,websocket".
"""
import json
import logging
import queue
import sys
import time

import socketio
# Without these two it silently lacks a transport.
import requests  # noqa: F401
import websocket  # noqa: F401

PATIENCE = 15
PINGS = 3


class Pings(logging.Handler):
    """Lets through who waits for so many pings."""

    def __init__(self):
        super().__init__()
        self.came = queue.Queue()

    def emit(self, record):
        if record.getMessage().startswith("Received packet PING"):
            self.came.put(None)

    def wait(self, count):
        for _ in range(count):
            self.came.get(timeout=PATIENCE)


def say(**fields):
    print(json.dumps(fields, ensure_ascii=False), flush=True)


def told(value):
    """Bytes as JSON can have them."""
    if isinstance(value, bytes):
        return {"bytes": list(value)}
    if isinstance(value, (list, tuple)):
        return [told(part) for part in value]
    if isinstance(value, dict):
        return {name: told(part) for name, part in value.items()}
    return value


def main(url, transports, namespace):
    logger = logging.getLogger("engineio.told")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    pings = Pings()
    logger.addHandler(pings)
    client = socketio.Client(reconnection=False, engineio_logger=logger)
    heard = queue.Queue()
    ends = queue.Queue()

    def listen(event, answer=None):
        def handle(*args):
            # The last argument is where the client stands.
            heard.put([event, *args[:-1]])
            return answer
        client.on(event, handle, namespace=namespace)

    for event in ("hello", "news", "bytes"):
        listen(event)
    listen("message", answer={"answer": [1, "two"]})
    client.on("disconnect", lambda: ends.put("disconnected"), namespace=namespace)

    def hear():
        return told(heard.get(timeout=PATIENCE))

    def call(event, *args):
        return client.call(event, args, namespace=namespace, timeout=PATIENCE)

    client.connect(
        url,
        transports=transports,
        namespaces=[namespace],
        auth={"user": "py", "rooms": ["first"]},
        wait_timeout=PATIENCE,
    )
    end = time.monotonic() + PATIENCE
    while client.transport() != transports[-1] and time.monotonic() < end:
        time.sleep(0.02)
    say(connected=client.transport(), session=client.get_sid(namespace))

    position = call("hello", {"a": 1}, "你好", None)
    say(position=[position["channel"], position["offset"]], heard=hear())
    say(room=call("to", "first", "news", 1)["offset"], heard=hear())
    say(joined=call("join", "second")["channel"])
    client.emit("to", ("second", "news", [2]), namespace=namespace)
    say(heard=hear())
    say(left=call("leave", "second"))
    say(refused=call("$hello")["error"]["code"])
    client.emit("bytes", (b"\x00\xff", {"deep": [b"", "text"]}), namespace=namespace)
    say(heard=hear())
    # Somebody asks, and the handler's result is the answer.
    say(asked=heard.get(timeout=PATIENCE)[:2])
    # Behind one that is not answered none comes.
    pings.wait(PINGS)
    say(pings=PINGS)
    say(beaten=hear())
    client.disconnect()
    say(end=ends.get(timeout=PATIENCE))

    # Another one: of the first, threads that come to their end would end the second connection too.
    stranger = socketio.Client(reconnection=False)
    refusals = queue.Queue()
    stranger.on("connect_error", refusals.put, namespace="/broadcast")
    stranger.connect(url, transports=transports, namespaces=["/broadcast"], wait=False)
    say(refused=sorted(refusals.get(timeout=PATIENCE)))
    stranger.disconnect()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2].split(","), sys.argv[3])
