/** The laws of what a scan finds, of what is held from retention, and of readings that cannot be. */
import { Effect } from "effect"
import { anyOf, key, matches, prefix, type Revision, type Selector } from "../../../ChangeLog.js"
import { ensure, refuses } from "../calls.js"
import { briefly, logLaw, sameRevision } from "./fixture.js"
import { ensureSame, isOf, write } from "./keyEvents.js"
import { one } from "./reading.js"
import type { LogLaw } from "./subject.js"

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

export const logLawsOfScans: ReadonlyArray<LogLaw> = [
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
