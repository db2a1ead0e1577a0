/** Watches for tests: over a log in memory, and over one that can go away. */
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Watch from "../../../src/Watch.js"
import { brief, writing } from "./frames.js"

export const logOf = (options: ChangeLog.Options<number> = {}) =>
  ChangeLog.make<number>({ state: "latest", ...options })

export const setUp = (options: Watch.Options<number> = {}, ofLog: ChangeLog.Options<number> = {}) =>
  Effect.gen(function* () {
    const log = yield* logOf(ofLog)
    const watch = yield* Watch.make(log, options)
    return { log, watch, ...writing(log) }
  })

/** What a log that does not answer fails with. */
export const away = new ChangeLog.ChangeLogError({ reason: "Unavailable", message: "away" })

/** A log that can go away, and come back. */
export const flakyLog = Effect.gen(function* () {
  const log = yield* logOf()
  let isAway = false
  const flaky: ChangeLog.ChangeLog<number> = {
    ...log,
    head: Effect.suspend(() => (isAway ? Effect.fail(away) : log.head)),
    read: (options) => Effect.suspend(() => (isAway ? Effect.fail(away) : log.read(options)))
  }
  return { log, flaky, go: (to: "away" | "back") => (isAway = to === "away") }
})

/** The next frames, in words. */
export const taking = (watcher: Watch.Watcher<number>, count: number) =>
  Effect.map(Effect.replicateEffect(watcher.take, count), (frames) => frames.map(brief))
