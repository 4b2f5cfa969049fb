"""What a client of stomp.py does in one connection, told as a JSON value a line.

Usage: stomp_client.py PORT VERSION NAME, where NAME becomes that of a topic and of a queue.
"""
import json
import queue
import sys

import stomp

PATIENCE = 15
CONNECTIONS = {"1.0": stomp.Connection10, "1.1": stomp.Connection11, "1.2": stomp.Connection12}


class Told(stomp.ConnectionListener):
    """What the server has said, in queues to wait on."""

    def __init__(self):
        self.messages = queue.Queue()
        self.receipts = queue.Queue()
        self.beats = queue.Queue()
        self.ends = queue.Queue()

    def on_message(self, frame):
        self.messages.put(frame)

    def on_receipt(self, frame):
        self.receipts.put(frame.headers["receipt-id"])

    def on_heartbeat(self):
        self.beats.put(True)

    def on_heartbeat_timeout(self):
        self.ends.put("heart-beats stopped")

    def on_error(self, frame):
        self.ends.put(f"{frame.headers} {frame.body}")
        print(frame.headers, frame.body, file=sys.stderr)

    def on_disconnected(self):
        self.ends.put("disconnected")


def say(**fields):
    print(json.dumps(fields, ensure_ascii=False), flush=True)


def main(port, version, name):
    beats = {} if version == "1.0" else {"heartbeats": (4000, 6000)}
    client = CONNECTIONS[version]([("127.0.0.1", port)], reconnect_attempts_max=1, **beats)
    told = Told()
    client.set_listener("told", told)
    client.connect(wait=True)
    say(connected=client.transport.is_connected())

    def receipt(name):
        got = told.receipts.get(timeout=PATIENCE)
        assert got == name, f"the receipt {got}, not {name}"

    def message():
        return told.messages.get(timeout=PATIENCE)

    topic, row = f"/topic/{name}", f"/queue/{name}"
    client.subscribe(topic, id="1", ack="auto", receipt="subscribed")
    receipt("subscribed")
    client.send(topic, "你好,世界!", content_type="text/plain", receipt="sent")
    receipt("sent")
    hello = message()
    say(hello=hello.body, type=hello.headers["content-type"], tag=hello.headers.get("tag"))
    client.send(topic, "a: b\\c", content_type="text/plain", tag="with: colon")
    tagged = message()
    say(tagged=tagged.body, tag=tagged.headers["tag"])

    lost = client.begin()
    client.send(topic, "aborted", content_type="text/plain", transaction=lost)
    client.abort(lost, receipt="aborted")
    receipt("aborted")
    kept = client.begin()
    for text in ("first", "second"):
        client.send(topic, text, content_type="text/plain", transaction=kept)
    client.send(topic, "before the commit", content_type="text/plain")
    client.commit(kept, receipt="committed")
    receipt("committed")
    say(transactions=[message().body for _ in range(3)])
    client.unsubscribe("1")

    def settle(act, frame, **more):
        ack = frame.headers["ack" if version == "1.2" else "message-id"]
        act(ack, *(["2"] if version == "1.1" else []), **more)

    client.subscribe(row, id="2", ack="client-individual", receipt="consuming")
    receipt("consuming")
    for text in ("one", "two", "three"):
        client.send(row, text, content_type="text/plain")
    given = [message() for _ in range(3)]
    say(queue=[frame.body for frame in given])
    settle(client.ack, given[2], receipt="acked 3")
    receipt("acked 3")
    settle(client.ack, given[0], receipt="acked 1")
    receipt("acked 1")
    if version != "1.0":
        settle(client.nack, given[1])
        given[1] = message()
    say(again=given[1].body, redelivered=given[1].headers["redelivered"])
    settle(client.ack, given[1], receipt="acked 2")
    receipt("acked 2")

    # Longer than the server or the client would wait without.
    if version != "1.0":
        for _ in range(2):
            told.beats.get(timeout=PATIENCE)
    say(beating=told.ends.empty())

    client.disconnect(receipt="bye")
    receipt("bye")
    say(end=told.ends.get(timeout=PATIENCE))


main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
