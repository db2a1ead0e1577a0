/** The laws of what a log shares with its writers and its readers. */
import { Effect, Fiber } from "effect"
import { type Change, key, prefix, put, remove } from "../../../ChangeLog.js"
import { ensure, succeeds } from "../calls.js"
import { sameData } from "../sameData.js"
import { type LogTrial, logLaw } from "./fixture.js"
import type { LogLaw } from "./subject.js"

/** All that a reader can see, as text. */
const visible = (trial: LogTrial) =>
  Effect.gen(function* () {
    const state =
      trial.subject.capabilities.state === "latest" ? yield* trial.snapshot(prefix("")) : undefined
    return JSON.stringify([yield* trial.head, yield* trial.all, state])
  })

/** Tries to change an object, and everything that it is made of. A refusal is as good as a copy. */
const overwrite = (given: unknown): void => {
  if (typeof given !== "object" || given === null) return
  for (const [name, part] of Object.entries(given)) {
    if (name === "value") continue
    overwrite(part)
    Reflect.set(given, name, typeof part === "number" ? part + 7 : "spoiled")
  }
  if (Array.isArray(given)) Reflect.set(given, "length", 0)
}

export const logLawsOfSharing: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C39",
      name: "readers-share-nothing",
      group: "reading",
      statement: "What a reader does to the revisions that it was given, no other reader sees.",
      advice: "Freeze a revision, its events and its arrays when it is appended or decoded, or give copies"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.append(put("/a", 1), put("/b", 2))
        yield* trial.append(remove("/a"), put("/b", 3))
        const before = yield* visible(trial)
        const reads = Effect.gen(function* () {
          overwrite(yield* trial.all)
          overwrite(yield* trial.head)
          if (trial.subject.capabilities.state === "latest") {
            overwrite(yield* trial.snapshot(prefix("")))
            overwrite(yield* trial.snapshot(key("/b")))
          }
        })
        yield* reads
        const after = yield* visible(trial)
        yield* ensure(after === before, `after a reader had changed what it was given, others read ${after}`)
      })
  ),
  logLaw(
    {
      id: "C40",
      name: "changes-are-taken-once",
      group: "appending",
      statement: "What a writer does to its changes after the append has no effect on what is read.",
      advice: "Make the events of a revision from the changes, instead of keeping their array"
    },
    (trial) =>
      Effect.gen(function* () {
        const changes: Array<Change<unknown>> = [put("/a", 1), remove("/b")]
        yield* succeeds(trial, "appending", trial.log.append(changes))
        const before = yield* visible(trial)
        Reflect.set(changes[0] as object, "key", "/z")
        changes.reverse()
        changes.length = 1
        const after = yield* visible(trial)
        yield* ensure(after === before, `after the writer had changed its changes, readers read ${after}`)
      })
  ),
  logLaw(
    {
      id: "C41",
      name: "state-is-of-the-log",
      group: "state",
      statement: "The state holds the values of the log, also when a writer changes them while it appends.",
      needs: ["state"],
      advice: "Encode the values of an entry once, and write the log and the state from that"
    },
    (trial) =>
      Effect.gen(function* () {
        const value = { n: 0 }
        const appending = yield* Effect.fork(trial.log.append([put("/a", value)]))
        while (appending.unsafePoll() === null) {
          value.n++
          yield* Effect.yieldNow()
        }
        yield* succeeds(trial, "appending a value that changes", Fiber.join(appending))
        yield* trial.append(put("/a", "next"))
        const [first, second] = yield* trial.all
        const logged = first?.events[0]
        const before = second?.previous?.[0]
        yield* ensure(
          logged?._tag === "Put" && before?._tag === "Some" && sameData(logged.value, before.value),
          "the value before a change is not the one that the log holds"
        )
      })
  )
]
