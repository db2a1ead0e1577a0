/** Wrong in the index of their keys, and in what entries expect. */
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { validateEntry } from "../../../src/internal/log/entry.js"
import { commitNow, type Disk, type Parts, parts, refusal, right } from "../rightLog.js"
import { valueProblem } from "../rightParts.js"
import { type Log, type WrongLog, yielding } from "./wrong.js"

type Index = ChangeLog.KeyIndex<unknown>

/** Differs in some parts of a log with an index. */
const indexing = (name: string, over: Partial<Parts>, breaks: ReadonlyArray<string>): WrongLog => ({
  name,
  breaks,
  open: (disk, state) => right(disk, state, over, "indexed")
})

/** Differs in some readings of the index. */
const reading = (
  name: string,
  calls: (index: Index, disk: Disk) => Partial<Index>,
  breaks: ReadonlyArray<string>
): WrongLog => ({
  name,
  breaks,
  open: (disk, state) => {
    const log = right(disk, state, {}, "indexed")
    const index = log.index as Index
    return { ...log, index: { ...index, ...calls(index, disk) } }
  }
})

/** Differs in how it commits. */
const committing = (
  name: string,
  commit: (disk: Disk, log: Log) => Log["commit"],
  breaks: ReadonlyArray<string>
): WrongLog => ({
  name,
  breaks,
  open: (disk, state) => {
    const log = right(disk, state, {}, "indexed")
    return { ...log, commit: commit(disk, log) }
  }
})

const indexedProblem: Parts["problem"] = (entry) =>
  validateEntry(entry, { keys: "indexed", state: "none" }) ?? valueProblem(entry)

const countOf = ({ events }: Disk, key: string, isCounted: (event: ChangeLog.Event<unknown>) => boolean) =>
  events.filter(({ event }) => event.key === key && isCounted(event)).length

const isForgotten = (event: ChangeLog.Change<unknown>): boolean =>
  event._tag === "Put" && (event.value as { readonly kind?: unknown })?.kind === "$forgotten"

const histories: ReadonlyArray<WrongLog> = [
  indexing("counts no removals", { count: (disk, key) => countOf(disk, key, ({ _tag }) => _tag === "Put") }, [
    "history-of-a-key",
    "history-by-pages",
    "history-of-kinds",
    "generations-survive-compaction",
    "history-up-to",
    "renewal-keeps-events",
    "expects-a-generation"
  ]),
  indexing(
    "counts what it holds",
    { count: (disk, key) => countOf(disk, key, ({ revision }) => revision.seq > disk.floor.seq) },
    ["generations-survive-compaction", "renewal-keeps-events", "expects-a-generation"]
  ),
  indexing("marks no key whose events are removed", { gone: () => undefined }, ["never-a-suffix"]),
  indexing(
    "takes any event of the number for the place",
    {
      place: (disk, key, after, of) => {
        const problem = parts.place(disk, key, after, of)
        const { generation = 0 } = after ?? {}
        return problem?._tag === "EpochChanged" && generation > 0 && generation <= of.count(disk, key)
          ? undefined
          : problem
      }
    },
    ["place-of-another-history", "renewal-keeps-events"]
  ),
  indexing(
    "leaves forgotten keys out of kinds",
    {
      isOf: (event, kinds) => parts.isOf(event, kinds) && (kinds === undefined || !isForgotten(event))
    },
    ["history-of-kinds", "scan-is-a-filter", "expects-nothing-after"]
  ),
  indexing("takes everything for any kind", { isOf: () => true }, [
    "history-by-pages",
    "history-of-kinds",
    "scan-is-a-filter",
    "scan-within-bounds",
    "expects-nothing-after"
  ]),
  indexing(
    "gives up its events when it is renewed",
    {
      move: (disk) => {
        parts.renew(disk)
        disk.events = []
      }
    },
    ["renewal-keeps-events"]
  ),
  reading(
    "names no more events",
    ({ history }) => ({
      history: (key, options) => Effect.map(history(key, options), (page) => ({ ...page, more: false }))
    }),
    ["history-by-pages"]
  ),
  reading(
    "reads up to the head, whatever is asked for",
    ({ history }) => ({ history: (key, { upTo: _, ...options }) => history(key, options) }),
    ["history-by-pages", "history-up-to"]
  ),
  reading("removes what is held", () => ({ hold: () => Effect.void }), ["hold-keeps", "wrong-readings"]),
  reading(
    "takes any limit, and any name",
    ({ history, hold, scan }) => ({
      history: (key, options) =>
        history(key, { ...options, limit: options.limit > 0 ? Math.ceil(options.limit) : 1 }),
      hold: (name, after) => hold(name.trim() || "none", after),
      scan: (options) => scan({ ...options, limit: options.limit > 0 ? Math.ceil(options.limit) : 1 })
    }),
    ["wrong-readings"]
  )
]

const scans: ReadonlyArray<WrongLog> = [
  reading(
    "names the head as reached by each scan",
    ({ scan }) => ({
      scan: (options) => Effect.map(scan(options), (scan) => ({ ...scan, reached: scan.head }))
    }),
    ["scan-is-a-filter"]
  ),
  reading(
    "scans up to the head, whatever is asked for",
    ({ scan }) => ({ scan: ({ upTo: _, ...options }) => scan(options) }),
    ["scan-within-bounds"]
  ),
  reading("scans by the keys only", ({ scan }) => ({ scan: ({ kinds: _, ...options }) => scan(options) }), [
    "scan-is-a-filter",
    "scan-within-bounds",
    "wrong-readings"
  ])
]

/** Judges what is left of the entries. */
const judging =
  (change: (entry: ChangeLog.Entry<unknown>) => ChangeLog.Entry<unknown>): Parts["conflict"] =>
  (disk, entries, of) =>
    parts.conflict(disk, entries.map(change), of)

/** Judges entries whose conditions are valid. */
const lenient: Parts["conflict"] = (disk, entries, of) =>
  entries.some((entry) => validateEntry(entry, { keys: "indexed", state: "none" }) !== undefined)
    ? undefined
    : parts.conflict(disk, entries, of)

const conditions: ReadonlyArray<WrongLog> = [
  indexing("expects nothing", { conflict: () => undefined }, [
    "expects-a-generation",
    "expects-nothing-after",
    "conflict-appends-nothing",
    "judged-in-order",
    "conflict-beyond-judgement",
    "one-winner"
  ]),
  indexing("looks for conditions before ids", { conflict: judging(({ id: _, ...entry }) => entry) }, [
    "id-before-condition"
  ]),
  indexing(
    "judges each entry by the log alone",
    {
      conflict: (disk, entries, of) => {
        for (const [index, entry] of entries.entries()) {
          const conflict = parts.conflict(disk, [entry], of)
          if (conflict !== undefined) return new ChangeLog.Conflict({ ...conflict, index })
        }
        return undefined
      }
    },
    ["judged-in-order", "id-before-condition"]
  ),
  indexing(
    "expects nothing of any kinds",
    {
      conflict: judging((entry) => ({
        ...entry,
        expect: entry.expect?.map((condition) =>
          "nothing" in condition ? { nothing: condition.nothing, after: condition.after } : condition
        )
      }))
    },
    ["expects-nothing-after", "judged-in-order"]
  ),
  indexing(
    "finds nothing after a revision that it does not have",
    {
      conflict: (disk, entries, of) => {
        const conflict = parts.conflict(disk, entries, of)
        return conflict?.reason === "Changed" ? conflict : undefined
      }
    },
    ["conflict-beyond-judgement"]
  ),
  indexing(
    "names the first entry in each conflict",
    {
      conflict: (disk, entries, of) => {
        const conflict = parts.conflict(disk, entries, of)
        return conflict && new ChangeLog.Conflict({ ...conflict, index: 0 })
      }
    },
    ["conflict-appends-nothing", "judged-in-order"]
  ),
  indexing(
    "names no revision in a conflict",
    {
      conflict: (disk, entries, of) => {
        const { revision: _, ...conflict } = parts.conflict(disk, entries, of) ?? {}
        return "reason" in conflict ? new ChangeLog.Conflict(conflict as ChangeLog.Conflict) : undefined
      }
    },
    ["expects-nothing-after"]
  ),
  committing(
    "appends what stands before a conflict",
    (disk, { commit }) =>
      (entries) =>
        Effect.tapError(commit(entries), (error) =>
          error._tag === "Conflict"
            ? Effect.sync(() =>
                commitNow(disk, entries.slice(0, error.index), { ...parts, conflict: () => undefined })
              )
            : Effect.void
        ),
    ["conflict-appends-nothing"]
  ),
  committing(
    "judges before it waits",
    (disk) => (entries) =>
      Effect.suspend(() => {
        const refused =
          refusal(entries, { ...parts, problem: indexedProblem }) ?? parts.conflict(disk, entries, parts)
        if (refused !== undefined) return Effect.fail(refused)
        return Effect.zipRight(
          Effect.repeatN(yielding, 3),
          Effect.suspend(() =>
            commitNow(disk, entries, { ...parts, problem: () => undefined, conflict: () => undefined })
          )
        )
      }),
    ["one-winner"]
  ),
  {
    name: "takes any condition",
    breaks: ["malformed-condition-is-refused"],
    open: (disk, state) =>
      right(
        disk,
        state,
        { problem: ({ expect: _, ...entry }) => indexedProblem(entry), conflict: lenient },
        "indexed"
      )
  }
]

export const wrongIndexes: ReadonlyArray<WrongLog> = [...histories, ...scans, ...conditions]
