/** The laws of the index of a log: what a key's history is, and what a scan finds. */
import { Effect } from "effect"
import {
  anyOf,
  type Change,
  forgotten,
  type KeyHistory,
  type KeyPosition,
  key,
  matches,
  prefix,
  put,
  type Revision,
  remove,
  type Selector
} from "../../../ChangeLog.js"
import { ensure, refuses } from "../calls.js"
import { briefly, type LogTrial, logLaw, sameRevision } from "./fixture.js"
import { one } from "./reading.js"
import type { LogLaw } from "./subject.js"

/** Puts an event of a kind. */
export const event = (key: string, kind: string, data = 0): Change<unknown> => put(key, { kind, data })

/** Revisions of three keys: several kinds, removals, no kind, forgotten, and two events of a key at once. */
const written: ReadonlyArray<ReadonlyArray<Change<unknown>>> = [
  [event("/a", "opened"), event("/b", "opened")],
  [event("/a", "paid", 1)],
  [event("/a", "paid", 2), event("/c/1", "noted"), event("/a", "noted")],
  [remove("/a")],
  [put("/b", "no kind"), remove("/never")],
  [event("/a", "opened", 3)],
  [forgotten("/b"), event("/b", "paid")],
  [event("/c/1", "paid"), event("/a", "paid", 4)]
]

const write = ({ commit, head }: LogTrial) =>
  Effect.flatMap(commit(...written.map((changes) => ({ changes }))), () =>
    Effect.map(head, ({ head }) => head)
  )

const kindOf = (change: Change<unknown>): unknown =>
  change._tag === "Put" ? (change.value as { readonly kind?: unknown }).kind : undefined

const isOf = (change: Change<unknown>, kinds: ReadonlyArray<string> | undefined): boolean =>
  kinds === undefined || [...kinds, "$forgotten"].some((kind) => kind === kindOf(change))

/** What a history has to be: the events of a key from the revision `from` to `upTo`, in words. */
const expected = (wanted: string, kinds?: ReadonlyArray<string>, from = 1, upTo = written.length): string => {
  let generation = 0
  const events: Array<string> = []
  for (const [n, changes] of written.entries()) {
    for (const change of changes) {
      if (change.key !== wanted) continue
      generation++
      if (n + 1 >= from && n < upTo && isOf(change, kinds)) {
        events.push(`${generation}@${n + 1} ${change._tag} ${String(kindOf(change))}`)
      }
    }
  }
  return events.join(", ")
}

const inWords = ({ events }: Pick<KeyHistory<unknown>, "events">): string =>
  events
    .map(
      ({ event, generation }) => `${generation}@${event.revision.seq} ${event._tag} ${String(kindOf(event))}`
    )
    .join(", ")

const ensureSame = (what: string, seen: string, wanted: string): Effect.Effect<void, string> =>
  ensure(seen === wanted, `${what} is ${seen || "nothing"} instead of ${wanted || "nothing"}`)

const lastOf = ({ events }: KeyHistory<unknown>): KeyPosition | undefined => {
  const last = events.at(-1)
  return last && { generation: last.generation, revision: last.event.revision }
}

const ensureLast = ({ last }: KeyHistory<unknown>, generation: number, seq: number) =>
  ensure(
    last?.generation === generation && last.revision.seq === seq,
    `the last event is number ${last?.generation} at ${last?.revision.seq}, and must be ${generation} at ${seq}`
  )

const refusesHistory = (
  trial: LogTrial,
  what: string,
  kind: string,
  options: Partial<Parameters<NonNullable<LogTrial["log"]["index"]>["history"]>[1]>
) =>
  Effect.flatMap(trial.index, ({ history }) =>
    refuses(trial, what, kind, () => history("/a", { limit: 10, ...options }))
  )

const histories: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C48",
      name: "history-of-a-key",
      group: "keys",
      needs: ["index"],
      statement: "The history of a key has each of its events in order, counted from 1, removals too.",
      advice: "Index each event of each revision, whatever it is, by its key"
    },
    (trial) =>
      Effect.gen(function* () {
        const head = yield* write(trial)
        for (const key of ["/a", "/b", "/c/1", "/never", "/other"]) {
          const history = yield* trial.history(key)
          yield* ensureSame(`the history of ${key}`, inWords(history), expected(key))
          yield* ensure(sameRevision(history.head, head), `a history names the head ${history.head.seq}`)
          yield* ensure(!history.more, "a history that is read whole names more events")
          const last = lastOf(history)
          yield* ensure(
            last === undefined
              ? history.last === undefined
              : history.last?.generation === last.generation &&
                  sameRevision(history.last.revision, last.revision),
            `the last event of ${key} is number ${history.last?.generation}`
          )
        }
      })
  ),
  logLaw(
    {
      id: "C49",
      name: "history-by-pages",
      group: "keys",
      needs: ["index"],
      statement: "The pages of a history up to one revision are the history as it was then.",
      advice: "Give each page no event after upTo, and set more while one is left"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* write(trial)
        for (const [limit, kinds] of [[1], [2], [3, ["paid"]], [1, ["opened", "paid"]]] as const) {
          const first = yield* trial.history("/a", { limit, kinds })
          const events = [...first.events]
          let page = first
          for (let n = 0; page.more && n < 20; n++) {
            yield* trial.append(event("/a", "paid"))
            page = yield* trial.history("/a", { limit, kinds, after: lastOf(page), upTo: first.head })
            yield* ensure(page.events.length <= limit, `a page of ${limit} has ${page.events.length} events`)
            events.push(...page.events)
          }
          const wanted = first.head.seq - written.length
          yield* ensureSame(
            `the history in pages of ${limit}`,
            inWords({ events: events.filter(({ event }) => event.revision.seq <= written.length) }),
            expected("/a", kinds)
          )
          const rest = events.filter(({ event }) => event.revision.seq > written.length)
          yield* ensure(rest.length === wanted, `the pages have ${rest.length} events of later ones`)
        }
      })
  ),
  logLaw(
    {
      id: "C50",
      name: "history-of-kinds",
      group: "keys",
      needs: ["index"],
      statement: "A history of kinds has the events of these kinds and the forgotten ones, and no others.",
      advice: "Take the text kind of a value for its kind, and $forgotten for one of any kinds"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* write(trial)
        for (const kinds of [["paid"], ["opened", "noted"], ["other"], []]) {
          for (const [key, generation, seq] of [
            ["/a", 7, 8],
            ["/b", 4, 7]
          ] as const) {
            const history = yield* trial.history(key, { kinds })
            yield* ensureSame(
              `the history of ${key} for ${kinds.join(" and ") || "no kind"}`,
              inWords(history),
              expected(key, kinds)
            )
            yield* ensureLast(history, generation, seq)
          }
        }
      })
  ),
  logLaw(
    {
      id: "C51",
      name: "generations-survive-compaction",
      group: "keys",
      needs: ["index"],
      statement: "After a compaction a key counts on, and its history goes on after the last removed event.",
      advice: "Keep the count of a key, and the place of its last removed event, outside of the revisions"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* write(trial)
        const { events } = yield* trial.history("/a")
        const places = events.map(({ event: { revision }, generation }) => ({ generation, revision }))
        yield* trial.compact(4)
        for (const after of places.slice(4)) {
          const history = yield* trial.history("/a", { after })
          const wanted = expected("/a", undefined, after.revision.seq + 1)
          yield* ensureSame(`what follows event ${after.generation}`, inWords(history), wanted)
          yield* ensureLast(history, 7, 8)
        }
        yield* trial.compact(8)
        const gone = yield* trial.history("/a", { after: places[6] })
        yield* ensureSame("a history of which everything is removed", inWords(gone), "")
        yield* ensureLast(gone, 7, 8)
        yield* trial.append(event("/a", "paid"))
        const next = yield* trial.history("/a", { after: places[6] })
        yield* ensureSame("what follows the removed events", inWords(next), "8@9 Put paid")
      })
  ),
  logLaw(
    {
      id: "C52",
      name: "never-a-suffix",
      group: "keys",
      needs: ["index"],
      statement: "A history of which an event is removed that is to be read fails with Compacted.",
      advice: "Compare where the reader begins with the last removed event of the key"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* write(trial)
        const { events } = yield* trial.history("/a")
        yield* trial.compact(3)
        const error = yield* refusesHistory(trial, "reading from the first event", "Compacted", {})
        yield* ensure(error.floor === 3, `Compacted names the floor ${String(error.floor)}, not 3`)
        yield* refusesHistory(trial, "reading only kinds from the first event", "Compacted", {
          kinds: ["other"]
        })
        for (const { event, generation } of events.slice(0, 3)) {
          const after = { generation, revision: event.revision }
          yield* refusesHistory(trial, `reading after event ${generation}`, "Compacted", { after })
        }
        // Its events are all above the floor, or it never had one.
        yield* trial.append(event("/new", "opened"))
        yield* ensureSame("a new key", inWords(yield* trial.history("/new")), "1@9 Put opened")
        yield* ensureSame("a key of no event", inWords(yield* trial.history("/other")), "")
      })
  ),
  logLaw(
    {
      id: "C53",
      name: "place-of-another-history",
      group: "keys",
      needs: ["index"],
      statement: "A history after an event that the key does not have there fails with EpochChanged.",
      advice: "Compare epoch, number and tag of the place with the key's event of that generation"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* write(trial)
        const { events } = yield* trial.history("/a")
        yield* trial.compact(2)
        const refusesAfter = (what: string, after: KeyPosition) =>
          refusesHistory(trial, `reading after ${what}`, "EpochChanged", { after })
        for (const { event, generation } of events.slice(1)) {
          const { revision } = event
          yield* refusesAfter("another tag", { generation, revision: { ...revision, tag: revision.tag ^ 1 } })
          yield* refusesAfter("another epoch", { generation, revision: { ...revision, epoch: "other" } })
          yield* refusesAfter("another number", {
            generation,
            revision: { ...revision, seq: revision.seq + 9 }
          })
        }
        const revision = events.at(-1)?.event.revision as Revision
        for (const generation of [8, 1000, 0.5, -1]) {
          yield* refusesAfter(`event ${generation} of 7`, { generation, revision })
        }
      })
  ),
  logLaw(
    {
      id: "C54",
      name: "history-up-to",
      group: "keys",
      needs: ["index"],
      statement:
        "A history up to a revision is that of a log whose head it is, if the log can read after it.",
      advice: "Validate upTo as a cursor, and bound events, last and head by it"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* write(trial)
        const revisions = (yield* trial.all).map(({ revision }) => revision)
        for (const upTo of revisions) {
          const history = yield* trial.history("/a", { upTo })
          yield* ensureSame(
            `the history up to ${upTo.seq}`,
            inWords(history),
            expected("/a", undefined, 1, upTo.seq)
          )
          yield* ensure(sameRevision(history.head, upTo), `up to ${upTo.seq} it names ${history.head.seq}`)
          yield* ensureLast(history, history.events.length, lastOf(history)?.revision.seq ?? 0)
        }
        const upTo = revisions[7] as Revision
        yield* refusesHistory(trial, "reading up to another tag", "EpochChanged", {
          upTo: { ...upTo, tag: upTo.tag ^ 1 }
        })
        yield* refusesHistory(trial, "reading beyond the head", "EpochChanged", { upTo: { ...upTo, seq: 9 } })
        yield* trial.compact(2)
        yield* refusesHistory(trial, "reading up to a removed revision", "Compacted", {
          upTo: revisions[0],
          after: { generation: 2, revision: revisions[1] as Revision }
        })
      })
  ),
  logLaw(
    {
      id: "C55",
      name: "renewal-keeps-events",
      group: "keys",
      needs: ["index"],
      statement: "A renewed log has its events, numbers, floor, ids and generations under another epoch.",
      advice: "Change the epoch of what is kept, and nothing else"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.commit(...written.map((changes, n) => ({ changes, id: `${n}` })))
        yield* trial.compact(1)
        const places = yield* trial.all
        const { head: before } = yield* trial.head
        const epoch = yield* trial.renew
        const { floor, head } = yield* trial.head
        yield* ensure(
          epoch !== before.epoch && head.epoch === epoch && floor.epoch === epoch,
          "the epoch is not the one that renewing gave"
        )
        yield* ensure(
          head.seq === 8 && floor.seq === 1,
          `it goes from ${floor.seq} to ${head.seq}, not 1 to 8`
        )
        yield* ensureSame("what a renewed log holds", briefly(yield* trial.all), briefly(places))
        const after: KeyPosition = { generation: 1, revision: floor }
        const history = yield* trial.history("/a", { after })
        yield* ensureSame("a renewed history", inWords(history), expected("/a", undefined, 2))
        yield* ensure(
          history.events.every(({ event }) => event.revision.epoch === epoch),
          "an event is of the epoch before"
        )
        yield* refuses(trial, "reading after a cursor of before", "EpochChanged", () =>
          trial.log.read({ after: before, limit: 1 })
        )
        yield* refusesHistory(trial, "reading after a place of before", "EpochChanged", {
          after: { generation: 7, revision: before }
        })
        const { duplicates } = yield* trial.commit({ changes: [event("/a", "paid")], id: "7" })
        yield* ensure(duplicates === 1, "an id of before is not known")
        yield* trial.append(event("/a", "paid"))
        yield* ensureLast(yield* trial.history("/a", { after }), 8, 9)
      })
  )
]

const selections: ReadonlyArray<{
  readonly selector?: Selector
  readonly kinds?: ReadonlyArray<string>
}> = [
  {},
  { kinds: ["paid"] },
  { kinds: ["opened", "noted"] },
  { kinds: [] },
  { selector: key("/a") },
  { selector: anyOf(key("/b"), key("/never")) },
  { selector: prefix("/c/"), kinds: ["paid"] },
  { selector: key("/a"), kinds: ["noted"] },
  { selector: key("/nothing") }
]

const scans: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C56",
      name: "scan-is-a-filter",
      group: "keys",
      needs: ["index"],
      statement:
        "A scan, read on after what it reached, gives the events of a reading that it was asked for.",
      advice: "Name as reached a revision before which nothing is left that matches"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* write(trial)
        const all = yield* trial.all
        const { floor, head } = yield* trial.head
        for (const { kinds, selector = prefix("") } of selections) {
          const wanted = all.flatMap(({ events, revision }) => {
            const part = events.filter((event) => matches(selector, event.key) && isOf(event, kinds))
            return part.length === 0 ? [] : [{ events: part, revision, previous: undefined }]
          })
          for (const limit of [1, 2, 100]) {
            const found: typeof wanted = []
            let reached = floor
            for (let n = 0; reached.seq < head.seq && n < 20; n++) {
              const scan = yield* trial.scan(reached, { selector, kinds, limit })
              yield* ensure(
                scan.revisions.length <= limit,
                `a scan of ${limit} gives ${scan.revisions.length}`
              )
              yield* ensure(
                scan.revisions.length === limit || sameRevision(scan.reached, head),
                `a scan that finds less than its limit reaches ${scan.reached.seq} of ${head.seq}`
              )
              yield* ensure(sameRevision(scan.head, head), `a scan names the head ${scan.head.seq}`)
              found.push(
                ...scan.revisions.map((revision) => ({
                  ...revision,
                  events: [...revision.events],
                  previous: undefined
                }))
              )
              reached = scan.reached
            }
            yield* ensureSame(`what a scan finds by ${limit}`, briefly(found), briefly(wanted))
          }
        }
      })
  ),
  logLaw(
    {
      id: "C57",
      name: "scan-within-bounds",
      group: "keys",
      needs: ["index"],
      statement: "A scan begins after its cursor, ends with upTo, and fails as a reading does.",
      advice: "Validate after and upTo as cursors before anything is given"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* write(trial)
        const at = (yield* trial.all).map(({ revision }) => revision)
        const [after, upTo] = [at[1], at[4]] as [Revision, Revision]
        const { head, reached, revisions } = yield* trial.scan(after, { upTo, kinds: ["paid", "noted"] })
        yield* ensureSame("a scan from 2 to 5", briefly(revisions), "3(/a /c/1 /a)")
        yield* ensure(
          sameRevision(head, upTo) && sameRevision(reached, upTo),
          `a scan up to 5 reaches ${reached.seq} of ${head.seq}`
        )
        const { scan } = yield* trial.index
        const kinds = ["paid"]
        const refusesScan = (what: string, kind: string, after: Revision, upTo?: Revision) =>
          refuses(trial, `scanning ${what}`, kind, () => scan({ after, upTo, kinds, limit: 5 }))
        yield* trial.compact(3)
        yield* refusesScan("after a removed revision", "Compacted", after)
        yield* refusesScan("up to a removed revision", "Compacted", upTo, after)
        yield* refusesScan("in another epoch", "EpochChanged", { ...upTo, epoch: "other" })
        yield* refusesScan("after another tag", "EpochChanged", { ...upTo, tag: upTo.tag ^ 1 })
        yield* refusesScan("up to beyond the head", "EpochChanged", upTo, { ...upTo, seq: 9 })
      })
  ),
  logLaw(
    {
      id: "C58",
      name: "hold-keeps",
      group: "keys",
      needs: ["index", "retention"],
      statement: "What comes after a held revision is kept until the hold moves on or is released.",
      advice: "Let retention ask for the least revision that is held, and a compaction not"
    },
    (trial) =>
      Effect.gen(function* () {
        const { retention = 0 } = trial.subject
        const { hold, release } = yield* trial.index
        const fill = Effect.forEach(Array.from({ length: Math.ceil(retention / 100) + 1 }), () =>
          trial.commit(...Array.from({ length: 100 }, (_, n) => one(n)))
        )
        yield* write(trial)
        const at = (yield* trial.all).map(({ revision }) => revision)
        const holds = (name: string, revision: Revision | undefined) =>
          Effect.mapError(hold(name, revision as Revision), String)
        yield* holds("first", at[1])
        yield* holds("second", at[4])
        yield* fill
        const floorIs = (seq: number, when: string) =>
          Effect.flatMap(trial.head, ({ floor }) =>
            ensure(floor.seq === seq, `${when} the floor is ${floor.seq}`)
          )
        yield* floorIs(2, "while everything after 2 is held")
        yield* holds("first", at[5])
        yield* trial.commit(one(0))
        yield* floorIs(5, "while everything after 5 is held")
        yield* trial.compact(6)
        yield* floorIs(6, "after a compaction up to 6")
        yield* Effect.mapError(release("first"), String)
        yield* Effect.mapError(release("second"), String)
        yield* fill
        const { floor } = yield* trial.head
        yield* ensure(floor.seq > 6, "nothing is removed after the last release")
        const head = at[7] as Revision
        yield* refuses(trial, "holding in another epoch", "EpochChanged", () =>
          hold("first", { ...head, epoch: "other" })
        )
      })
  ),
  logLaw(
    {
      id: "C59",
      name: "wrong-readings",
      group: "keys",
      needs: ["index"],
      statement: "A reading with a limit, a key, kinds, a selector or a name that cannot be is refused.",
      advice: "Check the options before anything is read"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* write(trial)
        const { head: after } = yield* trial.head
        const { history, hold, scan } = yield* trial.index
        const invalid = "ChangeLogError Invalid"
        for (const limit of [0, -1, 1.5, Number.NaN]) {
          yield* refuses(trial, `a history of ${limit}`, invalid, () => history("/a", { limit }))
          yield* refuses(trial, `a scan of ${limit}`, invalid, () => scan({ after, limit }))
        }
        for (const key of ["", "\0", "\ud800"]) {
          yield* refuses(trial, "a history of no key", invalid, () => history(key, { limit: 1 }))
          yield* refuses(trial, "a hold without a name", invalid, () => hold(key, after))
          const kinds = [key]
          yield* refuses(trial, "a history of no kind", invalid, () => history("/a", { limit: 1, kinds }))
          yield* refuses(trial, "a scan of no kind", invalid, () => scan({ after, limit: 1, kinds }))
        }
        const selector = prefix("/a")
        yield* refuses(trial, "a scan of a wrong prefix", "InvalidSelector", () =>
          scan({ after, limit: 1, selector })
        )
      })
  )
]

export const logLawsOfKeys: ReadonlyArray<LogLaw> = [...histories, ...scans]
