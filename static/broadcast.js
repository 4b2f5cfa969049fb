/**
 * The broadcast form.
 *
 * @module
 */

import { call, Refused } from "./api.js";
import { compose, randomId, sendByKeys } from "./compose.js";
import { visible } from "./text.js";

/**
 * Makes the form publish. `onTraced` is told the id of what is traced, `onLoggedOut` is called when the server no longer
 * knows the login.
 */
export function createBroadcast({ form, channel, message, ownId, ttl, trace, publish, answer, onTraced, onLoggedOut }) {
  let id = "";

  function say(text, trouble = false) {
    answer.textContent = text;
    answer.classList.toggle("trouble", trouble);
  }

  /** The body, as the API takes it. @throws {SyntaxError} for text that is not the JSON it is said to be */
  function read() {
    const channels = channel.value.split(/[\s,]+/).filter((name) => name !== "");
    const where = channels.length === 1 ? { channel: channels[0] } : { channels };
    const rest = { id, ...ttl.value !== "" && { ttl: ttl.valueAsNumber }, ...trace.checked && { trace: true } };
    return { ...where, ...compose(message.value, form.elements.format.value), ...rest };
  }

  async function submit() {
    if (publish.disabled) return;
    // The same message sent again, after an answer that got lost, has the same id: the server publishes it once.
    id ||= ownId.value.trim() || randomId();
    let body;
    try {
      body = read();
    } catch (error) {
      say(`This is not JSON: ${error.message}`, true);
      message.focus();
      return;
    }
    const written = message.value;
    const named = ownId.value;
    publish.disabled = true;
    say("Publishing …");
    try {
      const { positions = [], errors = [] } = await call("POST", "api/publish", body) ?? {};
      const taken = positions.map(describe).join(", ");
      const refused = errors.map(({ channel, message }) => `${channel}: ${message}`).join(" ");
      say(visible(`Published: ${taken}${refused && `. Refused: ${refused}`}`), refused !== "");
      // What was written meanwhile is the next message.
      if (message.value === written) message.value = "";
      if (ownId.value === named) ownId.value = "";
      if (body.trace) onTraced(body.id);
      id = "";
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.status === 401) return onLoggedOut();
      if (error.status === 409) id = "";
      // It may have been taken all the same, or refused for a reason that is noted.
      if (body.trace && (error.status === 0 || error.status >= 500)) onTraced(body.id);
      say(visible(error.message) + (error.field ? ` (${visible(error.field)})` : ""), true);
    } finally {
      publish.disabled = false;
    }
    message.focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  form.addEventListener("input", () => {
    id = "";
  });
  sendByKeys(message);
}

function describe({ channel, epoch, offset, repeated }) {
  return `${channel}@${epoch}:${offset}${repeated ? " (had been published before)" : ""}`;
}
