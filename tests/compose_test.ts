import { assertEquals, assertThrows } from "@std/assert";
import { compose, writtenValue } from "../static/compose.js";

Deno.test("writtenValue() gives a member as it was written: digits, spaces, order, whatever stands around it", () => {
  const values = [
    "12345678901234567890",
    "-1.50e+3",
    '"a \\" } , ] \\\\"',
    '"\\u2028{"',
    "{}",
    "[]",
    '{ "2": 1, "1": [ 2, {"data": 3} ], "2": 4 }',
    "null",
    "true",
    '""',
  ];
  for (const value of values) {
    for (
      const before of ["", '"id":"data",', '"a":{"data":0},', '"b" : [1, {"data":"}"}] , ', '"c":"\\"data\\":5,",']
    ) {
      for (const after of ["", ',"next":1', ',"d":{"data":[]}', ' , "e":"}"']) {
        const text = `{${before}"data"\n:  ${value} ${after}}`;
        assertEquals(writtenValue(text, "data"), value, text);
      }
    }
  }
  assertEquals(writtenValue('{"id":"data","a":{"data":1}}', "data"), undefined);
  assertEquals(writtenValue(`{"data":"${"\\n".repeat(200_000)}"}`, "data")?.length, 400_002);
});

Deno.test("compose() leaves JSON as it was written, and takes nothing for JSON that is not", () => {
  assertEquals(compose(' {"n": 12345678901234567890} \n', "json"), {
    data: '{"n": 12345678901234567890}',
    contentType: "application/json",
  });
  assertEquals(compose(" {broken", "text"), { data: " {broken" });
  for (const text of ["", "{broken", "undefined", "1 2"]) assertThrows(() => compose(text, "json"), SyntaxError);
});
