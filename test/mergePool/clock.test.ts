import { describe, expect, it } from "@effect/vitest"
import {
  makeClock,
  maxAhead,
  nextStamp,
  observe,
  setBack,
  synchronize
} from "../../src/internal/mergePool/clock.js"
import { merge } from "../../src/internal/mergePool/merging.js"
import {
  clientOf,
  clientOfBits,
  counterOf,
  endOf,
  isClient,
  isStamp,
  makeStamp,
  maxCounter,
  maxMillis,
  millisOf,
  noStamp
} from "../../src/internal/mergePool/stamp.js"
import { makeState } from "../../src/internal/mergePool/state.js"
import { client, definition, patchOf, stampOf } from "../support/mergePool/pools.js"

const hour = 3_600_000

describe("a stamp", () => {
  it("has its parts, and sorts by time, then counter, then client", () => {
    const all = [0, 1, 63, 64, 2 ** 32, maxMillis].flatMap((millis) =>
      [0, 1, maxCounter].flatMap((counter) =>
        [0n, 1n, 2n ** 63n, 2n ** 64n - 1n].map((bits) => ({ millis, counter, bits }))
      )
    )
    const stamps = all.map(({ bits, counter, millis }) => makeStamp(millis, counter, clientOfBits(bits)))
    expect([...stamps].sort()).toEqual(stamps)
    expect(new Set(stamps).size).toBe(all.length)
    stamps.forEach((stamp, i) => {
      const { bits, counter, millis } = all[i]!
      expect([millisOf(stamp), counterOf(stamp), clientOf(stamp)]).toEqual([
        millis,
        counter,
        clientOfBits(bits)
      ])
      expect(isStamp(stamp) && isClient(clientOf(stamp))).toBe(true)
    })
  })

  it("is refused in any other form", () => {
    const good = stampOf(5, 5, 1)
    const tooLargeClient = `${good.slice(0, 12)}z${good.slice(13)}`
    for (const bad of [
      "",
      good.slice(1),
      `${good}-`,
      `!${good.slice(1)}`,
      `é${good.slice(1)}`,
      tooLargeClient,
      5,
      null,
      [good]
    ]) {
      expect(isStamp(bad)).toBe(false)
    }
    for (const bad of ["", "z----------", client(1).slice(1), 1]) expect(isClient(bad)).toBe(false)
  })
})

describe("J5: a clock", () => {
  it("never goes back, also when the wall clock is set back by an hour", () => {
    const clock = makeClock(client(1), noStamp)
    const stamps = [hour, hour + 5, 0, 1, hour + 5, 2 * hour].map((wall) => nextStamp(clock, wall))
    expect([...stamps].sort()).toEqual(stamps)
    expect(new Set(stamps).size).toBe(6)
    expect(millisOf(stamps[3]!)).toBe(hour + 5)
    expect(millisOf(stamps[5]!)).toBe(2 * hour)
  })

  it("goes on after the largest stamp that is held when a program starts again", () => {
    const state = makeState(definition)
    merge(state, patchOf(["r", "", [["title", stampOf(hour, 3, 1), 1]]]))
    merge(state, patchOf(["r", "", [["title", stampOf(5, 0, 1), 1]]]))
    const clock = makeClock(client(2), state.latest)
    expect(nextStamp(clock, 0)).toBe(stampOf(hour, 4, 2))
  })

  it("carries a full counter into the milliseconds", () => {
    const clock = makeClock(client(1), stampOf(hour, maxCounter - 1, 9))
    expect([nextStamp(clock, 0), nextStamp(clock, 0), nextStamp(clock, 0)]).toEqual([
      stampOf(hour, maxCounter, 1),
      stampOf(hour + 1, 0, 1),
      stampOf(hour + 1, 1, 1)
    ])
  })

  it("does not go back by an older stamp that it sees", () => {
    const clock = makeClock(client(1), stampOf(hour, 7, 2))
    for (const seen of [noStamp, stampOf(1, 1, 3), stampOf(hour, 6, 3)]) observe(clock, seen)
    expect(nextStamp(clock, 0)).toBe(stampOf(hour, 8, 1))
  })

  it("runs on the server's time once that is known, whatever the wall clock shows", () => {
    for (const wrong of [-hour, 0.25, hour]) {
      const clock = makeClock(client(1), noStamp)
      synchronize(clock, 10 * hour, 10 * hour + wrong)
      expect(nextStamp(clock, 10 * hour + wrong + 7.5)).toBe(stampOf(10 * hour + 7, 0, 1))
    }
  })

  it("is set back for edits that were never sent, but not below what others know", () => {
    const clock = makeClock(client(1), stampOf(9 * hour, 0, 1))
    setBack(clock, stampOf(hour, 0, 2))
    expect(nextStamp(clock, 0)).toBe(stampOf(hour, 1, 1))
  })
})

describe("a stamp ahead of the server", () => {
  const mergeAt = (now: number, stamp: string) =>
    merge(makeState(definition), patchOf(["r", "", [["title", stamp, 1]]]), { now })

  it("is taken at the limit, and refused with the server's time beyond it", () => {
    expect(mergeAt(hour, stampOf(hour + maxAhead, maxCounter, 0xfff))._tag).toBe("Merged")
    expect(mergeAt(hour, makeStamp(hour + maxAhead, maxCounter, clientOfBits(2n ** 64n - 1n)))._tag).toBe(
      "Merged"
    )
    expect(mergeAt(hour, stampOf(hour + maxAhead + 1, 0, 0))).toMatchObject({
      reason: "ClockAhead",
      serverTime: hour
    })
    expect(endOf(hour) < stampOf(hour + 1, 0, 0)).toBe(true)
  })

  it("at the limit and with a full counter keeps others from writing for a millisecond at most", () => {
    const clock = makeClock(client(2), stampOf(hour + maxAhead, maxCounter, 1))
    const next = nextStamp(clock, hour)
    expect(mergeAt(hour, next)._tag).toBe("Refused")
    expect(mergeAt(hour + 1, next)._tag).toBe("Merged")
  })
})
