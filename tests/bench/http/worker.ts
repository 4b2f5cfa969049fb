/**
 * Entry of an isolate of the generator over plain HTTP.
 *
 * @module
 */
import { workerData } from "node:worker_threads";
import { obey } from "../../../lib/cli/bench/obey.ts";
import type { PartOptions } from "../../../lib/cli/bench/part.ts";
import { Publishers } from "../../../lib/cli/bench/publishers.ts";
import { Subscribers } from "../../../lib/cli/bench/subscribers.ts";
import { openPolls, openPosts, openStream } from "./lines.ts";
import type { HttpLoad } from "./load.ts";
import { DIALECTS } from "./dialects.ts";

const options = workerData as PartOptions & { readonly load: HttpLoad };
const { load } = options;
const url = new URL(load.url);
const dialect = DIALECTS[load.server];

if (options.role === "publishers") {
  obey(
    new Publishers(options, {
      envelope: ({ size }) => dialect.post(url, size),
      encode: (message) => new Uint8Array(message),
      open: (_, onRefused) => openPosts(url, onRefused),
    }),
  );
} else if (load.door === "poll") {
  obey(new Subscribers(options, (_, onData) => openPolls(url, (last) => dialect.poll(url, last), onData)));
} else {
  obey(new Subscribers(options, (_, onData) => openStream(url, dialect.stream(url), onData)));
}
