/** Sessions: what ends them, what does not, and around the last moment of their grace. */
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Exit, Logger, Scope, TestClock } from "effect"
import * as Sessions from "../../src/internal/lease/sessions.js"
import * as Timers from "../../src/internal/lease/timers.js"
import { passingClock } from "../support/time/passing.js"
import { settled } from "../support/time/turn.js"
import { jumps, wallClock } from "../support/time/wallClock.js"

const grace = 30_000

/** Sessions with a diary of those that have ended. */
const diary = Effect.gen(function* () {
  const timers = yield* Timers.make
  const sessions = yield* Sessions.make(timers)
  const ended: Array<string> = []
  sessions.onEnd(({ client }, why) => ended.push(`${client} ${why}`))
  return { timers, sessions, ended }
})

const reasonOf = (answer: Sessions.Resumed | Sessions.SessionRefused) =>
  answer._tag === "Resumed" ? answer.session : answer.reason

describe("a session", () => {
  it.scoped("begins connected, with an id and a secret of 24 hexadecimal digits that no other one has", () =>
    Effect.gen(function* () {
      const { sessions } = yield* diary
      const { secret, session } = sessions.open({ client: "a", principal: "ada" })
      expect(session).toEqual({
        id: expect.stringMatching(/^[0-9a-f]{24}$/),
        client: "a",
        principal: "ada",
        generation: 1,
        state: "Connected"
      })
      expect(secret).toMatch(/^[0-9a-f]{24}$/)
      expect(sessions.get(session.id)).toEqual(session)
      const words = [secret, session.id]
      for (let at = 0; at < 1_000; at++) {
        const other = sessions.open({ client: "a" })
        words.push(other.secret, other.session.id)
      }
      expect(new Set(words).size).toBe(words.length)
    })
  )

  it.scoped("ends at once by the goodbye of its present connection, once", () =>
    Effect.gen(function* () {
      const { ended, sessions } = yield* diary
      const { secret, session } = sessions.open({ client: "a" })
      sessions.goodbye(session.id, 2)
      sessions.goodbye(session.id, 0)
      expect(ended).toEqual([])
      sessions.goodbye(session.id, 1)
      sessions.goodbye(session.id, 1)
      sessions.disconnected(session.id, 1)
      yield* TestClock.adjust(2 * grace)
      expect(ended).toEqual(["a Goodbye"])
      expect([sessions.get(session.id), sessions.size()]).toEqual([undefined, 0])
      expect(reasonOf(sessions.resume(session.id, secret))).toBe("Unknown")
    })
  )

  it.scoped("ends by a goodbye in its grace too, and then not again as lost", () =>
    Effect.gen(function* () {
      const { ended, sessions, timers } = yield* diary
      const { session } = sessions.open({ client: "a" })
      sessions.disconnected(session.id, 1)
      yield* TestClock.adjust(grace)
      sessions.goodbye(session.id, 1)
      yield* TestClock.adjust(grace)
      expect([ended, timers.size()]).toEqual([["a Goodbye"], 0])
    })
  )

  it.scoped("ends as lost when its grace is over, 1 ms after its last millisecond", () =>
    Effect.gen(function* () {
      const { ended, sessions } = yield* diary
      const { session } = sessions.open({ client: "a" })
      yield* TestClock.adjust(10 * grace)
      sessions.disconnected(session.id, 1)
      expect(sessions.get(session.id)?.state).toBe("Grace")
      yield* TestClock.adjust(grace - 1)
      expect(ended).toEqual([])
      // Closed again: the grace is not prolonged.
      sessions.disconnected(session.id, 1)
      yield* TestClock.adjust(1)
      expect([ended, sessions.size()]).toEqual([[], 1])
      yield* TestClock.adjust(1)
      expect(ended).toEqual(["a Lost"])
    })
  )

  it.scoped("has the grace that it was opened with", () =>
    Effect.gen(function* () {
      const { ended, sessions } = yield* diary
      const { session } = sessions.open({ client: "a", grace: 0 })
      sessions.disconnected(session.id, 1)
      expect(sessions.size()).toBe(1)
      yield* TestClock.adjust(1)
      expect(ended).toEqual(["a Lost"])
    })
  )

  const moments = [
    ["1 ms before the end of its grace", grace - 1],
    ["at the last millisecond of its grace", grace]
  ] as const

  it.scoped.each(moments)("is resumed %s, and does not end by the old grace", ([, after]) =>
    Effect.gen(function* () {
      const { ended, sessions, timers } = yield* diary
      const { secret, session } = sessions.open({ client: "a" })
      sessions.disconnected(session.id, 1)
      yield* TestClock.adjust(after)
      const resumed = { ...session, generation: 2, state: "Connected" }
      expect(reasonOf(sessions.resume(session.id, secret))).toEqual(resumed)
      expect(timers.size()).toBe(0)
      yield* TestClock.adjust(10 * grace)
      expect([ended, sessions.get(session.id)]).toEqual([[], resumed])
      sessions.disconnected(session.id, 2)
      yield* TestClock.adjust(grace)
      expect(ended).toEqual([])
      yield* TestClock.adjust(1)
      expect(ended).toEqual(["a Lost"])
    })
  )

  // No fiber runs in between: whatever is called first meets a session that has ended.
  const accesses: ReadonlyArray<
    readonly [string, (sessions: Sessions.Sessions, opened: Sessions.Opened) => unknown]
  > = [
    ["resume", (sessions, { secret, session }) => reasonOf(sessions.resume(session.id, secret))],
    ["get", (sessions, { session }) => sessions.get(session.id) ?? "Unknown"],
    ["size", (sessions) => (sessions.size() === 0 ? "Unknown" : "open")],
    ["goodbye", (sessions, { session }) => sessions.goodbye(session.id, 1) ?? "Unknown"],
    ["disconnected", (sessions, { session }) => sessions.disconnected(session.id, 1) ?? "Unknown"],
    ["endClient", (sessions) => (sessions.endClient("a") === 0 ? "Unknown" : "open")]
  ]

  it.scoped.each(accesses)("has ended 1 ms after its grace, before the fiber runs, by %s", ([, access]) =>
    Effect.gen(function* () {
      const { clock, pass } = yield* passingClock
      const { ended, sessions } = yield* Effect.withClock(diary, clock)
      const opened = sessions.open({ client: "a" })
      sessions.disconnected(opened.session.id, 1)
      yield* pass(Duration.millis(grace + 1))
      expect(access(sessions, opened)).toBe("Unknown")
      expect(ended).toEqual(["a Lost"])
      yield* TestClock.adjust(grace + 1)
      expect(ended).toEqual(["a Lost"])
    })
  )

  it.scoped("is not ended by an older connection that is closed after the new one came", () =>
    Effect.gen(function* () {
      const { ended, sessions } = yield* diary
      const { secret, session } = sessions.open({ client: "a" })
      sessions.resume(session.id, secret)
      sessions.disconnected(session.id, 1)
      sessions.goodbye(session.id, 1)
      expect(sessions.get(session.id)).toEqual({ ...session, generation: 2 })
      yield* TestClock.adjust(10 * grace)
      expect(ended).toEqual([])
    })
  )

  it.scoped("keeps its grace when an older connection is closed in it", () =>
    Effect.gen(function* () {
      const { ended, sessions } = yield* diary
      const { secret, session } = sessions.open({ client: "a" })
      sessions.resume(session.id, secret)
      sessions.disconnected(session.id, 2)
      yield* TestClock.adjust(grace - 1)
      sessions.disconnected(session.id, 1)
      yield* TestClock.adjust(2)
      expect(ended).toEqual(["a Lost"])
    })
  )

  it.scoped("is resumed by its secret and its principal only, and a refusal changes nothing", () =>
    Effect.gen(function* () {
      const { ended, sessions } = yield* diary
      const { secret, session } = sessions.open({ client: "a", principal: "ada" })
      const other = sessions.open({ client: "b" })
      sessions.disconnected(session.id, 1)
      const attempts = [
        sessions.resume(session.id, "", "ada"),
        sessions.resume(session.id, other.secret, "ada"),
        sessions.resume(session.id, `${secret}0`, "ada"),
        sessions.resume(session.id, `${secret.slice(0, 23)}x`, "ada"),
        sessions.resume(session.id, secret, "bob"),
        sessions.resume(session.id, secret),
        sessions.resume(other.session.id, other.secret, "ada"),
        sessions.resume("elsewhere", secret, "ada")
      ]
      const reasons = ["WrongSecret", "WrongSecret", "WrongSecret", "WrongSecret"]
      expect(attempts.map(reasonOf)).toEqual([
        ...reasons,
        "OtherPrincipal",
        "OtherPrincipal",
        "OtherPrincipal",
        "Unknown"
      ])
      expect(sessions.get(session.id)).toEqual({ ...session, state: "Grace" })
      expect(reasonOf(sessions.resume(session.id, secret, "ada"))).toEqual({ ...session, generation: 2 })
      yield* TestClock.adjust(10 * grace)
      expect(ended).toEqual([])
    })
  )

  it.scoped.each(jumps)("has its whole grace when the wall clock is set %s", ([, ahead]) =>
    Effect.gen(function* () {
      const wall = yield* wallClock
      const { ended, sessions } = yield* Effect.withClock(diary, wall.clock)
      const { session } = sessions.open({ client: "a" })
      sessions.disconnected(session.id, 1)
      wall.set(ahead)
      yield* TestClock.adjust(grace)
      expect([sessions.size(), ended]).toEqual([1, []])
      yield* TestClock.adjust(1)
      expect(ended).toEqual(["a Lost"])
    })
  )
})

describe("sessions", () => {
  it.scoped("of a client end together, those of others go on", () =>
    Effect.gen(function* () {
      const { ended, sessions } = yield* diary
      const lost = sessions.open({ client: "a" }).session
      sessions.disconnected(lost.id, 1)
      sessions.open({ client: "a" })
      const other = sessions.open({ client: "b" }).session
      expect([sessions.endClient("a"), sessions.endClient("a"), sessions.endClient("none")]).toEqual([
        2, 0, 0
      ])
      yield* TestClock.adjust(2 * grace)
      expect(ended).toEqual(["a Goodbye", "a Goodbye"])
      expect([sessions.size(), sessions.get(other.id)]).toEqual([1, other])
    })
  )

  it.scoped("leave nothing when they have ended", () =>
    Effect.gen(function* () {
      const { ended, sessions, timers } = yield* diary
      for (let at = 0; at < 300; at++) {
        const { session } = sessions.open({ client: `${at}` })
        if (at % 3 === 0) sessions.goodbye(session.id, 1)
        else if (at % 3 === 1) sessions.disconnected(session.id, 1)
        else sessions.endClient(`${at}`)
      }
      yield* TestClock.adjust(grace + 1)
      expect([sessions.size(), timers.size(), ended.length]).toEqual([0, 0, 300])
    })
  )

  it.scoped("call their listeners in the order of registration, and those that were stopped no more", () =>
    Effect.gen(function* () {
      const { sessions } = yield* diary
      const calls: Array<string> = []
      const first = sessions.onEnd(({ client }) => {
        calls.push(`first ${client}`)
        stopThird()
      })
      sessions.onEnd(({ client, state }) => calls.push(`second ${client} ${state}`))
      const stopThird = sessions.onEnd(() => calls.push("third"))
      const a = sessions.open({ client: "a" }).session
      const b = sessions.open({ client: "b" }).session
      sessions.goodbye(a.id, 1)
      first()
      first()
      sessions.goodbye(b.id, 1)
      expect(calls).toEqual(["first a", "second a Ended", "second b Ended"])
    })
  )

  it.scoped("call all listeners although one throws, which is logged", () =>
    Effect.gen(function* () {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => void lines.push(message))
      yield* Effect.gen(function* () {
        const { sessions } = yield* diary
        const calls: Array<string> = []
        sessions.onEnd(() => {
          throw "broken"
        })
        sessions.onEnd(({ client }) => calls.push(client))
        sessions.goodbye(sessions.open({ client: "a" }).session.id, 1)
        const lost = sessions.open({ client: "b", grace: 0 }).session
        sessions.disconnected(lost.id, 1)
        yield* TestClock.adjust(1)
        expect(calls).toEqual(["a", "b"])
        yield* settled
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      const message = "1 of what ended or was due threw, the rest was done; the first fault:"
      expect(lines).toEqual([
        [message, "broken"],
        [message, "broken"]
      ])
    })
  )

  it.scoped("are lost by thousands at once before listeners that use them, each once and in order", () =>
    Effect.gen(function* () {
      const { clock, pass } = yield* passingClock
      const { ended, sessions } = yield* Effect.withClock(diary, clock)
      const opened = Array.from({ length: 5_000 }, (_, at) => sessions.open({ client: `${at}` }).session)
      const seen: Array<unknown> = []
      sessions.onEnd(({ id }) => seen.push(sessions.get(id)))
      for (const { id } of opened) sessions.disconnected(id, 1)
      yield* pass(Duration.millis(grace + 1))
      expect(sessions.size()).toBe(0)
      expect(ended).toEqual(opened.map(({ client }) => `${client} Lost`))
      expect(seen).toEqual(opened.map(() => undefined))
    })
  )

  it.effect("are not ended by a grace when the scope of their timers has closed", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { ended, sessions } = yield* Scope.extend(diary, scope)
      const { session } = sessions.open({ client: "a" })
      sessions.disconnected(session.id, 1)
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust(2 * grace)
      expect([sessions.size(), ended]).toEqual([1, []])
    })
  )
})
