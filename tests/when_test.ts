import { assertEquals, assertThrows } from "@std/assert";
import type { When } from "../lib/types.ts";
import { checkCron, checkZone, isPeriodic, nextTime } from "../lib/when.ts";

function times(when: When, from: string, count: number): string[] {
  const found: string[] = [];
  const created = Date.parse(from);
  for (let after = created; found.length < count;) {
    const next = nextTime(when, created, after);
    if (next === undefined) break;
    found.push(new Date(next).toISOString().slice(0, 16));
    after = next;
  }
  return found;
}

function cron(line: string, zone = "Europe/Berlin"): When {
  return { cron: line, zone };
}

Deno.test("nextTime() is a time once, and every so many seconds without drift", () => {
  assertEquals(nextTime({ at: 5000 }, 0, 4999), 5000);
  assertEquals(nextTime({ at: 5000 }, 0, 5000), undefined);
  assertEquals([0, 1, 59_999, 60_000, 150_123].map((after) => nextTime({ every: 60 }, 0, after)), [
    60_000,
    60_000,
    60_000,
    120_000,
    180_000,
  ]);
  assertEquals(nextTime({ every: 1.5 }, 100, 100), 1600);
  assertEquals([100, 1101, 2102].map((after) => nextTime({ every: 1.00149 }, 100, after)), [1101, 2102, 3103]);
  assertEquals([{ at: 1 }, { every: 1 }, cron("* * * * *")].map(isPeriodic), [false, true, true]);
});

Deno.test("nextTime() takes a time that the clock leaves out when it goes on", () => {
  // On 29 March 2026 Berlin's clocks go from 02:00 to 03:00, which is 01:00 of UTC.
  assertEquals(times(cron("30 2 * * *"), "2026-03-28T00:00:00Z", 3), [
    "2026-03-28T01:30",
    "2026-03-29T01:00",
    "2026-03-30T00:30",
  ]);
  assertEquals(times(cron("30 2 * * *", "America/New_York"), "2026-03-07T12:00:00Z", 2), [
    "2026-03-08T07:00",
    "2026-03-09T06:30",
  ]);
});

Deno.test("nextTime() takes a time that comes twice once", () => {
  // On 25 October 2026 Berlin's clocks go from 03:00 back to 02:00, which is 01:00 of UTC.
  assertEquals(times(cron("30 2 * * *"), "2026-10-24T12:00:00Z", 2), ["2026-10-25T00:30", "2026-10-26T01:30"]);
  assertEquals(times(cron("30 1 * * *", "America/New_York"), "2026-10-31T12:00:00Z", 2), [
    "2026-11-01T05:30",
    "2026-11-02T06:30",
  ]);
});

Deno.test("nextTime() leaves nothing out and takes nothing twice where a line has every hour", () => {
  for (
    const [from, zone] of [
      ["2026-03-28T22:00", "Europe/Berlin"],
      ["2026-10-24T22:00", "Europe/Berlin"],
      [
        "2026-11-01T03:00",
        "America/New_York",
      ],
      ["2026-03-08T03:00", "America/New_York"],
      ["2026-04-04T12:00", "Australia/Lord_Howe"],
    ]
  ) {
    const start = Date.parse(`${from}:00Z`);
    const expected = Array.from(
      { length: 600 },
      (_, n) => new Date(start + (n + 1) * 60_000).toISOString().slice(0, 16),
    );
    assertEquals(times(cron("* * * * *", zone!), `${from}:00Z`, 600), expected, `${from} ${zone}`);
  }
});

Deno.test("nextTime() is ascending over a year of any line", () => {
  for (const line of ["*/7 1-4 * * *", "0,30 2 * * *", "15 2 29-31 * *", "59 59 2 * * SUN", "0 3 25 10 *"]) {
    for (const zone of ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"]) {
      let after = Date.parse("2026-01-01T00:00:00Z");
      const end = after + 366 * 86_400_000;
      for (let count = 0; after < end && count < 5000; count++) {
        const next = nextTime(cron(line, zone), 0, after)!;
        assertEquals(next > after, true, `${line} ${zone} after ${new Date(after).toISOString()}`);
        after = next;
      }
    }
  }
});

Deno.test("checkCron() refuses what is no line, or no time", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  for (const line of ["* * * * *", "*/5 * * * * *", "0 9 * * MON-FRI", "0 0 29 2 *"]) checkCron(line, now);
  const wrong = [
    "",
    "* * * *",
    "* * * * * * *",
    "60 * * * *",
    "@yearly",
    "* * * * *\n",
    "x",
    "0 0 30 2 *",
    `${"1,".repeat(70)}1 * * * *`,
  ];
  for (const line of wrong) assertThrows(() => checkCron(line, now), SyntaxError);
});

Deno.test("checkZone() knows the zones there are", () => {
  for (const zone of ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"]) checkZone(zone);
  for (const zone of ["", "Mars/Base", "Europe/Berlin\n", "x".repeat(100)]) {
    assertThrows(() => checkZone(zone), SyntaxError);
  }
});
