/** Guards of the backend of permanent stores in memory. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("datastore memory")

const ofMemory = (name: string): readonly [test: string, title: string] => ["catalog/memoryBackend", name]
/** The right backend of the wrong ones is the one in memory. */
const ofLaws: readonly [test: string, title: string] = [
  "testing/DatastoreLaws.wrong",
  "keeps every law, and none is left out"
]

export const datastoreMutants: ReadonlyArray<NamedMutant> = [
  guard(
    "keep one store before the next one is decided",
    "internal/catalog/memoryBackend",
    [
      "      plans.push(plan)\n    }",
      "      commit(plan.kept.book, plan.after)\n      plans.push(plan)\n    }"
    ],
    ofLaws
  ),
  guard(
    "keep a value that is no JSON",
    "internal/catalog/memoryBackend",
    [
      'if (typeof own === "string") return poison(place, own)\n      changes.push(own)',
      'changes.push(typeof own === "string" ? change : own)'
    ],
    ofMemory("names the save whose value is no JSON, and stores nothing of its batch")
  ),
  guard(
    "append what the log refuses",
    "internal/catalog/memoryBackend",
    ["if (refused !== undefined) return poison", "if (false) return poison"],
    ofLaws
  ),
  guard(
    "save with the token of an ownership that has ended",
    "internal/catalog/memoryBackend",
    ["[...owners.values()].includes(token)", "true"],
    ofMemory("gives the ownership again when its scope has ended, and saves nothing with the old token")
  ),
  guard(
    "give a name to a second owner",
    "internal/catalog/memoryBackend",
    ["if (memory.owners.has(name)) {", "if (false) {"],
    ofLaws
  ),
  guard(
    "end a lease at its last millisecond",
    "internal/catalog/memoryBackend",
    ["end < now()", "end <= now()"],
    ofMemory("measures leases by time that only grows, and keeps its wall clock's start")
  ),
  guard(
    "forget a session that has values",
    "internal/catalog/memoryBackend",
    ["if (holding(session).length === 0) leases", "leases"],
    ofLaws
  ),
  guard(
    "leave the replies below a floor",
    "internal/catalog/memoryStore",
    ["known !== undefined && window.floor > from", "known === undefined && window.floor > from"],
    ofLaws
  ),
  guard(
    "leave a key with its former session",
    "internal/catalog/memoryStore",
    ["    keys?.delete(key)\n", ""],
    ofLaws
  ),
  guard(
    "keep the data of callers",
    "internal/catalog/memoryStore",
    ["    data: own.value,", "    data,"],
    ofLaws
  ),
  guard(
    "forget by a tidying what is younger than a day",
    "internal/catalog/memoryStore",
    ["if (now - at > rememberedFor)", "if (now > at)"],
    ofLaws
  ),
  guard(
    "forget replies by a tidying, and act again",
    "internal/catalog/memoryStore",
    ["windows.set(client, { top: windows.get(client)?.top ?? floor, floor })", "void client"],
    ofLaws
  ),
  guard(
    "keep the windows of all clients for ever",
    "internal/catalog/memoryStore",
    ["let excess = windows.size -", "let excess = 0 * windows.size -"],
    ofLaws
  ),
  guard(
    "look for no revision of a save that is tried again",
    "internal/catalog/memoryStore",
    ["book.named.get(name)", "undefined"],
    ofLaws
  )
]
