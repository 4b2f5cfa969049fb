/**
 * Messages from one session to others: to users and to sessions, questions and their answers.
 *
 * @module
 */
import { sizeOf } from "../bytes.ts";
import type { Content, Sent, SignalTarget } from "../door.ts";
import { checkCopies } from "../draft.ts";
import { GongError } from "../errors.ts";
import type { Link } from "../link.ts";
import type { HubMethods } from "../methods.ts";
import { sessionName, userChannel } from "../reserved.ts";
import type { Session } from "../session.ts";
import { signDraft } from "../session/says.ts";
import type { Asked, Position, Signal } from "../types.ts";
import { Questions } from "./questions.ts";
import type { Underway } from "./underway.ts";

/** What a {@linkcode Messaging} is made of. */
export interface MessagingOptions {
  /** Number of the edge. */
  readonly number: number;
  readonly link: Link<HubMethods>;
  readonly underway: Underway;
  /** Bytes that one message may have. */
  readonly maxMessage: number;
}

/** What the sessions of one edge say to others. */
export class Messaging {
  readonly #options: MessagingOptions;
  readonly #questions: Questions;

  constructor(options: MessagingOptions) {
    this.#options = options;
    this.#questions = new Questions(options.number);
  }

  /** Questions that wait for an answer. */
  get questions(): number {
    return this.#questions.size;
  }

  /** As {@linkcode DoorSession.send}. */
  async send(session: Session, target: SignalTarget, content: Content): Promise<Sent> {
    this.#check(session, target, content);
    if ("users" in target) return await this.#publish(session, target.users, content);
    return { reached: await this.#signal(target, sign(session, content)) };
  }

  /** As {@linkcode DoorSession.ask}. */
  async ask(session: Session, target: SignalTarget, content: Content, seconds: number): Promise<Asked> {
    this.#check(session, target, content);
    const { reply, answer } = this.#questions.open(session, seconds);
    const putting = this.#signal(target, { ...sign(session, content), reply });
    putting.then(
      (reached) => reached === 0 && this.#questions.refuse(reply, new GongError("not_found", "Nobody is there.")),
      (error) => this.#questions.refuse(reply, GongError.from(error)),
    );
    // An answer may be here before all isolates have said whom they have asked.
    const signal = await answer;
    return { reached: Math.max(1, await putting), answer: signal };
  }

  /** As {@linkcode DoorSession.answer}. */
  async answer(session: Session, reply: string, content: Content): Promise<void> {
    const order = { reply, signal: sign(session, content) };
    const { link, underway } = this.#options;
    const wasAwaited = await underway.during(sizeOf(content), () => link.request("answer", order));
    if (!wasAwaited) throw new GongError("not_found", "Nobody waits for this answer any more.");
  }

  /** An answer to one of this edge's questions has come; false when nobody waits for it. */
  answered(reply: string, answer: Signal): boolean {
    return this.#questions.answer(reply, answer);
  }

  /** The session is gone, and so is what it asked. */
  leave(session: Session): void {
    this.#questions.drop(session);
  }

  close(): void {
    this.#questions.close();
  }

  #check(session: Session, target: SignalTarget, { data }: Content): void {
    const names = "users" in target ? target.users.map(userChannel) : target.sessions.map(sessionName);
    const denied = names.find((name) => !session.may("publish", name));
    if (denied !== undefined) throw new GongError("forbidden", `Publishing to ${denied} is not allowed.`);
    checkCopies(data.length * names.length, this.#options.maxMessage);
  }

  /** To all of them or to none, so that whoever is refused may simply try again. */
  async #publish(session: Session, users: readonly string[], content: Content): Promise<Sent> {
    const { link, underway } = this.#options;
    const drafts = users.map((user) => signDraft(session, { ...content, channel: userChannel(user) }));
    const bytes = drafts.reduce((sum, draft) => sum + sizeOf(draft), 0);
    const atomic = drafts.length > 1;
    const results = await underway.during(bytes, () => link.request("publish", { drafts, atomic }));
    const positions: (Position & { readonly channel: string })[] = [];
    for (const [index, result] of results.entries()) {
      if ("error" in result) throw GongError.fromRefusal(result.error);
      positions.push({ channel: drafts[index]!.channel, ...result });
    }
    return { reached: await link.request("reach", users), positions };
  }

  #signal(target: SignalTarget, signal: Signal): Promise<number> {
    const { link, underway } = this.#options;
    return underway.during(sizeOf(signal), () => {
      return "users" in target
        ? link.request("signalUsers", { users: target.users, signal })
        : link.request("signal", { sessions: target.sessions, signal });
    });
  }
}

/** Says who it is from, whatever the message says. */
function sign({ id, user }: Session, { data, contentType }: Content): Signal {
  return { data, contentType, from: id, ...(user === undefined ? {} : { user }) };
}
