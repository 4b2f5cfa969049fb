declare module "npm:deno-std@1.4.0/cli/parse_args.js" {
  export function parseArgs(args: readonly string[], options?: { string?: string[] }): { _: string[]; [k: string]: unknown };
}
