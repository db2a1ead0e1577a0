/** The task list under clients that mean harm: each request gets its typed refusal, and an honest window no error. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Option } from "effect"
import { exchange, listFile, type Person, postText, serving } from "../support/examples/taskList.js"
import type { Answer } from "../support/http/http.js"
import { runs } from "../support/laws/laws.js"

const task = (id: string, more: object = {}) => ({ id, text: "x", done: false, hidden: false, ...more })

const operation = (step: object, more: object = {}) => ({ client: "eve", n: 1, steps: [step], ...more })

const bytes = (text: string) => new TextEncoder().encode(text)

const reasonOf = ({ body, status }: Answer): string => `${status} ${JSON.parse(body).reason}`

const statusesIn = (text: string) => Array.from(text.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => status)

const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels)

/** Adds tasks one after the other while others mean harm, and returns how each was answered. */
const honestly = (ada: Person, count: number) =>
  Effect.forEach(Array.from({ length: count }), (_, i) =>
    Effect.map(
      ada.post({ client: "a1", n: i + 1, steps: [{ _tag: "Set", data: task(`task/honest${i}`) }] }),
      ({ status }) => status
    )
  )

/** How many operations come at once: 10,000 in a long run (LAWS_RUNS). */
const burstSize = Math.min(10_000, runs(600))

const honest = (count: number) => Array.from({ length: count }, () => 200)

describe("the task list under hostile clients", { timeout: 60_000 }, () => {
  it.scopedLive("refuses what is no operation, each with its reason, beside an honest window", () =>
    Effect.gen(function* () {
      const { named } = yield* serving(yield* listFile)
      const [ada, bob] = [named("ada"), named("bob")]
      const window = yield* ada.follow("a2")
      const working = yield* Effect.fork(honestly(ada, 20))
      const setting = (more: object) => operation({ _tag: "Set", data: task("task/x", more) })
      const text = JSON.stringify(setting({}))
      const bad: ReadonlyArray<readonly [body: unknown, reason: string]> = [
        [Uint8Array.of(...bytes(text.slice(0, -1)), 0xff, 0x7d), "400 InvalidBody"],
        [bytes(text.replace('"x"', '"\\ud800"')), "400 InvalidData"],
        [bytes(deep(30_000)), "400 InvalidOperation"],
        [bytes(text.replace('"x"', deep(30_000))), "400 InvalidOperation"],
        [bytes('{"client":'), "400 InvalidBody"],
        [bytes(text.replace('"n":1', '"n":9007199254740992')), "400 InvalidOperation"],
        [bytes(text.replace('"n":1', '"n":1e999')), "400 InvalidOperation"],
        [operation({ _tag: "Set", data: task("__proto__") }), "400 InvalidOperation"],
        [bytes(text.replace('"text"', '"__proto__":{"admin":true},"text"')), "400 InvalidOperation"],
        [operation({ _tag: "Patch", key: "__proto__", set: { done: true } }), "404 Missing"],
        [setting({ text: "x".repeat(501) }), "400 InvalidOperation"],
        [operation({ _tag: "Set", data: { id: "here/ada", name: "ada" } }), "400 InvalidOperation"]
      ]
      for (const [n, [body, reason]] of bad.entries()) {
        // A refusal is remembered by its number, too.
        const sent = body instanceof Uint8Array ? body : { ...(body as object), n: n + 1 }
        expect([n, reasonOf(yield* bob.post(sent))]).toEqual([n, reason])
      }
      expect(reasonOf(yield* bob.post(bytes(`${" ".repeat(64 * 1024)}${text}`)))).toBe("413 TooLarge")
      expect(yield* Fiber.join(working)).toEqual(honest(20))
      yield* window.until((received) => JSON.stringify(received).includes("honest19"))
      expect(JSON.stringify(window.received)).not.toContain("admin")
      expect(({} as { readonly admin?: unknown }).admin).toBe(undefined)
    })
  )

  it.scopedLive("refuses what is no mark, and lets no one vote or remove for another one", () =>
    Effect.gen(function* () {
      const { marks, named } = yield* serving(yield* listFile)
      const [ada, bob, guest] = [named("ada"), named("bob"), named("guest")]
      const marked = (mark: object, more: object = {}) => ({ client: "w1", task: "task/1", mark, ...more })
      const add = marked({ _tag: "Add", label: "cheap" })
      expect((yield* ada.mark(add)).status).toBe(200)
      // Sent again it counts once, and the same window of another person is another one.
      for (const one of [ada, ada, bob]) {
        expect((yield* one.mark(marked({ _tag: "Vote", votes: 1 }))).status).toBe(200)
      }
      const stamp = "z".repeat(8) + "z".repeat(4) + "0".repeat(11)
      const removing = (...seen: ReadonlyArray<unknown>) => marked({ _tag: "Remove", label: "cheap", seen })
      const bad: ReadonlyArray<readonly [body: unknown, reason: string]> = [
        [bytes('{"client":'), "400 InvalidBody"],
        [marked({ _tag: "Vote", votes: 1e9 }), "400 InvalidOperation"],
        [marked({ _tag: "Vote", votes: 0.5 }), "400 InvalidOperation"],
        [marked({ _tag: "Add", label: "x".repeat(51) }), "400 InvalidOperation"],
        [marked({ _tag: "Add", label: "x" }, { task: "__proto__" }), "400 InvalidOperation"],
        [removing(), "400 InvalidOperation"],
        [removing("", ["cheap", "no stamp"]), "400 InvalidData"],
        [removing("", { length: 3 }), "400 InvalidData"]
      ]
      for (const [n, [body, reason]] of bad.entries()) {
        expect([n, reasonOf(yield* bob.mark(body))]).toEqual([n, reason])
      }
      expect(reasonOf(yield* guest.mark(add))).toBe("403 Forbidden")
      // Who has seen nothing that is there removes nothing.
      yield* bob.mark(removing("", ["cheap", stamp]))
      const row = Option.getOrThrow(yield* marks.get("task/1"))
      expect([row.get("votes"), row.get("labels")]).toEqual([2, ["cheap"]])
    })
  )

  it.scopedLive("refuses a link that has expired, and serves the others", () =>
    Effect.gen(function* () {
      const { named } = yield* serving(yield* listFile, 0, 0)
      const [ada, guest] = [named("ada"), named("guest")]
      const adding = operation({ _tag: "Set", data: task("task/x") })
      for (const asked of [guest.post(adding), guest.mark({}), guest.ask("/revoke")]) {
        expect(reasonOf(yield* asked)).toBe("401 Expired")
      }
      expect((yield* ada.post(adding)).status).toBe(200)
    })
  )

  it.scopedLive("refuses a body of 50 MB when its first bytes have come", () =>
    Effect.gen(function* () {
      const { named, port } = yield* serving(yield* listFile)
      const { token } = named("bob")
      const answered = (text: string) => text.includes("}")
      // No more of the bodies is ever sent: the answers wait for none of it.
      const named50 = postText(token, undefined, [`Content-Length: ${50 * 1024 * 1024}`])
      expect(yield* exchange(port, named50, answered)).toMatch(/^HTTP\/1\.1 413 .*"TooLarge"/s)
      const chunked = postText(token, undefined, ["Transfer-Encoding: chunked"])
      expect(yield* exchange(port, `${chunked}3200000\r\n`, answered)).toMatch(
        /^HTTP\/1\.1 411 .*"LengthRequired"/s
      )
      expect(yield* honestly(named("ada"), 1)).toEqual([200])
    })
  )

  it.scopedLive("takes of a burst of operations what the rate of a person allows", () =>
    Effect.gen(function* () {
      const { named, port } = yield* serving(yield* listFile)
      const { token } = named("bob")
      const requests = Array.from({ length: burstSize }, (_, i) =>
        postText(token, JSON.stringify(operation({ _tag: "Delete", key: "task/none" }, { n: i + 1 })), [])
      )
      let seen = 0
      let from = 0
      const all = (text: string) => {
        for (let at = text.indexOf("HTTP/1.1 ", from); at !== -1; at = text.indexOf("HTTP/1.1 ", from)) {
          seen++
          from = at + 1
        }
        return seen === requests.length
      }
      const burst = yield* Effect.fork(exchange(port, requests.join(""), all))
      expect(yield* honestly(named("ada"), 20)).toEqual(honest(20))
      const statuses = statusesIn(yield* Fiber.join(burst))
      const counted = (status: string) => statuses.filter((one) => one === status).length
      expect(statuses).toHaveLength(burstSize)
      expect(counted("200")).toBeGreaterThanOrEqual(20)
      // Some may be refused as too far ahead of those that were taken.
      expect(counted("200") + counted("409") + counted("429")).toBe(burstSize)
      expect(counted("429")).toBeGreaterThan(0)
    })
  )

  it.scopedLive("lets no one act as a client of another person, or by a link that is not there", () =>
    Effect.gen(function* () {
      const { named, port } = yield* serving(yield* listFile)
      const [ada, bob, guest] = [named("ada"), named("bob"), named("guest")]
      const first = operation({ _tag: "Set", data: task("task/1") }, { client: "a1" })
      expect((yield* ada.post(first)).status).toBe(200)
      // The same client id is another client under another person: nothing of ada's is answered, or used up.
      const same = yield* bob.post(first)
      expect(JSON.parse(same.body).revision).toBe(2)
      const second = operation({ _tag: "Set", data: task("task/2") }, { client: "a1", n: 2 })
      expect((yield* bob.post({ ...second, steps: [{ _tag: "Delete", key: "task/none" }] })).status).toBe(200)
      expect(JSON.parse((yield* ada.post(second)).body).revision).toBe(3)
      const unknown = postText("0".repeat(32), JSON.stringify(first), [])
      expect(yield* exchange(port, unknown, (text) => text.includes("}"))).toMatch(
        /^HTTP\/1\.1 401 .*"Unauthenticated"/s
      )
      yield* ada.ask("/revoke")
      expect(reasonOf(yield* guest.post(first))).toBe("403 Forbidden")
    })
  )
})
