/** Operations of clients that are sent again, against a list of all that was ever answered. */
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import * as Operations from "../../src/internal/catalog/operations.js"
import { holds } from "../support/laws/laws.js"

const { rememberedFor, windowSize } = Operations
const hour = 3_600_000

const sent = fc.record({
  client: fc.constantFrom("p", "q"),
  /** From the highest number that the client has used. */
  ahead: fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: -3, max: 3 }) },
    { weight: 2, arbitrary: fc.constantFrom(-windowSize - 1, -windowSize, windowSize, windowSize + 1) }
  ),
  other: fc.constantFrom("none", "none", "none", "content", "principal"),
  times: fc.integer({ min: 1, max: 5 }),
  wait: fc.constantFrom(0, 0, 0, 1, hour, 12 * hour, rememberedFor, rememberedFor + 1),
  prune: fc.boolean()
})

interface Answered {
  readonly reply: number
  readonly at: number
  readonly content: string
  readonly principal: string
}

describe("operations that are sent again", () => {
  it("act once within their window, and are refused below it, above it, and with other content", () => {
    holds(fc.array(sent, { maxLength: 60 }), 150, (all) => {
      const operations = Operations.make<number>()
      const answered = new Map<string, Map<number, Answered>>([
        ["p", new Map()],
        ["q", new Map()]
      ])
      let now = 0
      let replies = 0
      for (const { ahead, client, other, prune, times, wait } of all) {
        now += wait
        if (prune) Operations.prune(operations, now)
        const known = answered.get(client)!
        const top = Math.max(0, ...known.keys())
        const n = Math.max(1, top + ahead)
        for (let i = 0; i < times; i++) {
          const before = known.get(n)
          const id = {
            client,
            n,
            principal: other === "principal" ? "else" : "me",
            content: other === "content" ? "other" : `content ${n}`
          }
          const judged = Operations.judge(operations, id, now)
          const isSame = before?.content === id.content && before.principal === id.principal
          const isRecent = before !== undefined && now - before.at <= rememberedFor
          if (before !== undefined && n > top - windowSize && isRecent) {
            // What is in the window and in its time is known, and answered alike.
            expect(judged).toMatchObject(
              isSame ? { _tag: "Repeated", reply: before.reply } : { _tag: "IdReused" }
            )
          }
          // Nothing acts twice, however old it is.
          if (before !== undefined) expect(judged._tag).not.toBe("New")
          else if (n > top + windowSize) expect(judged._tag).toBe("TooFarAhead")
          else if (n > top) expect(judged._tag).toBe("New")
          else if (n <= top - windowSize) expect(judged._tag).toBe("Forgotten")
          if (judged._tag !== "New") continue
          known.set(n, { reply: ++replies, at: now, content: id.content, principal: id.principal })
          Operations.remember(operations, id, replies, now)
        }
      }
    })
  })

  it("keep a bounded number of replies, in whatever order their numbers come", () => {
    const operations = Operations.make<number>()
    for (let n = 1; n <= 10 * windowSize; n++) {
      const swapped = n % 2 === 0 ? n - 1 : n + 1
      const id = { client: "p", n: swapped, principal: "me", content: "" }
      expect(Operations.judge(operations, id, n)._tag).toBe("New")
      Operations.remember(operations, id, n, n)
      expect(operations.clients.get("p")!.replies.size).toBeLessThanOrEqual(windowSize + 1)
    }
    Operations.prune(operations, 10 * windowSize + rememberedFor + 1)
    expect(operations.clients.get("p")!.replies.size).toBe(0)
    expect(Operations.judge(operations, { client: "p", n: 5, principal: "me", content: "" }, 0)._tag).toBe(
      "Forgotten"
    )
  })

  it("are kept of a bounded number of clients, those that are remembered in any case", () => {
    const operations = Operations.make<number>()
    for (let client = 0; client < 20_000; client++) {
      const at = client < 15_000 ? 0 : rememberedFor
      Operations.remember(operations, { client: `${client}`, n: 1, principal: "me", content: "" }, 1, at)
    }
    Operations.prune(operations, rememberedFor + 1)
    expect(operations.clients.size).toBe(10_000)
    const judge = (client: number) =>
      Operations.judge(operations, { client: `${client}`, n: 1, principal: "me", content: "" }, rememberedFor)
    expect([judge(14_999)._tag, judge(19_999)._tag]).toEqual(["Forgotten", "Repeated"])
  })

  it("do not act again after a window was loaded without its replies", () => {
    const operations = Operations.make<number>()
    Operations.setWindow(operations, "p", { top: 9, floor: 7 })
    const judge = (n: number) =>
      Operations.judge(operations, { client: "p", n, principal: "me", content: "" }, 0)._tag
    expect([7, 8, 10, 9 + windowSize, 10 + windowSize].map(judge)).toEqual([
      "Forgotten",
      "New",
      "New",
      "New",
      "TooFarAhead"
    ])
  })
})
