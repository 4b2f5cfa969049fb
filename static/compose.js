/**
 * What an operator writes as the data of a message, and gets back of it: text, or JSON as it was written.
 *
 * @module
 */

/**
 * `data` and `contentType` as the API takes them.
 *
 * @throws {SyntaxError} for text that is not the JSON it is said to be
 */
export function compose(text, format) {
  if (format === "text") return { data: text };
  JSON.parse(text);
  // As it was written: this page's own numbers cannot hold every digit.
  return { data: text.trim(), contentType: "application/json" };
}

/** A string, a sign, or any other word of JSON. */
const TOKEN = /"(?:[^"\\]+|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** The value of one member of an object, as it was written in the object's JSON text. */
export function writtenValue(text, name) {
  let depth = 0;
  let member, from;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (depth === 1 && (token === "," || token === "}")) {
      if (member === name) return text.slice(from, index).trim();
      member = from = undefined;
    } else if (depth === 1 && member === undefined) member = JSON.parse(token);
    else if (depth === 1 && from === undefined && token === ":") from = index + 1;
    if (token === "{" || token === "[") depth++;
    if (token === "}" || token === "]") depth--;
  }
}

/** Has Ctrl+Enter, or ⌘+Enter, in the field send its form. */
export function sendByKeys(field) {
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    event.preventDefault();
    field.form.requestSubmit();
  });
}

/** Not `crypto.randomUUID`: pages served without TLS don't have it. */
export function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
