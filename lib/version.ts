import manifest from "../deno.json" with { type: "json" };

/** Version of Gong, as deno.json has it; it is part of the compiled binary too. */
export const VERSION: string = manifest.version;
