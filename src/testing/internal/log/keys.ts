/** The laws of the history of a key. */
import { Effect } from "effect"
import type { KeyPosition, Revision } from "../../../ChangeLog.js"
import { ensure, refuses } from "../calls.js"
import { briefly, logLaw, sameRevision } from "./fixture.js"
import {
  ensureLast,
  ensureSame,
  event,
  expected,
  inWords,
  lastOf,
  refusesHistory,
  write,
  written
} from "./keyEvents.js"
import type { LogLaw } from "./subject.js"

export const logLawsOfKeys: ReadonlyArray<LogLaw> = [
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
