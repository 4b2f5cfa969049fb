import { assert, assertEquals, assertRejects } from "@std/assert";
import { MessageChannel } from "node:worker_threads";
import { GongError } from "../lib/errors.ts";
import { Link, type Port, within } from "../lib/link.ts";

interface Far {
  double(n: number): number;
  later(n: number): Promise<number>;
  echo(value: unknown): unknown;
  refuse(code: string): never;
  fail(text: string): never;
  never(payload: null): Promise<void>;
  note(text: string): void;
}

/** Two ends of a port; the far one offers `Far`. */
function openPair(faults: unknown[] = []) {
  const { port1, port2 } = new MessageChannel();
  const notes: string[] = [];
  const posted: unknown[] = [];
  const counted: Port = {
    postMessage: (message) => {
      posted.push(message);
      port1.postMessage(message);
    },
    on: (event, listener) => port1.on(event, listener),
  };
  const near = new Link<Far>(counted, {});
  const far = new Link<Record<never, never>>(
    port2 as Port,
    {
      double: (n: number) => n * 2,
      later: async (n: number) => {
        await new Promise((resolve) => setTimeout(resolve, n));
        return n;
      },
      echo: (value: unknown) => value,
      refuse(_: string) {
        throw new GongError("rate_limited", "Not so fast.", { retryAfter: 3, cause: new Error("secret") });
      },
      fail(text: string) {
        throw new Error(text);
      },
      never: () => new Promise(() => {}),
      note: (text: string) => notes.push(text),
    },
    (error, method) => faults.push([method, String(error)]),
  );
  function close() {
    port1.close();
    port2.close();
  }
  return { near, far, notes, posted, [Symbol.dispose]: close };
}

Deno.test("Link.request() answers, now or later, each its own question", async () => {
  using pair = openPair();
  const { near } = pair;
  const answers = await Promise.all([near.request("later", 20), near.request("double", 4), near.request("later", 1)]);
  assertEquals(answers, [20, 8, 1]);
});

Deno.test("Link sends what one turn brings as one message, in its order", async () => {
  using pair = openPair();
  const { near, notes, posted } = pair;
  for (let n = 0; n < 1000; n++) near.notify("note", `${n}`);
  assertEquals(await near.request("double", 1), 2);
  assertEquals(notes, Array.from({ length: 1000 }, (_, n) => `${n}`));
  assertEquals(posted.length, 1);
});

Deno.test("Link carries text, bytes, nested values and nothing", async () => {
  using pair = openPair();
  for (const value of [undefined, null, "grüße 🎉\ufeff\0", Uint8Array.of(1, 2), { a: [{ b: 1n }], c: undefined }]) {
    assertEquals(await pair.near.request("echo", value), value);
  }
});

Deno.test("Link.request() rejects with the refusal of the other side, without its cause", async () => {
  const faults: unknown[] = [];
  using pair = openPair(faults);
  const error = await assertRejects(() => pair.near.request("refuse", "x"), GongError, "Not so fast.");
  assertEquals([error.code, error.retryAfter, error.cause], ["rate_limited", 3, undefined]);
  assertEquals(faults, []);
});

Deno.test("Link.request() hides any other error as `internal`, and tells it to its own side", async () => {
  const faults: unknown[] = [];
  using pair = openPair(faults);
  const error = await assertRejects(() => pair.near.request("fail", "secret"), GongError);
  assertEquals(error.code, "internal");
  assert(!error.message.includes("secret"));
  assertEquals(faults, [["fail", "Error: secret"]]);
});

Deno.test("Link.notify() of what fails, or of what there is not, is told to the far side alone", async () => {
  const faults: unknown[] = [];
  using pair = openPair(faults);
  pair.near.notify("fail", "1");
  (pair.near as unknown as Link<{ nowhere(payload: null): void }>).notify("nowhere", null);
  await pair.near.request("double", 1);
  assertEquals(faults, [["fail", "Error: 1"], ["nowhere", "TypeError: The other isolate has no method nowhere"]]);
});

Deno.test("Link.request() of a method that every object has is refused", async () => {
  using pair = openPair();
  for (const method of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    const { near } = pair as unknown as { near: Link<Record<string, (payload: null) => void>> };
    const error = await assertRejects(() => near.request(method, null), GongError);
    assertEquals(error.code, "internal", method);
  }
});

Deno.test("Link.close() rejects what is open and what comes later, and sends nothing more", async () => {
  using pair = openPair();
  const { near, notes, posted } = pair;
  const open = near.request("never", null);
  const queued = near.request("double", 1);
  near.notify("note", "lost");
  near.close();
  for (const request of [open, queued, near.request("double", 1)]) {
    assertEquals((await assertRejects(() => request, GongError)).code, "restarting");
  }
  near.notify("note", "lost");
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals([notes, posted], [[], []]);
});

Deno.test("a Link that is closed does nothing that the other side still asks", async () => {
  using pair = openPair();
  const { near, far, notes } = pair;
  near.notify("note", "before");
  await near.request("double", 1);
  near.notify("note", "after");
  far.close();
  void near.request("double", 1).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(notes, ["before"]);
});

Deno.test("within() gives the answer, the refusal, or up", async () => {
  assertEquals(await within(10, Promise.resolve(3)), 3);
  assertEquals((await assertRejects(() => within(10, Promise.reject(new GongError("lost"))), GongError)).code, "lost");
  assertEquals((await assertRejects(() => within(0.01, new Promise(() => {})), GongError)).code, "overloaded");
});
