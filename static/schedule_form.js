/**
 * The dialog in which a schedule is made or changed.
 *
 * @module
 */

import { call, Refused } from "./api.js";
import { compose, randomId, sendByKeys, writtenValue } from "./compose.js";
import { localOf, withOffset } from "./instants.js";
import { set, visible } from "./text.js";

const USER = "$user/";
/** What a schedule has that the form does not show; it stays as it was. */
const DETAILS = ["event", "tags", "ttl"];
/** Fields of the API whose place in the form has another name. */
const PLACES = { channel: "to", channels: "to", users: "to", contentType: "data", encoding: "data" };

const $ = (name) => document.getElementById(`schedule-${name}`);

export class ScheduleForm {
  #dialog = $("dialog");
  #form = $("form");
  #handlers;
  #busy = false;
  /** What is changed, as it was; without it a schedule is made. */
  #before;
  /** The id of one that is made without: asked for again, after an answer that got lost, it is the same schedule. */
  #id = "";

  /** `saved(schedule, created)` is told what the server made of it, `loggedOut()` is called when the login is over. */
  constructor(handlers) {
    this.#handlers = handlers;
    const zones = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];
    $("zones").append(...zones.map((zone) => new Option(zone, zone)));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    this.#form.addEventListener("input", (event) => {
      this.#id = "";
      setError(event.target, "");
      this.#arrange();
    });
    $("cancel").addEventListener("click", () => this.close());
    sendByKeys($("data"));
  }

  create() {
    this.#open(undefined, "New schedule");
    $("id").focus();
  }

  /** `text` and `value` are the answer that has the schedule. */
  edit({ text, value }) {
    this.#open(value, `Schedule ${visible(value.id)}`);
    this.#fill(value, writtenValue(text, "data"));
    this.#arrange();
    this.#form.elements.when.forEach((choice) => choice.checked && choice.focus());
  }

  close() {
    this.#dialog.close();
  }

  #open(schedule, title) {
    this.#before = schedule;
    this.#id = "";
    this.#form.reset();
    for (const field of this.#form.elements) setError(field, "");
    set($("answer"), "");
    set($("title"), title);
    set($("kept"), "");
    $("id").readOnly = schedule !== undefined;
    set($("id-hint"), schedule === undefined ? "Empty: one is made." : "");
    $("zone").value = Intl.DateTimeFormat().resolvedOptions().timeZone;
    this.#arrange();
    this.#dialog.showModal();
  }

  #fill(schedule, written) {
    const { id, at, every, cron, zone, channels, data } = schedule;
    const { elements } = this.#form;
    $("id").value = id;
    elements.when.value = cron !== undefined ? "cron" : every !== undefined ? "every" : "at";
    if (at !== undefined) $("at").value = localOf(at);
    if (every !== undefined) $("every").value = every;
    if (cron !== undefined) [$("cron").value, $("zone").value] = [cron, zone];
    const forUsers = channels.every((channel) => channel.startsWith(USER));
    elements.target.value = forUsers ? "users" : "channels";
    const names = forUsers ? channels.map((channel) => decodeURIComponent(channel.slice(USER.length))) : channels;
    $("to").value = names.join("\n");
    elements.format.value = isJson(schedule) ? "json" : "text";
    $("data").value = isBytes(schedule) ? "" : isJson(schedule) ? written : data;
    const kept = DETAILS.filter((name) => schedule[name] !== undefined)
      .map((name) => `${name} ${JSON.stringify(schedule[name])}`);
    set($("kept"), visible(kept.length > 0 ? `Stays as it is: ${kept.join(", ")}.` : ""));
  }

  /** Shows the fields of what is chosen, and no others. */
  #arrange() {
    const { when, target } = this.#form.elements;
    for (const part of this.#form.querySelectorAll("[data-when]")) {
      part.hidden = part.dataset.when !== when.value;
      for (const field of part.querySelectorAll("input")) field.disabled = part.hidden;
    }
    const at = new Date($("at").value);
    set($("at-hint"), isNaN(at) ? "By this device's clock." : `By this device's clock; ${at.toISOString()} in UTC.`);
    set($("to-hint"), target.value === "users" ? "One a line." : "Separated by commas, spaces or lines.");
    const bytes = isBytes(this.#before);
    $("data").disabled = bytes;
    for (const choice of this.#form.elements.format) choice.disabled = bytes;
    set(
      $("data-hint"),
      bytes ? `Bytes (${visible(this.#before.contentType ?? "no type")}): they stay as they are.` : "",
    );
  }

  /** The body, as the API takes it. @throws {SyntaxError} for text that is not the JSON it is said to be */
  #compose() {
    const { when, target, format } = this.#form.elements;
    const before = this.#before;
    const kind = when.value;
    const time = kind === "cron"
      ? { cron: $("cron").value.trim(), zone: $("zone").value.trim() }
      : { [kind]: kind === "at" ? this.#instant() : $(kind).valueAsNumber };
    const names = $("to").value.split(target.value === "users" ? /\s*\n\s*/ : /[\s,]+/).map((name) => name.trim());
    const details = Object.fromEntries(
      DETAILS.filter((name) => before?.[name] !== undefined).map((name) => [
        name,
        before[name],
      ]),
    );
    return { ...time, [target.value]: names.filter((name) => name !== ""), ...this.#content(format.value), ...details };
  }

  /** An instant that was not changed keeps its milliseconds. */
  #instant() {
    const written = $("at").value;
    const at = this.#before?.at;
    return at !== undefined && localOf(at) === written ? at : withOffset(written);
  }

  #content(format) {
    const before = this.#before;
    const type = before?.contentType === undefined ? {} : { contentType: before.contentType };
    if (isBytes(before)) return { data: before.data, encoding: "base64", ...type };
    const isSame = before !== undefined && format === (isJson(before) ? "json" : "text");
    return { ...compose($("data").value, format), ...isSame ? type : {} };
  }

  async #save() {
    if (this.#busy) return;
    let body;
    try {
      body = this.#compose();
    } catch (error) {
      return this.#refuse("data", `This is not JSON: ${error.message}`);
    }
    const before = this.#before;
    const named = $("id").value.trim();
    this.#id ||= before?.id ?? (named === "" ? randomId().slice(0, 12) : "");
    this.#busy = true;
    set($("answer"), "");
    try {
      const schedule = this.#id === ""
        ? await call("POST", "api/schedules", { id: named, ...body })
        : await call("PUT", `api/schedules/${encodeURIComponent(this.#id)}`, body);
      this.close();
      await this.#handlers.saved(schedule, before === undefined);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.status === 401) return this.#handlers.loggedOut();
      const name = error.field?.split("/")[1] ?? (error.status === 409 ? "id" : "");
      this.#refuse(Object.hasOwn(PLACES, name) ? PLACES[name] : name, error.message);
    } finally {
      this.#busy = false;
    }
  }

  /** Says it at the field if it is one that is shown, else below the form. */
  #refuse(name, message) {
    const field = this.#form.elements[`schedule-${name}`];
    if (field === undefined || field.disabled) return set($("answer"), visible(message));
    setError(field, message);
    field.focus();
  }
}

function setError(field, message) {
  const place = document.getElementById(`${field.id}-error`);
  if (!place) return;
  set(place, visible(message));
  if (message === "") field.removeAttribute("aria-invalid");
  else field.setAttribute("aria-invalid", "true");
}

function isBytes(schedule) {
  return schedule?.encoding === "base64";
}

function isJson({ data, contentType }) {
  return contentType === undefined
    ? typeof data !== "string"
    : /^application\/(?:json|[\w.-]+\+json)(?:;|$)/i.test(contentType);
}
