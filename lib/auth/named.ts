/**
 * What a name entitles to, where nobody is there to show a key.
 *
 * @module
 */
import type { Config } from "../config.ts";
import { createKeys } from "./keys.ts";
import { createRights, type RightsSettings } from "./rights.ts";

/**
 * Whether any of the keys that have the name now may publish to a channel.
 *
 * @example
 * const may = createNamedRights(config);
 * may("shop", "news"); // true
 */
export function createNamedRights(
  config: RightsSettings & Pick<Config, "apiKey">,
): (name: string, channel: string) => boolean {
  const rights = createRights(config);
  const keys = createKeys(config.apiKey);
  return (name, channel) => {
    // What a key has left behind ends with it, also where everybody may publish. With --dev there need not be one.
    if (config.dev) return rights.may(undefined, "publish", channel);
    return keys.some(({ grant }) => grant.name === name && rights.may(grant, "publish", channel));
  };
}
