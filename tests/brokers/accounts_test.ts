import { assert, assertEquals, assertThrows } from "@std/assert";
import { Accounts } from "../../lib/brokers/ledger/accounts.ts";
import type { KeptChannel, Store } from "../../lib/brokers/ledger/store.ts";
import { Budget } from "../../lib/budget.ts";

Deno.test("Accounts.load() that fails loses nothing of what the next one takes over", () => {
  const kept: KeptChannel = { name: "kept", epoch: "e", offset: 2, first: 1, bytes: 600, idBytes: 0 };
  let fails = false;
  const store: Pick<Store, "load"> = {
    *load() {
      yield kept;
      if (fails) throw new Error("disk I/O error");
    },
  };
  const budget = new Budget(10_000);
  const limitsOf = () => ({ count: 10, bytes: 10_000, age: 60 });
  const accounts = new Accounts(store as Store, { limitsOf, maxChannels: 10, budget, newEpoch: () => "new" });
  accounts.load();
  accounts.host(accounts.find("kept")!);
  accounts.host(accounts.open("listened", new Set())!);
  fails = true;
  assertThrows(() => accounts.load(), Error, "disk I/O error");
  assertEquals(budget.used, 600);
  fails = false;
  accounts.load();
  assert(accounts.find("kept")?.hosted);
  assert(accounts.find("listened")?.hosted);
  assertEquals([accounts.stats(), budget.used], [{ channels: 2, publications: 2, bytes: 600 }, 600]);
});
