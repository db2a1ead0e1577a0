/** Guards of admission: which records are let in, in which order, and how what is not let in is counted. */
import type { NamedMutant } from "../named.js"

const internal = (file: string): string => `src/internal/${file}.ts`
const recorder = (file: string, name: string) => ({ file: `test/recorder/${file}.test.ts`, name })
const inside = (file: string, name: string) => ({ file: `test/${file}.test.ts`, name })

export const admissionMutants: ReadonlyArray<NamedMutant> = [
  {
    name: "accept after the close",
    file: internal("actor/intake"),
    find: "  intake.open = false\n",
    replace: "",
    test: inside("actor/intake", "of a closed intake are refused, whatever the bound")
  },
  {
    name: "let one in before those who wait",
    file: internal("actor/intake"),
    find: 'if (bound.overflow === "suspend" && intake.waiters.size > 0) return refuse(intake, 1)',
    replace: "",
    test: recorder("bounds", "unsafeSave is false over the bound, and while one waits")
  },
  {
    name: "leave the next one waiting when one goes away",
    file: internal("actor/intake"),
    find: "  refuse(intake, waiter.items.length)\n  admitWaiters(intake)\n",
    replace: "  refuse(intake, waiter.items.length)\n",
    test: inside("actor/intake", "let the next one in when one that needs more room than there is goes away")
  },
  {
    name: "forget the room of what is in flight",
    file: internal("actor/batches"),
    find: "  if (batch === undefined) return undefined\n  intake.inFlight += batch.items.length\n",
    replace: "  if (batch === undefined) return undefined\n",
    test: recorder("bounds", "by count counts all pending records, in flight too")
  },
  {
    name: "drop uncounted",
    file: internal("actor/intake"),
    find: "  intake.droppedQueued++\n",
    replace: "",
    test: recorder("drops", "only records never handed to save are dropped; their receipts fail")
  },
  {
    name: "refuse uncounted",
    file: internal("actor/intake"),
    find: "  intake.refused += count\n",
    replace: "",
    test: recorder("bounds", "is returned to the caller: false, counted, outside the account")
  }
]
