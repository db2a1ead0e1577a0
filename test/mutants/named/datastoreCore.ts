/** Guards of the pure core of stores: what operations do, what data is taken, and the view of a log. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("datastore core")

const model = ["datastore/apply", "does what its steps do in order on a map, all of them or none"] as const
const data = (title: string) => ["columns/jsonData", title] as const

export const datastoreCoreMutants: ReadonlyArray<NamedMutant> = [
  guard(
    "end a record at its instant",
    "internal/datastore/apply",
    ["ends !== undefined && now > ends", "ends !== undefined && now >= ends"],
    model
  ),
  guard(
    "give the seq of the removal of what is over to the operation",
    "internal/datastore/apply",
    ["draftOf(state, seq + 2, operation)", "draftOf(state, seq + 1, operation)"],
    model
  ),
  guard(
    "use a number for the delete of nothing",
    "internal/datastore/apply",
    ["changed.length > 0 ? draft.revision", "changed.length >= 0 ? draft.revision"],
    model
  ),
  guard(
    "show in a Conflict a record that may not be read",
    "internal/datastore/apply",
    ["before !== undefined && !judge.mayRead(before)", "before === null && !judge.mayRead(before)"],
    model
  ),
  guard(
    "judge a write by the record before alone",
    "internal/datastore/apply",
    ["!judge.mayWrite(before, after)", "!judge.mayWrite(before, before)"],
    model
  ),
  guard(
    "let a patch change the record of all readers",
    "internal/datastore/apply",
    ["return Object.freeze(Object.fromEntries(entries))", "return Object.fromEntries(entries)"],
    model
  ),
  guard(
    "expect a number that is none",
    "internal/datastore/check",
    ["Number.isSafeInteger(given) && given > 0", "given > 0"],
    ["datastore/apply", "expect whole numbers from 1 that are exact"]
  ),
  guard(
    "take a field __proto__ for the prototype",
    "internal/columns/jsonData",
    ['if (key === "__proto__")', 'if (key === "__proto")'],
    data("has a plain field __proto__, and the prototype of every object")
  ),
  guard(
    "leave a copy open to changes",
    "internal/columns/jsonData",
    ["return Object.freeze(items)", "return items"],
    data("is what JSON makes of it, frozen, and shares nothing with it")
  ),
  guard(
    "keep -0",
    "internal/columns/jsonData",
    ["return value + 0", "return value"],
    data("has no -0 and no property that is undefined, and takes objects of other realms and of none")
  ),
  guard(
    "read a getter twice",
    "internal/columns/jsonData",
    ["const value = copy(property, depth, copying)", "const value = copy(given[key], depth, copying)"],
    data("reads a getter once, and throws what it throws")
  ),
  guard(
    "let a step throw",
    "internal/datastore/check",
    ["const checked = tryStep(", "const checked = checkStep("],
    ["datastore/check", "refuses a step whose getters throw, and does not throw itself"]
  ),
  guard(
    "forget the row of a refusal",
    "internal/datastore/reply",
    ["if (row !== undefined) json.row = rowJson(row)", ""],
    ["datastore/apply", "is the same after it was kept as JSON"]
  ),
  guard(
    "show the values before as the log has them",
    "internal/log/readView",
    ["f(events[index]!.key, value)", "value as never"],
    ["log/readView", "reads the mapped events, values before, snapshots and heads of its log"]
  ),
  guard(
    "compact a log through its view",
    "internal/log/readView",
    ["compact: () => Effect.fail(readOnly)", "compact: log.compact"],
    ["log/readView", "refuses every call that changes the log, and changes nothing"]
  )
]
