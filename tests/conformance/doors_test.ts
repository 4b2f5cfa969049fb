import { createDoorSuite } from "./door.ts";
import { testDoors } from "./doors.ts";

testDoors(createDoorSuite());
