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
    // With --dev everybody may, and there need not be a key.
    if (rights.may(undefined, "publish", channel)) return true;
    return keys.some(({ grant }) => grant.name === name && rights.may(grant, "publish", channel));
  };
}
