/**
 * What Gong has to show beside others: a row each, with its bar.
 *
 * @module
 */
import type { Row } from "./row.ts";
import { BROKER_ROWS } from "./broker_rows.ts";
import { HTTP_ROWS } from "./http_rows.ts";
import { REDIS_ROWS } from "./redis_rows.ts";
import { SCALE_ROWS } from "./scale_rows.ts";
import { SOCKETIO_ROWS } from "./socketio_rows.ts";
import { STOMP_ROWS } from "./stomp_rows.ts";
import { TECHNIQUES_ROW } from "./techniques_row.ts";
import { USERS_ROWS } from "./users_rows.ts";
import { WEBSOCKET_ROWS } from "./websocket_rows.ts";

/** The rows, in the order in which they are run. */
export const ROWS: readonly Row[] = [
  ...WEBSOCKET_ROWS,
  ...STOMP_ROWS,
  ...SOCKETIO_ROWS,
  ...USERS_ROWS,
  ...HTTP_ROWS,
  ...BROKER_ROWS,
  ...REDIS_ROWS,
  ...SCALE_ROWS,
  TECHNIQUES_ROW,
];
