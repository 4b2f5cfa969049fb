/**
 * The broadcast form.
 *
 * @module
 */

import { call, Refused } from "./api.js";
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
  function compose() {
    const channels = channel.value.split(/[\s,]+/).filter((name) => name !== "");
    const where = channels.length === 1 ? { channel: channels[0] } : { channels };
    const rest = { id, ...ttl.value !== "" && { ttl: ttl.valueAsNumber }, ...trace.checked && { trace: true } };
    const data = message.value;
    if (form.elements.format.value === "text") return { ...where, data, ...rest };
    JSON.parse(data);
    // As it was written: this page's own numbers cannot hold every digit.
    return { ...where, data: data.trim(), contentType: "application/json", ...rest };
  }

  async function submit() {
    if (publish.disabled) return;
    // The same message sent again, after an answer that got lost, has the same id: the server publishes it once.
    id ||= ownId.value.trim() || randomId();
    let body;
    try {
      body = compose();
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
  message.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    event.preventDefault();
    if (form.reportValidity()) submit();
  });
}

function describe({ channel, epoch, offset, repeated }) {
  return `${channel}@${epoch}:${offset}${repeated ? " (had been published before)" : ""}`;
}

/** Not `crypto.randomUUID`: pages served without TLS don't have it. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
