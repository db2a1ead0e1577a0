import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import * as Sse from "../../../src/platform/internal/sse/encoding.js"
import * as Frames from "../../../src/platform/internal/sse/frames.js"
import { eventsIn } from "../../support/http/sse.js"
import { holds } from "../../support/laws/laws.js"

const revision = { epoch: "0af1", seq: 7, tag: 42 }

describe("the text of an event", () => {
  it("is its data, its name and its id, and an empty line", () => {
    expect(Sse.event("events", "[1]", "a:1:2")).toBe("data: [1]\nevent: events\nid: a:1:2\n\n")
  })

  it("without an id leaves the client's as it is", () => {
    expect(Sse.event("gap", "[]")).toBe("data: []\nevent: gap\n\n")
  })

  it("holds a line of data for each line, whatever ends it", () => {
    expect(Sse.data("a\nb\r\nc\rd")).toBe("data: a\ndata: b\ndata: c\ndata: d\n")
    expect(eventsIn(Sse.event("x", "a\nb\r\nc\rd\n"))).toEqual([{ event: "x", data: "a\nb\nc\nd\n" }])
  })

  it("keeps a space at its beginning, and an empty text", () => {
    expect(eventsIn(Sse.event("x", " a") + Sse.event("y", ""))).toEqual([
      { event: "x", data: " a" },
      { event: "y", data: "" }
    ])
  })

  it("gives in whole milliseconds when to connect again", () => {
    expect(Sse.retry(1999.6)).toBe("retry: 2000\n\n")
  })

  it("comments are seen by no client", () => {
    expect(eventsIn(Sse.comment + Sse.event("x", "1") + Sse.comment)).toEqual([{ event: "x", data: "1" }])
  })

  it("a client reads back every text", () => {
    const text = fc.string({ unit: "grapheme" }).map((text) => text.replace(/\r\n?/g, "\n"))
    holds(fc.array(text), 200, (texts) => {
      const stream = texts.map((text) => Sse.event("x", text)).join(Sse.comment)
      expect(eventsIn(stream)).toEqual(texts.map((data) => ({ event: "x", data })))
    })
  })

  it("an event that is abandoned takes nothing with it", () => {
    const text = Sse.data('{"entries":[') + Frames.abandon + Frames.end("Failed", "a:1:1")
    expect(eventsIn(Sse.event("synced", "1", "a:1:1") + text)).toEqual([
      { event: "synced", data: "1", id: "a:1:1" },
      { event: "abandoned", data: '{"entries":[' },
      { event: "end", data: '{"reason":"Failed","next":"stop","cursor":"a:1:1"}' }
    ])
    expect(eventsIn(Frames.abandon)).toEqual([])
  })
})

describe("a cursor", () => {
  it("is epoch:seq:tag", () => {
    expect(Sse.cursorOf(revision)).toBe("0af1:7:42")
  })

  it("is read back as the revision, whatever the epoch is", () => {
    const revisions = fc.record({
      epoch: fc.string({ unit: "grapheme", minLength: 1, maxLength: 5 }),
      seq: fc.maxSafeNat(),
      tag: fc.integer({ min: 0, max: 2 ** 32 - 1 })
    })
    holds(revisions, 200, (revision) => {
      const cursor = Sse.cursorOf(revision)
      expect(cursor).toMatch(/^[\x21-\x7e]+$/)
      expect(Sse.revisionOf(cursor)).toEqual(revision)
    })
  })

  it.each([
    "",
    ":",
    "a:1",
    "a:1:2:3",
    ":1:2",
    "a::2",
    "a:1:",
    "a:-1:2",
    "a:1.5:2",
    "a:1e3:2",
    "a:9007199254740992:2",
    "a:1:4294967296",
    " a:1:2 ",
    "%:1:2",
    "a:1:2\n",
    `${"a".repeat(600)}:1:2`
  ])("%j is none", (text) => {
    expect(Sse.revisionOf(text)).toBe(undefined)
  })
})

describe("a snapshot", () => {
  const snapshot = (values: ReadonlyArray<unknown>) => ({
    _tag: "Snapshot" as const,
    revision,
    entries: values.map((value, i) => ({ key: `k/${i}`, value, revision })),
    deleted: ["gone"]
  })

  it.each([0, 1, 3])("of %i entries is one event of JSON", (count) => {
    const parts = [...Frames.snapshotParts(snapshot(new Array(count).fill("a\nb")), Frames.json)]
    const events = eventsIn(parts.join(""))
    expect(events.map(({ event, id }) => [event, id])).toEqual([["snapshot", "0af1:7:42"]])
    expect(JSON.parse(events[0]?.data ?? "")).toEqual({
      cursor: "0af1:7:42",
      deleted: ["gone"],
      entries: Array.from({ length: count }, (_, i) => ({ key: `k/${i}`, value: "a\nb", seq: 7 }))
    })
  })

  it("that is large is made piece by piece", () => {
    const parts = [...Frames.snapshotParts(snapshot(new Array(100).fill("x".repeat(1000))), Frames.json)]
    expect(parts.length).toBe(7)
    expect(JSON.parse(eventsIn(parts.join(""))[0]?.data ?? "").entries.length).toBe(100)
  })
})
