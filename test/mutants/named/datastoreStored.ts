/** Guards of permanent stores: what other processes write, what belongs to sessions, and what is too large. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("datastore")

const inside = (file: string): string => `internal/datastore/${file}`

const schemas: ReadonlyArray<NamedMutant> = [
  guard(
    "take a row that the schema does not have",
    inside("stored"),
    ["problem = problemOf?.(row.data)", "void problemOf"],
    ["datastore/schemas", "ends the store for all that read it, and names its key"]
  ),
  guard(
    "end a store by a row that it has gone past",
    inside("sharedStore"),
    ['if (value.seq > mirror.holding.seq()) end(store, "Failed", cause)', 'end(store, "Failed", cause)'],
    ["datastore/schemas", "fails alone when what it is to read on is not as the schema has it"]
  ),
  guard(
    "die of a value that cannot be read",
    "internal/log/readView",
    [
      "viewed(() => rows.map((row) => revisionOf(row, f)))",
      "Effect.sync(() => rows.map((row) => revisionOf(row, f)))"
    ],
    ["datastore/schemas", "fails alone when what it is to read on is not as the schema has it"]
  ),
  guard(
    "show as the latest what a store had before it ended",
    inside("reading"),
    ["resume(store.ended ?? Effect.succeed(store))", "resume(Effect.succeed(store))"],
    ["datastore/schemas", "fails those that wait for the latest"]
  )
]

const gone = "takes them with it though the store has left memory, and the store comes back"

const leaving: ReadonlyArray<NamedMutant> = [
  guard(
    "leave what a session has in stores that have left memory",
    inside("runtime"),
    ["if (store.lifetime === undefined || left === undefined) return", "if (left === undefined) return"],
    ["datastore/leaving", gone]
  ),
  guard(
    "leave what a session has in a store that was not read back",
    inside("sharedStore"),
    [
      "if (session !== undefined && store.shared.isSession(session, as)) store.shared",
      "if (session !== undefined && parts.read === undefined) store.shared"
    ],
    ["datastore/leaving", "takes also those that were not read back when it ended"]
  ),
  guard(
    "remove without the ownership what is left in a store that is owned",
    inside("leaving"),
    ["isOwned && open === undefined ? yield* owning.take(backend) : saving", "saving"],
    ["datastore/leaving", gone]
  ),
  guard(
    "keep the lease of a session that has ended",
    inside("leaving"),
    ["Effect.andThen(removed), Effect.andThen(leasing.release(session))", "Effect.andThen(removed)"],
    ["datastore/leaving", "has them removed by the next look when they cannot be removed at once"]
  ),
  guard(
    "load a store while what is left in it is removed",
    inside("leaving"),
    ["return inOrder(id, Effect.ignoreLogged(remove))", "return Effect.ignoreLogged(remove)"],
    ["datastore/leaving", "takes them with it while the store comes back"]
  )
]

const quotas: ReadonlyArray<NamedMutant> = [
  guard(
    "let a store that comes back count for no one",
    "internal/catalog/places",
    ["countedFor: countedFor(opening)", "countedFor: undefined"],
    ["datastore/idle", "counts for its first opener also when it has come back"]
  ),
  guard(
    "let a principal end a store that may not",
    "internal/catalog/permits",
    [".actions.has(action)", ".actions.size > 0"],
    ["mergePool/rights", "touches, subscribes and ends only with the right to it"]
  ),
  guard(
    "subscribe any number of clients by name",
    "internal/catalog/permits",
    ["members.has(client) ? undefined", "members.size >= 0 ? undefined"],
    ["datastore/quotas", "counts clients that are subscribed by name, by themselves"]
  )
]

const large: ReadonlyArray<NamedMutant> = [
  guard(
    "offer a backend what is too large",
    inside("writing"),
    ["sizeProblem(owned.bytes, owned.steps.length, maxRevisionBytes)", "sizeProblem(0, 0, maxRevisionBytes)"],
    ["datastore/large", "changes nothing, and others go on"]
  ),
  guard(
    "count of a patch its own bytes alone",
    inside("recordQuota"),
    ['steps.some(({ _tag }) => _tag === "Patch")', "steps.length === 0"],
    ["datastore/large", "are refused before they are answered (ack memory)"]
  ),
  guard(
    "remove more of a session at once than a log takes",
    inside("accept"),
    ["maxRemoved = 50_000", "maxRemoved = 100_000"],
    ["datastore/large", "takes all of them out of a store (temp)"]
  )
]

const metrics: ReadonlyArray<NamedMutant> = [
  guard(
    "show nothing of what is not stored yet",
    inside("metering"),
    ["series.update(Metrics.datastoreUnsaved, now.unsaved)", "series.update(Metrics.datastoreUnsaved, 0)"],
    ["datastore/permanent", "show what an owner has answered and not stored yet"]
  ),
  guard(
    "show no store behind",
    inside("metering"),
    ["series.update(Metrics.datastoreLag, lagOf(runtime))", "series.update(Metrics.datastoreLag, 0)"],
    ["datastore/permanent", "show how far a process is behind what it was answered"]
  )
]

export const datastoreStoredGuards: ReadonlyArray<NamedMutant> = [
  ...schemas,
  ...leaving,
  ...quotas,
  ...large,
  ...metrics
]
