/**
 * Buttons that do something only at the second press, for what cannot be taken back.
 *
 * @module
 */

import { visible } from "./text.js";

/** How long a first press waits for the second; and what is too soon for one: a double click, a key held down. */
const ARMED = 5_000;
const BOUNCE = 300;

/** The buttons of one panel, of which one waits for its second press at a time. */
export class Confirm {
  #say;
  #armed;

  /** `say(text)` is told what a second press would do, and nothing any more when it will not come. */
  constructor(say) {
    this.#say = say;
  }

  /** Whether a button waits for its second press: it should not be moved away under the pointer now. */
  get isArmed() {
    return this.#armed !== undefined;
  }

  /** Has the button `run()` at the second press: it says `act`, e.g. `Close`, and means `what`, e.g. `session k3f9`. */
  guard(button, { act, what, run }) {
    const label = `${act} ${visible(what)}`;
    const each = { button, act, label, run };
    rest(each);
    button.addEventListener("click", () => this.#press(each));
    button.addEventListener("blur", () => this.#armed?.each === each && this.disarm());
    button.addEventListener("keydown", (event) => event.key === "Escape" && this.disarm());
    return button;
  }

  disarm() {
    if (!this.#armed) return;
    const { each, timer } = this.#armed;
    clearTimeout(timer);
    this.#armed = undefined;
    rest(each);
    this.#say("");
  }

  #press(each) {
    if (this.#armed?.each === each) {
      if (performance.now() - this.#armed.time <= BOUNCE) return;
      this.disarm();
      return each.run();
    }
    this.disarm();
    this.#armed = { each, time: performance.now(), timer: setTimeout(() => this.disarm(), ARMED) };
    const { button, act, label } = each;
    // What stands beside it is not to move under the pointer that is about to press again.
    button.style.minWidth = `${button.getBoundingClientRect().width}px`;
    button.textContent = "Really?";
    button.classList.add("armed");
    button.setAttribute("aria-label", `Really ${label[0].toLowerCase()}${label.slice(1)}?`);
    this.#say(`Press again to ${act.toLowerCase()}.`);
  }
}

function rest({ button, act, label }) {
  button.textContent = act;
  button.style.minWidth = "";
  button.classList.remove("armed");
  button.setAttribute("aria-label", label);
}
