/** Guards against what untyped code passes: durations that are none, null as an entry, as a cursor or as options. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("untyped")

const durations = "is refused before anything is done, if it is none"
const nothing = "fails with a typed error that names it"
const logs = "refuses what is no entry, no options and no cursor"

export const untypedGuards: ReadonlyArray<NamedMutant> = [
  guard(
    "take a pair of numbers below 0 for a duration",
    "internal/options",
    ["if (Array.isArray(given) && given.some((part) => !(part >= 0))) return wrong\n", ""],
    ["project/options", durations]
  ),
  guard(
    "close within what is no duration",
    "internal/options",
    ["? Effect.die(value) : Effect.succeed(value)", "? Effect.succeed(0) : Effect.succeed(value)"],
    ["project/options", durations]
  ),
  guard(
    "call null after commits",
    "internal/log/changeLog",
    ['checkOrDie("ring", aRing, ring)', "Effect.asVoid(Effect.succeed([checkOrDie, aRing, ring]))"],
    ["project/options", nothing]
  ),
  guard(
    "end a watch for no reason",
    "internal/watch/ending",
    ['checkOrDie("reason", ownerReason, reason), checkOrDie', "Effect.void, checkOrDie"],
    ["project/options", nothing]
  ),
  guard(
    "limit an answer by what is no duration",
    "internal/actor/ask",
    ["return resume(Effect.die(limit))", "return resume(Effect.void as never)"],
    ["project/options", durations]
  ),
  guard(
    "take null for an entry",
    "internal/log/entry",
    ["} = (entry ?? {}) as", "} = entry as"],
    ["log/untyped", logs]
  ),
  guard(
    "take null for a list of entries",
    "internal/log/entry",
    ["  Array.isArray(entries) ? undefined :", "  entries !== 5 ? undefined :"],
    ["log/untyped", logs]
  ),
  guard(
    "take null for a cursor",
    "internal/log/events",
    [
      'if (!isCursor(after)) return wrongCursor("after")',
      'if (after === undefined) return wrongCursor("after")'
    ],
    ["log/untyped", logs]
  ),
  guard(
    "take null for the end of a reading",
    "internal/log/events",
    ["upTo === undefined || isCursor(upTo) ?", "upTo == null || isCursor(upTo) ?"],
    ["log/untyped", logs]
  ),
  guard(
    "hold what comes after null",
    "internal/log/checkReading",
    ["(isCursor(after) ? undefined :", "(true ? undefined :"],
    ["log/untyped", logs]
  ),
  guard(
    "do writes that are no array",
    "internal/table/writing",
    ["if (!Array.isArray(writes)) return", "if (writes === undefined) return"],
    ["table/memory", "refuses writes that are no array"]
  ),
  guard(
    "destructure options of null",
    "Recorder",
    ["...rest } = options ?? {}", "...rest } = options"],
    ["project/options", "are a record"]
  ),
  {
    name: "selector: leave the last key of all out of what comes after a key",
    file: "src/internal/log/selector.ts",
    find: ": anyOf(range(first, lastKey), key(lastKey))",
    replace: ": range(first, lastKey)",
    test: {
      file: "test/log/from.test.ts",
      name: "selects the key and all after it, in snapshots and for watchers, the last key too"
    }
  },
  {
    name: "selector: nest what is a part of anyOf",
    file: "src/internal/log/selector.ts",
    find: 'selector?._tag === "AnyOf" ? selector.parts : [selector]',
    replace: "[selector as never]",
    test: { file: "test/log/from.test.ts", name: "is a part of anyOf, and is refused for what is no key" }
  },
  {
    name: "SQLite: keep the WAL file as large as it ever was",
    file: "src/sql/internal/sqlite/open.ts",
    find: "pragma(`journal_size_limit",
    replace: "pragma(`user_version",
    test: {
      file: "test/sql/sqlite/open.test.ts",
      name: "gives back what the WAL file grew by while another program read"
    }
  },
  guard(
    "take nothing for a storage, a log, a table or a backend",
    "internal/arguments",
    ["Predicate.isObject(given) && members", "Object(given) === Object(given) || members"],
    ["project/options", nothing]
  ),
  guard(
    "take nothing for an Effect",
    "internal/arguments",
    ["  check(name, anEffect, given)", "  name === given ? Effect.void : Effect.void"],
    ["project/options", nothing]
  ),
  guard(
    "take nothing for a tag",
    "internal/arguments",
    ["Context.isTag(tag) ?", "tag !== (5 as never) ?"],
    ["project/options", nothing]
  ),
  guard(
    "read what is inside of no projection",
    "internal/projection/internals",
    ["projection?.[internals]", "projection![internals]"],
    ["project/options", nothing]
  ),
  guard(
    "save all of nothing",
    "internal/recorder/saver",
    ["        Predicate.isIterable(records)\n", "        Predicate.isIterable([])\n"],
    ["recorder/bounds", "saveAll refuses what cannot be iterated, and counts it"]
  )
]
