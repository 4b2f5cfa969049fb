/**
 * The libraries as their manuals show them: nothing but an address.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Client } from "@stomp/stompjs";
import Stomp from "stompjs";
import { type Gong, startGong } from "../../support/gong.ts";
import { until } from "../../support/until.ts";

const PATHS = [[], ["--path", "/ws"]];

/** Says hello to itself. Returns the subprotocol, the version, and what it has heard. */
type Greet = (url: string) => Promise<(string | undefined)[]>;

const GREETS: Readonly<Record<string, Greet>> = {
  async "@stomp/stompjs"(brokerURL) {
    const told: (string | undefined)[] = [];
    const client = new Client({ brokerURL, reconnectDelay: 0 });
    client.onConnect = ({ headers }) => {
      const { protocol } = client.webSocket as WebSocket;
      told.push(protocol, headers.version);
      client.subscribe("/topic/hello", ({ body }) => void told.push(body));
      client.publish({ destination: "/topic/hello", body: "你好" });
    };
    client.onStompError = ({ headers }) => void told.push(headers.message);
    client.activate();
    await until(() => told.length >= 3, () => `${told}`);
    await client.deactivate();
    return told;
  },
  async "stompjs 2.3.3"(url) {
    const told: (string | undefined)[] = [];
    // deno-lint-ignore no-explicit-any
    const client = Stomp.client(url) as any;
    client.debug = null;
    client.connect("guest", "", ({ headers }: { headers: Record<string, string> }) => {
      told.push(client.ws.protocol, headers.version);
      client.subscribe("/topic/hello", ({ body }: { body: string }) => void told.push(body));
      client.send("/topic/hello", {}, "你好");
    }, (what: unknown) => void told.push(String(what)));
    await until(() => told.length >= 3, () => `${told}`);
    await new Promise<void>((resolve) => client.disconnect(resolve));
    return told;
  },
};

const EXPECTED: Readonly<Record<string, (string | undefined)[]>> = {
  "@stomp/stompjs": ["v12.stomp", "1.2", "你好"],
  "stompjs 2.3.3": ["v11.stomp", "1.1", "你好"],
};

for (const [name, greet] of Object.entries(GREETS)) {
  for (const args of PATHS) {
    const how = args.length === 0 ? "" : ", also where --path has the address";
    Deno.test(`${name} as its manual shows it has the highest version that both speak${how}`, async () => {
      await using gong: Gong = await startGong(["--isolates", "1", ...args]);
      for (const path of ["/ws", "/push"]) assertEquals(await greet(`${gong.ws}${path}`), EXPECTED[name], path);
    });
  }
}
