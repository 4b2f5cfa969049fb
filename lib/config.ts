/**
 * Flags, environment and file become one frozen, validated {@linkcode Config}.
 *
 * @module
 */

export { type ApiKey, parseApiKey, parseListenAddress, urlHost } from "./config/forms.ts";
export { type ChannelRule, type ChannelSettings, parseRule, type Presence, type Who } from "./config/rule.ts";
export { defaultConfig, loadConfig, resolveConfig, type Resolved } from "./config/load.ts";
export { compareConfigs, type ConfigChange } from "./config/changes.ts";
export { type Option, OPTIONS } from "./config/options.ts";
export { type Config, ConfigError, type Env, type Scope } from "./config/schema.ts";
export { maskConfig, optionsHelp, optionsTable } from "./config/show.ts";
export { type KeyAlgorithm, publicKeyOf, readPrivateKey, readPublicKey } from "./config/token_key.ts";
export { showValue } from "./config/values.ts";
