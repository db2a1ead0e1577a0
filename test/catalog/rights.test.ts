/** Versions of rights among the revisions of a store, rates of principals, and who follows what, against models. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import fc from "fast-check"
import * as Clients from "../../src/internal/catalog/clients.js"
import * as Policy from "../../src/internal/catalog/policy.js"
import { makeRates } from "../../src/internal/catalog/quotas.js"
import { make as makeTimers } from "../../src/internal/lease/timers.js"
import { holds } from "../support/laws/laws.js"

describe("versions of rights", () => {
  it("fall so among revisions that no cursor from before a change counts", () => {
    // true: the next revision; false: a version is given.
    holds(fc.array(fc.boolean(), { maxLength: 60 }), 300, (events) => {
      const marks = Policy.makeMarks()
      const givenAt = [0]
      let seq = 0
      for (const isRevision of events) {
        if (isRevision) {
          Policy.mark(marks, givenAt.length - 1, seq)
          seq++
        } else givenAt.push(seq)
      }
      for (const [version, at] of givenAt.entries()) expect(Policy.seqOf(marks, version, seq)).toBe(at)
    })
  })

  it("begin more cursors anew, and never fewer, where the oldest marks are gone", () => {
    const marks = Policy.makeMarks()
    for (let n = 1; n <= 5000; n++) Policy.mark(marks, n, n)
    expect(marks.marks.length).toBeLessThanOrEqual(1024)
    for (let n = 1; n <= 5000; n++) expect(Policy.seqOf(marks, n, 5001)).toBeGreaterThanOrEqual(n)
    expect(Policy.seqOf(marks, 5000, 5001)).toBe(5000)
    expect(Policy.seqOf(marks, 5001, 5001)).toBe(5001)
  })

  it.scoped("are raised by revoke, and when an answer is over; the answer is kept until then", () =>
    Effect.gen(function* () {
      const timers = yield* makeTimers
      const revoked: Array<string> = []
      let asked = 0
      const policy = Policy.make<unknown>(
        (principal) => {
          asked++
          if (principal === "bad") throw new Error("a rule of the program")
          if (principal === "odd") return {} as Policy.Grant<unknown>
          return { actions: ["read"], ttl: principal === "brief" ? 1000 : undefined }
        },
        timers,
        (principal) => revoked.push(principal)
      )
      const thing = { id: "a", kind: "temp" }
      const version = (principal: string) => policy.versionOf(principal, thing)
      expect([version("ann"), version("ann"), version("brief")]).toEqual([0, 0, 0])
      expect(asked).toBe(2)
      for (const principal of ["bad", "odd"]) {
        expect(policy.rights(principal, thing).actions.size).toBe(0)
      }
      policy.revoke("ann")
      expect(version("ann")).toBe(1)
      yield* TestClock.adjust(1000)
      expect(version("brief")).toBe(0)
      yield* TestClock.adjust(1)
      expect(version("brief")).toBe(2)
      expect(version("ann")).toBe(1)
      expect(revoked).toEqual(["ann", "brief"])
    })
  )
})

describe("answers about a principal", () => {
  it.scoped("are kept for a bounded number of stores", () =>
    Effect.gen(function* () {
      let asked = 0
      const count = () => {
        asked++
        return { actions: [] }
      }
      const policy = Policy.make<unknown>(count, yield* makeTimers, () => {})
      const ask = (id: number) => policy.rights("ann", { id: `${id}`, kind: "temp" })
      for (let id = 0; id <= 1000; id++) ask(id)
      ask(1000)
      expect(asked).toBe(1001)
      ask(0)
      expect(asked).toBe(1002)
    })
  )
})

describe("operations of a principal", () => {
  it.scoped("are taken at their rate, a second of them at once, and others notice nothing", () =>
    Effect.gen(function* () {
      const timers = yield* makeTimers
      const rates = makeRates(4, timers)
      const burst = (principal: string) =>
        Array.from({ length: 6 }, () => rates.take(principal)).filter((taken) => taken).length
      expect(burst("ann")).toBe(4)
      expect(burst("bob")).toBe(4)
      yield* TestClock.adjust(249)
      expect(burst("ann")).toBe(0)
      yield* TestClock.adjust(1)
      expect(burst("ann")).toBe(1)
      yield* TestClock.adjust("1 hour")
      expect(burst("ann")).toBe(4)
    })
  )
})

const call = fc.oneof(
  fc.record({
    do: fc.constant("add" as const),
    client: fc.constantFrom("p", "q", ""),
    id: fc.constantFrom("s", "t"),
    principal: fc.constantFrom("ann", undefined)
  }),
  fc.record({ do: fc.constant("remove" as const), at: fc.nat({ max: 9 }) }),
  fc.record({
    do: fc.constant("endAll" as const),
    client: fc.constantFrom("p", "q"),
    id: fc.constantFrom("s", undefined)
  })
)

describe("the index of clients", () => {
  it("is equal to a list of follows, and nothing is left of those that have ended", () => {
    holds(fc.array(call, { maxLength: 40 }), 200, (calls) => {
      const clients = Clients.make()
      let model: Array<Clients.Subscription> = []
      const ended: Array<Clients.Subscription> = []
      for (const one of calls) {
        if (one.do === "add") {
          const { client, id, principal } = one
          const subscription = {
            client,
            id,
            principal,
            end: () => ended.push(subscription)
          } as Clients.Subscription
          Clients.add(clients, subscription)
          model.push(subscription)
        } else if (one.do === "remove") {
          const subscription = model[one.at]
          if (subscription === undefined) continue
          Clients.remove(clients, subscription)
          Clients.remove(clients, subscription)
          model = model.filter((other) => other !== subscription)
        } else {
          const going = model.filter(({ client, id }) => client === one.client && (one.id ?? id) === id)
          const before = ended.length
          expect(Clients.endAll(clients, one.client, one.id)).toBe(going.length)
          expect(ended.slice(before)).toEqual(going)
          model = model.filter((other) => !going.includes(other))
        }
        expect(Clients.sizeOf(clients)).toBe(model.length)
        for (const id of ["s", "t"]) {
          const here = model.filter((other) => other.id === id)
          expect(Clients.countOf(clients, id)).toBe(here.length)
          const names = new Set(here.map(({ client }) => client).filter((client) => client !== ""))
          expect(new Set(Clients.clientsOf(clients, id))).toEqual(names)
        }
        const followed = model.filter(({ principal }) => principal === "ann").map(({ id }) => id)
        expect(Clients.followedBy(clients, "ann")).toEqual(new Set(followed))
      }
      for (const subscription of model) Clients.remove(clients, subscription)
      const { byClient, byPrincipal, byThing } = clients
      expect([byClient.size, byPrincipal.size, byThing.size]).toEqual([0, 0, 0])
    })
  })
})

describe("the index of members", () => {
  it("finds a client wherever it was subscribed, and nothing is left of what has ended", () => {
    const change = fc.record({
      do: fc.constantFrom("join", "leave", "dismiss", "unsubscribe"),
      client: fc.constantFrom("p", "q"),
      at: fc.nat({ max: 2 })
    })
    holds(fc.array(change, { maxLength: 30 }), 200, (changes) => {
      const clients = Clients.make()
      const things = [0, 1, 2].map(() => new Set<string>())
      const models = [0, 1, 2].map(() => new Set<string>())
      for (const { at, client, do: what } of changes) {
        const members = things[at]!
        const model = models[at]!
        if (what === "join") {
          expect(Clients.join(clients, members, client)).toBe(!model.has(client))
          model.add(client)
        } else if (what === "leave") {
          expect(Clients.leave(clients, members, client)).toBe(model.delete(client))
        } else if (what === "dismiss") {
          Clients.dismiss(clients, members)
          model.clear()
        } else {
          const had = models.filter((other) => other.delete(client)).length
          expect(Clients.unsubscribe(clients, client)).toBe(had)
        }
        expect(things).toEqual(models)
      }
      for (const members of things) Clients.dismiss(clients, members)
      expect(clients.memberships.size).toBe(0)
    })
  })
})
