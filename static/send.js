/**
 * The dialog in which a message to one user is written.
 *
 * @module
 */

import { call, Refused } from "./api.js";
import { compose, randomId, sendByKeys } from "./compose.js";
import { plural, set, show, visible } from "./text.js";

export class SendDialog {
  #dialog = document.getElementById("send");
  #form = document.getElementById("send-form");
  #message = document.getElementById("send-message");
  #answer = document.getElementById("send-answer");
  #handlers;
  #user = "";
  #busy = false;
  /** The same message sent again, after an answer that got lost, has the same id: the server publishes it once. */
  #id = "";

  /** `sent(text)` is told what became of a message, `loggedOut()` is called when the login is over. */
  constructor(handlers) {
    this.#handlers = handlers;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#form.addEventListener("input", () => {
      this.#id = "";
    });
    document.getElementById("send-cancel").addEventListener("click", () => this.close());
    sendByKeys(this.#message);
  }

  open(user) {
    if (user !== this.#user) {
      this.#form.reset();
      this.#id = "";
    }
    this.#user = user;
    show(document.getElementById("send-user"), user);
    this.#say("");
    this.#dialog.showModal();
    this.#message.focus();
  }

  close() {
    this.#dialog.close();
  }

  async #send() {
    if (this.#busy) return;
    const user = this.#user;
    this.#say("");
    let content;
    try {
      content = compose(this.#message.value, this.#form.elements.format.value);
    } catch (error) {
      this.#say(`This is not JSON: ${error.message}`);
      return this.#message.focus();
    }
    this.#id ||= randomId();
    this.#busy = true;
    try {
      const { positions: [at], reached } = await call("POST", "api/publish", {
        users: [user],
        ...content,
        id: this.#id,
      });
      if (user === this.#user) this.#done();
      const there = reached > 0
        ? `reached ${plural(reached, "session")}`
        : "reached nobody, as no session is connected";
      this.#handlers.sent(`Sent to ${user}: ${there}; it is kept as ${at.channel}@${at.epoch}:${at.offset}.`);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.status === 401) return this.#handlers.loggedOut();
      if (error.status === 409) this.#id = "";
      this.#say(error.message);
    } finally {
      this.#busy = false;
    }
  }

  #done() {
    this.#id = "";
    this.#form.reset();
    this.close();
  }

  #say(text) {
    set(this.#answer, visible(text));
  }
}
