/** The laws of appending, reading, and ids. */
import { Effect } from "effect"
import { type Entry, type LoggedRevision, put, type Revision, remove, start } from "../../../ChangeLog.js"
import { ensure, unless } from "../calls.js"
import { brief, briefly, gapFree, type LogFixture, logLaw, sameRevision } from "./fixture.js"
import type { LogLaw } from "./subject.js"

/** An entry of one change. */
export const one = (n: number, id?: string): Entry<unknown> => ({
  changes: [put(`/n/${n}`, n)],
  ...(id === undefined ? {} : { id })
})

/** So many entries of one change. */
export const many = (count: number): ReadonlyArray<Entry<unknown>> =>
  Array.from({ length: count }, (_, n) => one(n))

const isRevision = ({ epoch, seq, tag }: Revision): boolean =>
  typeof epoch === "string" &&
  epoch !== "" &&
  Number.isSafeInteger(seq) &&
  seq >= 1 &&
  Number.isInteger(tag) &&
  tag >= 0 &&
  tag < 2 ** 32

/** Fails unless exactly these keys were put, revision by revision. */
export const holdsKeys = (
  { all }: LogFixture,
  keys: ReadonlyArray<string>,
  when: string
): Effect.Effect<void, string> =>
  Effect.flatMap(all, (logged) => {
    const seen = logged.flatMap(({ events }) => events.map(({ key }) => key))
    return ensure(
      seen.join(" ") === keys.join(" "),
      `${when}, the log holds ${briefly(logged)} instead of ${keys.slice(0, 8).join(", ") || "nothing"}`
    )
  })

const appending: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C1",
      name: "starts-empty",
      group: "appending",
      statement: "A new log has no revision, and reading from its start gives none.",
      advice: "Begin every log at seq 0 with tag 0, and let `place` make it empty"
    },
    ({ head, read }) =>
      Effect.gen(function* () {
        const { floor, head: last } = yield* head
        yield* ensure(
          sameRevision(last, start(last.epoch)),
          `the head of a new log is ${last.seq}, tag ${last.tag}`
        )
        yield* ensure(sameRevision(floor, last), "the floor of a new log is not its head")
        const logged = yield* read(start(last.epoch))
        yield* ensure(logged.length === 0, `a new log gives ${briefly(logged)}`)
      })
  ),
  logLaw(
    {
      id: "C2",
      name: "seq-from-one",
      group: "appending",
      statement: "Revisions count from 1 without gaps, in one epoch, each with a tag of 32 bits.",
      advice: "Number the revisions of a commit in the same transaction that makes them visible"
    },
    ({ all, append, commit, head }) =>
      Effect.gen(function* () {
        const { head: first } = yield* head
        for (let n = 0; n < 5; n++) yield* append(put("/a", n))
        yield* commit(...many(5))
        const logged = yield* all
        yield* gapFree(logged, 1, "after ten revisions")
        const wrong = logged.find(({ revision }) => !isRevision(revision) || revision.epoch !== first.epoch)
        yield* unless(
          wrong &&
            `revision ${wrong.revision.seq} is of epoch ${wrong.revision.epoch}, tag ${wrong.revision.tag}`
        )
        const { head: last } = yield* head
        yield* ensure(last.seq === 10 && logged.length === 10, `after ten revisions the head is ${last.seq}`)
        yield* ensure(
          sameRevision(last, (logged[9] as LoggedRevision<unknown>).revision),
          "the head is not the last revision"
        )
      })
  ),
  logLaw(
    {
      id: "C3",
      name: "tags-are-random",
      group: "appending",
      statement: "Two logs do not give the same tags, so that one is not taken for the other.",
      advice: "Draw a tag for each revision; do not count, and do not derive it from the number"
    },
    ({ all, commit, renew }) =>
      Effect.gen(function* () {
        const tagsOf = (logged: ReadonlyArray<LoggedRevision<unknown>>) =>
          logged.map(({ revision }) => revision.tag)
        yield* commit(...many(20))
        const before = tagsOf(yield* all)
        yield* renew
        yield* commit(...many(20))
        // A log with an index of its keys holds those of before too.
        const after = tagsOf((yield* all).slice(-20))
        const same = before.filter((tag, n) => tag === after[n]).length
        yield* ensure(same < 5, `${same} of 20 revisions have the same tag in two epochs`)
        const distinct = new Set(before).size
        yield* ensure(distinct > 15, `20 revisions have ${distinct} different tags`)
      })
  ),
  logLaw(
    {
      id: "C4",
      name: "gives-the-revision",
      group: "appending",
      statement: "What an append gives is the revision that a reader sees.",
      advice: "Give the revision that was committed, not one that was expected"
    },
    ({ all, append, commit }) =>
      Effect.gen(function* () {
        const first = yield* append(put("/a", 1))
        const { duplicates, revisions } = yield* commit(one(1), one(2))
        const seen = (yield* all).map(({ revision }) => revision)
        const given = [first, ...revisions]
        const same =
          seen.length === 3 && given.every((revision, n) => sameRevision(revision, seen[n] as Revision))
        yield* ensure(same && given.length === 3, "the revisions that were given are not those that are read")
        yield* ensure(duplicates === 0, `${duplicates} of three new entries count as duplicates`)
      })
  ),
  logLaw(
    {
      id: "C5",
      name: "order-of-commit",
      group: "appending",
      statement: "The entries of a commit are revisions of their own, in order, behind what was there.",
      advice: "Number the entries by their position in the commit"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.commit(one(5), one(0), one(7))
        yield* trial.commit(one(2), one(9))
        yield* holdsKeys(trial, ["/n/5", "/n/0", "/n/7", "/n/2", "/n/9"], "after two commits")
        const logged = yield* trial.all
        yield* ensure(logged.length === 5, `five entries are ${logged.length} revisions`)
      })
  ),
  logLaw(
    {
      id: "C6",
      name: "empty-commit",
      group: "appending",
      statement: "A commit of no entries changes nothing.",
      advice: "Return before the statement when there is nothing to append"
    },
    (trial) =>
      Effect.gen(function* () {
        const { duplicates, revisions } = yield* trial.commit()
        yield* ensure(
          revisions.length + duplicates === 0,
          "a commit of nothing reports that it did something"
        )
        yield* holdsKeys(trial, [], "after an empty commit")
      })
  )
]

/** Changes of one revision, with a key twice. */
const together = [put("/b", 1), put("/a", 1), remove("/b"), put("/a", 2), put("/c/d", 3)]

const reading: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C7",
      name: "never-split",
      group: "reading",
      statement: "A revision is read with all its changes, in their order, whatever the limit.",
      advice: "Let the limit count revisions, not changes"
    },
    ({ append, head, read }) =>
      Effect.gen(function* () {
        const { head: from } = yield* head
        for (let n = 0; n < 3; n++) yield* append(...together)
        const wanted = "(/b /a -/b /a /c/d)"
        for (const limit of [1, 2, 3, 7]) {
          const logged = yield* read(from, limit)
          const seen = logged.map((each) => brief(each).slice(1))
          yield* ensure(
            seen.length === Math.min(3, limit) && seen.every((each) => each === wanted),
            `with limit ${limit} the log gives ${briefly(logged)} of three revisions of five changes`
          )
        }
      })
  ),
  logLaw(
    {
      id: "C8",
      name: "exclusive-and-complete",
      group: "reading",
      statement:
        "Reading after any revision gives the next ones, as many as the limit allows, and none left out.",
      advice: "Read by seq greater than the cursor's, ordered by seq"
    },
    ({ all, commit, head, read }) =>
      Effect.gen(function* () {
        const { head: from } = yield* head
        yield* commit(...many(12))
        const logged = yield* all
        for (const cursor of [from, ...logged.map(({ revision }) => revision)]) {
          for (const limit of [1, 5, 1000]) {
            const seen = yield* read(cursor, limit)
            const left = Math.min(limit, 12 - cursor.seq)
            yield* ensure(
              seen.length === left,
              `after ${cursor.seq} with limit ${limit} the log gives ${seen.length} of ${left} revisions`
            )
            yield* gapFree(seen, cursor.seq + 1, `after ${cursor.seq} with limit ${limit}`)
          }
        }
      })
  ),
  logLaw(
    {
      id: "C9",
      name: "events-name-their-revision",
      group: "reading",
      statement: "Every event carries the revision that it belongs to.",
      advice: "Give each event the revision of its row"
    },
    ({ all, append }) =>
      Effect.gen(function* () {
        yield* append(...together)
        yield* append(remove("/a"))
        const logged = yield* all
        const wrong = logged.find(({ events, revision }) =>
          events.some((event) => !sameRevision(event.revision, revision))
        )
        yield* unless(wrong && `an event of revision ${wrong.revision.seq} names another one`)
      })
  )
]

const ids: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C10",
      name: "replay-appends-nothing",
      group: "ids",
      statement:
        "A commit that is repeated appends nothing, moves nothing and counts its entries as duplicates.",
      advice: "Leave out the entries whose id the log holds before numbers are given"
    },
    (trial) =>
      Effect.gen(function* () {
        const entries = [one(1, "a"), one(2, "b"), one(3, "c")]
        yield* trial.commit(...entries)
        const { head: before } = yield* trial.head
        const { duplicates, revisions } = yield* trial.commit(...entries)
        yield* ensure(
          duplicates === 3 && revisions.length === 0,
          `a replay of 3 entries gives ${revisions.length} revisions and ${duplicates} duplicates`
        )
        const { head: after } = yield* trial.head
        yield* ensure(
          sameRevision(before, after),
          `a replay moves the head from ${before.seq} to ${after.seq}`
        )
        yield* holdsKeys(trial, ["/n/1", "/n/2", "/n/3"], "after a replay")
      })
  ),
  logLaw(
    {
      id: "C11",
      name: "id-once-in-a-commit",
      group: "ids",
      statement: "Of the entries of a commit that have the same id the first one counts.",
      advice: "Look for ids inside of the commit too"
    },
    (trial) =>
      Effect.gen(function* () {
        const { duplicates, revisions } = yield* trial.commit(
          one(1, "a"),
          one(2, "b"),
          one(3, "a"),
          one(4),
          one(5, "b")
        )
        yield* ensure(
          revisions.length === 3 && duplicates === 2,
          `a commit with 2 ids repeated gives ${revisions.length} revisions and ${duplicates} duplicates`
        )
        yield* holdsKeys(trial, ["/n/1", "/n/2", "/n/4"], "after a commit with ids repeated")
      })
  ),
  logLaw(
    {
      id: "C12",
      name: "new-ones-of-a-replay",
      group: "ids",
      statement: "Of a commit that is known in part the new entries are appended, without gaps.",
      advice: "Give numbers to the new entries only"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.commit(one(1, "a"), one(2, "b"))
        const { duplicates, revisions } = yield* trial.commit(
          one(3, "c"),
          one(1, "a"),
          one(4, "d"),
          one(2, "b"),
          one(5)
        )
        yield* ensure(
          revisions.length === 3 && duplicates === 2,
          `3 new entries of 5 give ${revisions.length} revisions and ${duplicates} duplicates`
        )
        yield* holdsKeys(trial, ["/n/1", "/n/2", "/n/3", "/n/4", "/n/5"], "after a replay in part")
        yield* gapFree(yield* trial.all, 1, "after a replay in part")
      })
  ),
  logLaw(
    {
      id: "C13",
      name: "without-id-always-new",
      group: "ids",
      statement: "An entry without an id is never a duplicate.",
      advice: "Compare ids only where there are some"
    },
    (trial) =>
      Effect.gen(function* () {
        for (let n = 0; n < 3; n++) yield* trial.commit(one(1), one(1))
        yield* holdsKeys(trial, new Array<string>(6).fill("/n/1"), "after the same entries three times")
      })
  ),
  logLaw(
    {
      id: "C14",
      name: "id-goes-with-its-revision",
      group: "ids",
      statement: "An id is known for as long as its revision is held, and no longer.",
      advice: "Keep the ids with the revisions, and give them up with them"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.commit(one(1, "a"), one(2, "b"))
        yield* trial.compact(1)
        const { duplicates, revisions } = yield* trial.commit(one(1, "a"), one(2, "b"))
        yield* ensure(
          revisions.length === 1 && duplicates === 1,
          `of an id that is gone and one that is held ${duplicates} is a duplicate and ${revisions.length} is new`
        )
        yield* holdsKeys(trial, ["/n/2", "/n/1"], "after a compaction and a replay")
      })
  )
]

export const logLawsOfReading: ReadonlyArray<LogLaw> = [...appending, ...reading, ...ids]
