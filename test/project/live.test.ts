/** The page of the demo: what is saved is told to whoever follows, in a client of Node.js and in a real browser. */
import { rmSync } from "node:fs"
import * as path from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { describeInChromium, openPage } from "../support/http/chromium.js"
import { eventSource, type Received } from "../support/http/eventSource.js"
import { ask } from "../support/http/http.js"
import { demoScript, startDemo } from "../support/processes/demo.js"

// Hooks of vitest are in promises.
const scope = Effect.runSync(Scope.make())
let script: string
beforeAll(async () => {
  script = await Effect.runPromise(Scope.extend(demoScript, scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

interface Moment {
  readonly target?: string
  readonly size?: number
  readonly stored?: number
  readonly pending?: number
  readonly actor?: string | null
  readonly hours?: ReadonlyArray<{ readonly actions: { readonly [action: string]: number } }>
}

const serving = (port = 0) =>
  Effect.gen(function* () {
    const demo = yield* Effect.acquireRelease(
      Effect.sync(() => startDemo(script, "", ["--serve", "--port", String(port)])),
      ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const [, page = ""] = yield* Effect.promise(() => demo.saw(/watch it live: (\S+)\n/))
    const [, file = ""] = yield* Effect.promise(() => demo.saw(/file (.+)\n/))
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(path.dirname(file), { recursive: true })))
    const stop = Effect.promise(() => {
      demo.child.kill("SIGTERM")
      return demo.exit
    })
    return { ...demo, page, port: Number(new URL(page).port), stop }
  })

/** What was told under the keys of this name, from snapshots and events. */
const told = (received: ReadonlyArray<Received<Moment>>, name: string): ReadonlyArray<Moment> =>
  received
    .flatMap((each): ReadonlyArray<{ readonly key: string; readonly value?: Moment }> => {
      if (each.name === "events") return each.data.events
      return each.name === "snapshot" ? each.data.entries : []
    })
    .flatMap(({ key, value }) => (key.startsWith(`${name}/`) && value !== undefined ? [value] : []))

/** How many actions of an actor its last activity counts. */
const countedOf = (received: ReadonlyArray<Received<Moment>>, actor: string): number => {
  const last = told(received, "activity")
    .filter((moment) => moment.actor === actor)
    .at(-1)
  return (last?.hours ?? [])
    .flatMap(({ actions }) => Object.values(actions))
    .reduce((sum, count) => sum + count, 0)
}

const targets = (received: ReadonlyArray<Received<Moment>>) =>
  told(received, "records").flatMap(({ target = "" }) => (target.startsWith("/orders/") ? [target] : []))

describe("the live page of the demo", { timeout: 60_000 }, () => {
  it.scopedLive("shows each record once, in order, after it is stored, and the end before it closes", () =>
    Effect.gen(function* () {
      const { output, page, port, stop } = yield* serving()
      const file = yield* ask(port, "/live")
      expect([file.status, file.headers["content-security-policy"]]).toEqual([
        200,
        expect.stringContaining("default-src 'none'")
      ])
      const client = yield* eventSource<Moment>(`${page}/events`)
      yield* client.until((received) => received.some(({ name }) => name === "synced"))
      const orders = Array.from({ length: 100 }, (_, i) => `/orders/${i}`)
      for (const order of orders) yield* ask(port, order, { headers: { "x-user": "ada" } })
      yield* client.until((received) => targets(received).length >= orders.length)
      expect(targets(client.received)).toEqual(orders)
      yield* client.until((received) => countedOf(received, "ada") === orders.length)
      const sizes = told(client.received, "batches").map(({ size = 0 }) => size)
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(told(client.received, "records").length)
      // The orders alone: what the page asks for itself is left out.
      yield* client.until((received) =>
        told(received, "queue").some(({ pending, stored }) => stored === orders.length && pending === 0)
      )
      const code = yield* stop
      expect([code, output()]).toEqual([0, expect.stringContaining("accepted 100 = stored 100")])
      yield* client.until((received) => received.some(({ name }) => name === "end"))
      const end = client.received.find(({ name }) => name === "end")
      expect(end?.data).toMatchObject({ reason: "Closed", next: "resume" })
    })
  )
})

describeInChromium("the live page of the demo", () => {
  it.scopedLive(
    "shows the records as they are saved, newest first, and draws the queue and the batches",
    () =>
      Effect.gen(function* () {
        const { page: url, port } = yield* serving()
        const page = yield* openPage(url)
        const errors: Array<string> = []
        page.on("pageerror", (error) => errors.push(String(error)))
        page.on("console", (message) => {
          if (message.type() === "error") errors.push(message.text())
        })
        const state = page.locator("#state")
        yield* Effect.promise(() => state.filter({ hasText: "live" }).waitFor())
        const pictures = () =>
          Effect.promise(() =>
            Promise.all([page.locator("#queue").screenshot(), page.locator("#batches").screenshot()])
          )
        const before = yield* pictures()
        for (let i = 1; i <= 20; i++)
          yield* ask(port, `/orders/${i}`, { headers: { "x-user": "<b>eve</b>" } })
        const newest = page.locator("#records tr").first()
        yield* Effect.promise(() => newest.filter({ hasText: "/orders/20" }).waitFor())
        const shown = yield* Effect.promise(() => page.locator("#records td:nth-child(4)").allTextContents())
        expect(shown.filter((target) => target.startsWith("/orders/"))).toEqual(
          Array.from({ length: 20 }, (_, i) => `/orders/${20 - i}`)
        )
        // What a client says is text, whatever it looks like.
        expect(yield* Effect.promise(() => newest.locator("td:nth-child(2)").textContent())).toBe(
          "<b>eve</b>"
        )
        const counted = page.locator("#activity tr").filter({ hasText: "<b>eve</b>" })
        yield* Effect.promise(() => counted.filter({ hasText: "20" }).waitFor())
        yield* Effect.promise(() => page.locator("#stored").filter({ hasText: /^20$/ }).waitFor())
        yield* Effect.promise(() => page.getByRole("button", { name: "200 requests" }).click())
        yield* Effect.promise(() => page.locator("#stored").filter({ hasText: /^220$/ }).waitFor())
        const after = yield* pictures()
        expect(after.map((picture, i) => picture.equals(before[i] as Buffer))).toEqual([false, false])
        expect(errors).toEqual([])
      })
  )

  it.scopedLive(
    "shows an outage, the queue that grows, its drain, and where a bad record goes, and balances",
    () =>
      Effect.gen(function* () {
        const { page: url, port } = yield* serving()
        // The address without a path leads to the page.
        const page = yield* openPage(new URL("/", url).href)
        const errors: Array<string> = []
        page.on("console", (message) => {
          if (message.type() === "error") errors.push(message.text())
        })
        const shows = (selector: string, hasText: string | RegExp) =>
          Effect.promise(() => page.locator(selector).filter({ hasText }).waitFor())
        const click = (name: string) => Effect.promise(() => page.getByRole("button", { name }).click())
        yield* shows("#recorder", "Running")
        // A click is over before its request is answered: the outage has begun when that is.
        const begun = page.waitForResponse((response) => response.url().endsWith("/demo/outage"))
        yield* click("Take the database away")
        yield* Effect.promise(() => begun)
        yield* ask(port, "/orders/1")
        yield* shows("#recorder", "Degraded")
        yield* shows("#why", "taken away by a button")
        yield* shows("#pending", /^1$/)
        for (let i = 2; i <= 5; i++) yield* ask(port, `/orders/${i}`)
        yield* shows("#pending", /^5$/)
        yield* shows("#recorder", "Running")
        yield* shows("#stored", /^5$/)
        yield* shows("#pending", /^0$/)
        yield* click("Send one bad record")
        yield* shows("#setAside", /^1$/)
        yield* shows("#aside", "/demo/bad")
        yield* shows("#aside", "id")
        yield* shows("#accepted", /^6$/)
        yield* shows("#balance", /^balances$/)
        const times = yield* Effect.promise(() => page.locator("#records td:first-child").allTextContents())
        expect(times.every((time) => /^\d\d:\d\d:\d\d\.\d{3}$/.test(time))).toBe(true)
        const ids = yield* Effect.promise(() => page.locator("#records td:last-child").allTextContents())
        expect([ids.length, ids.every((id) => id.length === 36)]).toEqual([5, true])
        expect(errors).toEqual([])
      })
  )

  it.scopedLive("shows that its server is gone, and is live again when it is back", () =>
    Effect.gen(function* () {
      const first = yield* serving()
      const page = yield* openPage(first.page)
      const state = page.locator("#state")
      yield* Effect.promise(() => state.filter({ hasText: "live" }).waitFor())
      yield* first.stop
      yield* Effect.promise(() => state.filter({ hasText: "connecting" }).waitFor())
      yield* serving(first.port)
      yield* Effect.promise(() => state.filter({ hasText: "live" }).waitFor())
      expect(yield* Effect.promise(() => page.locator("#note").textContent())).toContain("EpochChanged")
    })
  )
})
