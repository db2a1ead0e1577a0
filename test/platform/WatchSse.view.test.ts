/** Rights of a client over HTTP: what it may see, what is not sent any more when they change, and how its owner ends it. */
import { describe, expect } from "@effect/vitest"
import { Chunk, Effect, Stream } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import { answering, asking, eventsIn } from "../support/http/sse.js"
import { everything, setUp, short } from "../support/http/watchSse.js"
import { scenario, settled } from "../support/time/turn.js"
import { changing } from "../support/watch/rights.js"

describe("a client with rights", () => {
  scenario("gets what it may see, and the end when that is nothing any more", function* () {
    const { put, sse, watch } = yield* setUp()
    yield* put("a", 1)
    yield* put("b", 2)
    const { rights, to } = changing((_, value) => value > 1)
    const reading = yield* asking(sse.serve(everything, { snapshot: "first", view: rights }))
    yield* put("b", 0)
    yield* settled
    to(undefined)
    yield* put("b", 5)
    yield* settled
    yield* reading.ended
    expect(short(reading)).toEqual([
      'snapshot {"deleted":[],"entries":[\n{"key":"b","value":2,"seq":2}\n]} #2',
      "synced {} #2",
      'events {"events":[{"type":"delete","key":"b"}]} #3',
      'end {"reason":"Unauthorized","next":"stop",}'
    ])
    expect((yield* watch.health).watchers).toBe(0)
  })

  scenario("that waits gets its end by recheck", function* () {
    const { put, sse, watch } = yield* setUp()
    yield* put("a", 1)
    const { rights, to } = changing(() => true)
    const reading = yield* asking(sse.serve(everything, { view: rights }))
    yield* settled
    to(() => false)
    yield* watch.recheck
    yield* settled
    to(undefined)
    yield* watch.recheck
    yield* reading.ended
    expect(reading.events().map(({ event }) => event)).toEqual(["synced", "snapshot", "synced", "end"])
  })

  scenario("is sent nothing more of a snapshot that older rights let through", function* () {
    const { log, sse } = yield* setUp()
    const keys = Array.from({ length: 2000 }, (_, i) => `key-${10_000 + i}`)
    yield* log.append(keys.map((key, i) => ChangeLog.put(key, i)))
    const { rights, to } = changing((key) => key !== keys[0])
    const { body } = yield* answering(
      sse.serve(everything, { snapshot: "first", autoResnapshot: "on", view: rights })
    )
    const pull = yield* Stream.toPull(body)
    const take = Effect.map(pull, (parts) => Buffer.concat(Chunk.toReadonlyArray(parts)).toString())
    const before = yield* take
    expect(before).toContain(keys[1])
    expect(before).not.toContain(keys[1999])
    to((key) => key === keys[0])
    let after = ""
    while (!after.includes("event: synced")) after += yield* take
    expect(after).not.toContain(keys[1999])
    expect(eventsIn(before + after).map(({ event }) => event)).toEqual(["abandoned", "snapshot", "synced"])
    expect(eventsIn(before + after)[1]?.data).toContain(
      `"deleted":[],"entries":[\n{"key":"${keys[0]}","value":0,"seq":1}\n]`
    )
  })
})

describe("a client whose watch is ended by the owner of the log", () => {
  for (const reason of ["Expired", "Ended"] as const) {
    scenario(`is to stop when it is ${reason}, and so is a later one`, function* () {
      const { put, sse, watch } = yield* setUp()
      const reading = yield* asking(sse.serve(everything))
      yield* put("a", 1)
      yield* watch.end(reason, "the store is gone")
      yield* reading.ended
      expect(reading.events().map(({ event }) => event)).toEqual(["synced", "events", "end"])
      expect(reading.events().at(-1)?.data).toContain(`"reason":"${reason}","next":"stop"`)
      const later = yield* asking(sse.serve(everything))
      yield* later.ended
      expect(later.events().at(-1)?.data).toContain(`"reason":"${reason}","next":"stop"`)
    })
  }
})
