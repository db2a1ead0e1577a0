/** Guards of the laws of calls that are interrupted. */
import type { NamedMutant } from "../named.js"

export const lawsOfCallsGuards: ReadonlyArray<NamedMutant> = [
  {
    name: "wait 20 ms for what goes on, however slow the storage is",
    file: "src/testing/internal/calls.ts",
    find: "Math.max(20, (monotonicMillis(clock) - begun) * 2)",
    replace: "begun < 0 ? begun : 20",
    test: { file: "test/testing/calls.test.ts", name: "is twice as long as a whole call" }
  }
]
