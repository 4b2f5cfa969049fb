/**
 * Every figure there is: one table, and the rules that stand in it.
 *
 * @module
 */

/** What a figure is and how those of several isolates become one. */
export interface Metric {
  readonly type: "counter" | "gauge" | "histogram";
  /** One sentence for the operator. */
  readonly help: string;
  /** Labels that every figure of this name carries. Their values come from small sets: never a channel, user or address. */
  readonly labels: readonly string[];
  /** `apart`: one a isolate, told apart by the label `isolate`, which is added by itself. */
  readonly add: "sum" | "max" | "apart";
}

function metric(type: Metric["type"], add: Metric["add"], help: string, ...labels: string[]): Metric {
  return Object.freeze({ type, help, add, labels: Object.freeze(add === "apart" ? [...labels, "isolate"] : labels) });
}

/** Names, in the order in which they are shown. What only the hub knows, or the whole process has once, is a `max`. */
export const METRICS = Object.freeze({
  gong_build_info: metric("gauge", "max", "Versions of the server and of Deno; always 1.", "version", "deno"),
  gong_ready: metric("gauge", "max", "Whether the server is ready for traffic."),
  gong_edges: metric("gauge", "max", "Isolates that serve."),
  gong_edge_restarts_total: metric("counter", "sum", "Isolates that ended and were replaced."),
  gong_sessions: metric("gauge", "sum", "Clients connected now.", "door"),
  gong_sessions_opened_total: metric("counter", "sum", "Clients that connected.", "door"),
  gong_sessions_closed_total: metric("counter", "sum", "Clients that left or were closed.", "reason"),
  gong_sessions_moved_total: metric(
    "counter",
    "sum",
    "Clients of Socket.IO whose WebSocket was accepted by another isolate than their polls, and that went on there.",
  ),
  gong_users: metric("gauge", "max", "Distinct users connected now, to all nodes: over nodes take the max."),
  gong_present: metric(
    "gauge",
    "max",
    "Sessions on channels with presence, once a channel, of all nodes: over nodes take the max.",
  ),
  gong_refused_total: metric("counter", "sum", "Requests and handshakes refused.", "reason"),
  gong_tokens_refused_total: metric(
    "counter",
    "sum",
    "Tokens that were not accepted, by the check that failed.",
    "check",
  ),
  gong_published_total: metric("counter", "sum", "Publications numbered and stored for this node."),
  gong_delivered_total: metric("counter", "sum", "Publications handed to sockets."),
  gong_dropped_total: metric("counter", "sum", "Publications that did not reach a session.", "reason"),
  gong_publish_to_write_seconds: metric(
    "histogram",
    "sum",
    "From a publication's numbering to the write to sockets, once an isolate that has listeners.",
  ),
  gong_channels: metric("gauge", "max", "Channels known."),
  gong_history_publications: metric("gauge", "max", "Publications kept."),
  gong_history_bytes: metric("gauge", "max", "Bytes of the publications and ids kept."),
  gong_queues: metric("gauge", "max", "Queues that have messages."),
  gong_queue_messages: metric("gauge", "max", "Messages in queues, not yet acknowledged."),
  gong_queue_bytes: metric("gauge", "max", "Bytes of the messages in queues."),
  gong_queue_claimed: metric("gauge", "max", "Messages of queues that are with consumers."),
  gong_consumers: metric("gauge", "max", "Consumers of queues."),
  gong_queued_total: metric("counter", "max", "Messages put into queues."),
  gong_queue_refused_total: metric("counter", "max", "Messages that queues did not take; the log says which was full."),
  gong_queue_done_total: metric(
    "counter",
    "max",
    "Messages that consumers acknowledged or dropped; with `auto`, that were sent.",
  ),
  gong_queue_requeued_total: metric(
    "counter",
    "max",
    "Messages that consumers gave back, or that were with one that ended.",
  ),
  gong_nodes: metric("gauge", "max", "Nodes that share the broker and have a lease, this one too."),
  gong_node_requests_total: metric(
    "counter",
    "max",
    "Requests of other nodes: answered, refused, or rejected as nobody's of this cluster.",
    "outcome",
  ),
  gong_relayed_total: metric(
    "counter",
    "max",
    "What was asked of other nodes for sessions of Socket.IO: answered, refused, or failed since none did answer.",
    "outcome",
  ),
  gong_broker_away: metric(
    "gauge",
    "max",
    "1 while the broker cannot be reached: clients stay, and nothing can be published.",
  ),
  gong_broker_faults_total: metric(
    "counter",
    "max",
    "Times the broker could not store; until it can, publishing is refused.",
  ),
  gong_schedules: metric("gauge", "max", "Schedules that are kept."),
  gong_schedule_runs_total: metric(
    "counter",
    "max",
    "Times that schedules were due: published, refused, late (made up for) or skipped (missed).",
    "outcome",
  ),
  gong_recoveries: metric("gauge", "max", "Connections remembered, so that their clients can go on after a drop."),
  gong_recoveries_taken_total: metric(
    "counter",
    "max",
    "Connections that other nodes remembered, and whose clients go on here.",
  ),
  gong_hosted_channels: metric("gauge", "max", "Channels that isolates listen to for their clients."),
  gong_questions: metric("gauge", "sum", "Questions of clients that wait for an answer."),
  gong_traces: metric("gauge", "max", "Notes kept of what became of traced publications."),
  gong_outbox_bytes: metric("gauge", "sum", "Bytes queued to sockets."),
  gong_stuck_sockets: metric("gauge", "sum", "Sockets closed by the server that have not gone."),
  gong_stuck_bytes: metric("gauge", "sum", "Bytes that such sockets hold."),
  gong_bus_gaps_total: metric("counter", "sum", "Times an isolate found batches of the bus missing."),
  gong_bus_replayed_total: metric("counter", "sum", "Batches repeated to isolates that missed them."),
  gong_bus_lag_bytes: metric("gauge", "max", "Bytes of batches that the slowest isolate has not taken."),
  gong_event_loop_lag_seconds: metric("gauge", "apart", "How late the isolate's event loop turns."),
  gong_heap_bytes: metric("gauge", "apart", "Heap that the isolate uses."),
  gong_open_descriptors: metric("gauge", "max", "File descriptors that the process has open."),
  process_cpu_seconds_total: metric("counter", "max", "User and system time of the process."),
  process_resident_memory_bytes: metric("gauge", "max", "Resident memory of the process."),
  process_start_time_seconds: metric("gauge", "max", "When the process started, in seconds since 1970."),
});

/** A name of the table. */
export type MetricName = keyof typeof METRICS;

/** Upper bounds of a histogram's buckets, in seconds; above the last there is `+Inf`. */
export const BUCKETS: readonly number[] = Object.freeze(
  [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
);

/** What a name after `_bucket`, `_sum` or `_count` says, for those of a histogram. */
const PART = /_(?:bucket|sum|count)$/;

/**
 * The row of the table that a sample belongs to; those of a histogram have its name with a suffix.
 *
 * @throws {TypeError} for a name that is not in the table
 */
export function metricOf(sample: string): { readonly name: MetricName; readonly metric: Metric } {
  const table: Readonly<Record<string, Metric>> = METRICS;
  const name = Object.hasOwn(table, sample) ? sample : sample.replace(PART, "");
  const metric = Object.hasOwn(table, name) ? table[name] : undefined;
  if (metric === undefined || (metric.type === "histogram") !== PART.test(sample)) {
    throw new TypeError(`There is no metric ${sample}.`);
  }
  return { name: name as MetricName, metric };
}
